"""A Blueprint that a hand wrote keeps every character that need not change."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from buildtools.deploy.blueprint_splice import spliced

WANTED: list[dict[str, Any]] = [
    {
        "type": "worker",
        "name": "consumer",
        "runtime": "python",
        "plan": "starter",
        "startCommand": "run: it",
        "envVars": [{"key": "LEVEL", "value": "info"}, {"key": "PASSWORD", "sync": False}],
    }
]


def data(text: str) -> Any:
    return yaml.safe_load(text)


def service(text: str) -> Any:
    return next(one for one in data(text)["services"] if one["name"] == "consumer")


BY_HAND = """\
---
# top
services:

- type: web            # zero-indented, as Render's first pages wrote it
  name: 'site'
  runtime: static
  staticPublishPath: "./public"
  envVars: &shared
  - key: A
    value: '1'   # one

# between
- name: consumer
  type: worker
  plan:   pro   # aligned by hand

  runtime: "python"
  region: &where frankfurt
  startCommand: >-
    a long
    command
  envVars:
  - {key: LEVEL, value: debug}   # in braces
  - key: OWN
    value: ~

databases:
- name: db
  region: *where
# end
"""


def test_only_what_differs_is_written() -> None:
    new = spliced(BY_HAND, WANTED)
    before, after = BY_HAND.splitlines(), new.splitlines()
    gone = [line for line in before if line not in after]
    assert gone == [
        "  plan:   pro   # aligned by hand",
        "  startCommand: >-",
        "    a long",
        "    command",
        "  - {key: LEVEL, value: debug}   # in braces",
    ]
    assert "  plan:   starter   # aligned by hand" in after
    assert '  startCommand: "run: it"' in after
    assert "    value: info   # in braces" in after
    assert "  region: &where frankfurt" in after
    assert data(new)["databases"] == data(BY_HAND)["databases"]
    assert spliced(new, WANTED) == new


def test_windows_line_ends_stay() -> None:
    new = spliced(BY_HAND.replace("\n", "\r\n"), WANTED)
    assert new.count("\n") == new.count("\r\n")
    assert data(new) == data(spliced(BY_HAND, WANTED))


def test_an_alias_is_replaced_where_it_stands_and_its_anchor_keeps_its_value() -> None:
    text = (
        "services:\n  - {type: cron, name: x, plan: &p pro}\n"
        "  - type: worker\n    name: consumer\n    plan: *p  # the same\n"
    )
    new = spliced(text, WANTED)
    assert "plan: starter  # the same" in new
    assert data(new)["services"][0]["plan"] == "pro"


def test_an_anchored_value_that_changes_keeps_its_anchor() -> None:
    text = "services:\n  - name: consumer\n    plan: &p pro\n  - {name: b, plan: *p}\n"
    assert "plan: &p starter\n" in spliced(text, WANTED)


def test_what_a_merge_brings_is_not_written_again() -> None:
    text = (
        "services:\n  - &base\n    type: worker\n    runtime: python\n    name: other\n"
        "  - <<: *base\n    name: consumer\n"
    )
    new = spliced(text, WANTED)
    assert new.count("runtime: python") == 1
    assert service(new)["plan"] == "starter"
    assert data(new)["services"][0] == {"type": "worker", "runtime": "python", "name": "other"}


def test_a_variables_value_in_previews_is_its_owners() -> None:
    text = (
        "services:\n  - name: consumer\n    envVars:\n"
        "      - key: LEVEL\n        value: info\n        previewValue: debug\n"
        "      - key: PASSWORD\n        value: x\n        previewValue: y\n"
    )
    new = spliced(text, WANTED)
    assert "      - key: LEVEL\n        value: info\n        previewValue: debug\n" in new
    assert service(new)["envVars"][1] == {"key": "PASSWORD", "sync": False, "previewValue": "y"}


def test_a_variable_of_another_source_keeps_its_comments() -> None:
    text = (
        "services:\n  - name: consumer\n    envVars:\n      # rotate it\n"
        "      - key: PASSWORD   # monthly\n        value: hunter2   # plain\n"
        "        previewValue: none\n      - key: LAST\n"
    )
    new = spliced(text, WANTED)
    assert "      # rotate it\n      - key: PASSWORD   # monthly\n        sync: false\n" in new
    assert "        previewValue: none\n" in new
    assert "hunter2" not in new


@pytest.mark.parametrize(
    "text",
    ["", "# c\n", "databases: []\n", "services:\n", "services: # c\n# d\n", "services: []\n", "{}",
     "services: [{name: consumer, envVars: [{key: X, value: a}]}]\n", "---\nservices: []\n...\n",
     "services:\n  - name: consumer\n    envVars: []\n",
     "services:\n  - name: consumer\n    envVars:",
     "services:\n  - name: consumer\n    envVars: # c\n    plan: |\n      pro\n\n\n"],
)  # fmt: skip
def test_every_way_to_have_no_service_or_no_variables(text: str) -> None:
    new = spliced(text, WANTED)
    found = service(new)
    assert {key: found[key] for key in ("type", "plan", "startCommand")} == {
        "type": "worker", "plan": "starter", "startCommand": "run: it",
    }  # fmt: skip
    assert {"key": "PASSWORD", "sync": False} in found["envVars"]
    assert re.findall("#.*", new) == re.findall("#.*", text)
    assert spliced(new, WANTED) == new


SCALARS = st.sampled_from(
    ["pro", '"pro"', "'pro'", "starter", "~", "", "|\n{pad}  pro", ">-\n{pad}  a\n{pad}  b"]
)
COMMENTS = st.sampled_from(["", "   # why", ' # it\'s "so": {x}'])
LINES = st.sampled_from(["", "\n", "{pad}# alone\n", "\n\n# at the edge\n"])


@st.composite
def by_hand(draw: st.DrawFn) -> str:
    """A Blueprint with one service beside ours, in some hand's manner."""
    dash, inner = draw(st.sampled_from([(0, 2), (2, 2), (2, 4), (4, 3)]))
    pad, keys = " " * (dash + inner), ["plan", "startCommand", "numInstances", "runtime"]
    chosen = draw(st.lists(st.sampled_from(keys), unique=True))
    lines = [draw(st.sampled_from(["", "---\n", "# head\n\n"])), "services:\n"]
    for name in draw(st.permutations(["site", "consumer"])):
        lines.append(draw(LINES).format(pad=" " * dash))
        lines.append(f"{' ' * dash}-{' ' * (inner - 1)}name: {name}{draw(COMMENTS)}\n")
        for key in chosen:
            scalar = draw(SCALARS)
            comment = "" if "\n" in scalar else draw(COMMENTS)
            lines.append(f"{pad}{key}: {scalar.format(pad=pad)}{comment}\n")
            lines.append(draw(LINES).format(pad=pad))
        if draw(st.booleans()):
            step = draw(st.sampled_from([0, 2]))
            lines.append(f"{pad}envVars:{draw(COMMENTS)}\n")
            for variable in draw(st.lists(st.sampled_from(["LEVEL", "MINE", "TOO"]), min_size=1)):
                lines.append(f"{pad}{' ' * step}- key: {variable}{draw(COMMENTS)}\n")
                lines.append(f"{pad}{' ' * step}  value: 'x'\n")
    lines.append(draw(st.sampled_from(["", "# end\n", "databases: []\n"])))
    return "".join(lines)


@given(by_hand())
def test_whatever_the_hand_the_rest_stays_to_the_letter(text: str) -> None:
    new = spliced(text, WANTED)
    theirs = [one for one in data(text)["services"] if one["name"] == "site"]
    assert [one for one in data(new)["services"] if one["name"] == "site"] == theirs
    found = service(new)
    assert {key: found[key] for key in WANTED[0] if key != "envVars"} == {
        key: value for key, value in WANTED[0].items() if key != "envVars"
    }
    for variable in WANTED[0]["envVars"]:
        assert variable in found["envVars"]
    assert set(re.findall(r"#.*", text)) == set(re.findall(r"#.*", new))
    assert [line for line in text.splitlines() if "name:" in line or "MINE" in line] == [
        line for line in new.splitlines() if ("name:" in line or "MINE" in line)
    ]
    assert spliced(new, WANTED) == new
