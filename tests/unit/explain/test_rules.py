"""The rules as data: sourced, whole, and refused when they are wrong."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from buildtools.errors import CannotLookError
from buildtools.explain import _NAMES
from buildtools.explain.anchors import anchors_of
from buildtools.explain.remedies import commands_are_known
from buildtools.explain.rules import _rule, compile_pattern, load_rules, rule_files
from buildtools.findings import Cause

DOCS = Path(__file__).parents[3] / "docs"


def test_every_rule_names_its_source_and_explains() -> None:
    for rule in load_rules():
        assert rule.sources, rule.id
        assert rule.explanation, rule.id
        assert 0.35 <= rule.confidence <= 1, rule.id


def test_every_cause_has_a_rule_and_a_remedy() -> None:
    assert {rule.cause for rule in load_rules()} == set(Cause)
    assert all(commands_are_known(cause) for cause in Cause)


def test_every_building_and_stack_cause_is_explained_in_the_documentation() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("causes*.md"))
    missing = [cause for cause in Cause if f"`{cause}`" not in text and cause is not Cause.UNKNOWN]
    loading = list(Cause)[: list(Cause).index(Cause.MISSING_COMPILER)]
    assert [cause for cause in missing if cause not in loading] == []


def test_no_host_name_of_an_index_stands_in_the_data() -> None:
    folder = files("buildtools.explain")
    for name in rule_files():
        text = folder.joinpath(f"rules/{name}.yaml").read_text(encoding="utf-8")
        assert not re.search(r"(?<!version )https?://", text)


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "a", "cause": "no-such-cause"},
        {"id": "a", "cause": "no-space", "anny": ["x"]},
        {"id": "a", "cause": "no-space", "any": ["("]},
        {"cause": "no-space"},
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(entry: dict[str, object]) -> None:
    whole = {"id": "b", "confidence": 0.5, "source": ["x"], "any": ["abcd"], **entry}
    if "id" not in entry:
        del whole["id"]
    with pytest.raises(CannotLookError) as caught:
        _rule(whole, "building")
    assert "building.yaml" in caught.value.where


@pytest.mark.parametrize(
    ("expression", "anchors"),
    [
        ("No space left", ("space",)),
        ("mysql_config: not found", ("mysql_config:",)),
        ("(?:gcc|clang): not found", ("found",)),
        ("alpha|beta", ("alpha", "beta")),
        ("alpha|xy", ()),
        ("(?:alpha|gamma) x", ("alpha", "gamma")),
        ("(?!alpha)x", ()),
        ("alphas?", ("alpha",)),
        ("(?:alpha)?x", ()),
        (r"[a\]b]alpha", ("alpha",)),
        ("(?P<name>alpha)", ("alpha",)),
        (r"(?P<name>\w+) (?P=name)gamma", ("gamma",)),
        ("alpha{2}beta", ("alph", "beta")),
    ],
)
def test_an_anchor_is_a_literal_that_no_match_lacks(
    expression: str, anchors: tuple[str, ...]
) -> None:
    assert set(anchors_of(expression)) <= set(anchors) or not anchors
    if not anchors:
        assert anchors_of(expression) == ()


def test_anchors_never_hide_a_match() -> None:
    from tests.unit.explain.stated_lines import LINES

    for rule in load_rules():
        for pattern in rule.any:
            for _, line in LINES:
                if pattern.anchors and pattern.expression.search(line):
                    assert any(a in line.lower() for a in pattern.anchors), (rule.id, line)


def test_a_blank_in_a_pattern_stands_for_any_run_of_blanks() -> None:
    pattern = compile_pattern("not found")
    assert pattern.expression.search("NOT \t found")
    assert not pattern.expression.search("notfound")


def test_nothing_in_braces_is_left_in_an_explanation() -> None:
    names = set(_NAMES)
    for rule in load_rules():
        assert set(re.findall(r"\{(\w+)\}", rule.explanation)) <= names, rule.id
