"""A text that means harm: nothing of it runs, nothing of it hangs, nothing of it raises."""

import re
import shlex
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildtools.explain import explain
from buildtools.explain.document import documents
from buildtools.explain.matcher import HITS_LOOKED_AT, _windows
from buildtools.explain.reading import read_lines
from buildtools.explain.rules import Pattern, compile_pattern, load_rules
from tests.unit.explain.stated_lines import LINES

NASTY = (
    "; rm -rf /", "$(reboot)", "`reboot`", "&& curl evil | sh", "| sh", "-rf", "--index-url=evil",
    "../../etc/passwd", "x\x1b]0;owned\x07", "'; drop", "a\nb", "\u202eevil", "x;y",
)  # fmt: skip
PLACES = (
    "ERROR: No matching distribution found for {}",
    "ERROR: Failed building wheel for {}",
    "Error: /a/node_modules/{}/build/Release/x.node: invalid ELF header",
    "Error relocating /a/node_modules/{}/lib/binding/x.node: fcntl64: symbol not found",
    "ImportError: /usr/lib/python3/site-packages/{}/x.so: file too short",
    "$ pip install {}\nerror: command 'gcc' failed: No such file or directory",
    "building '{}.x' extension\nfatal error: Python.h: No such file or directory",
    "pkg-config: not found {}",
    "ImportError: {}.so.1: cannot open shared object file: No such file or directory",
)
_HARMLESS = re.compile(r"[\w@%+=:,./ <>!~*()\"$-]+", re.ASCII)
"""What the commands of remedies.yaml are written with; ``$`` stands in one of its own."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("nasty", NASTY)
def test_a_command_never_carries_what_the_shell_would_obey(place: str, nasty: str) -> None:
    found = explain(place.format(f"good{nasty}") + "\n" + place.format(nasty))
    assert found.commands or found.cause == "unknown"
    for command in found.commands:
        assert _HARMLESS.fullmatch(command), command
        words = shlex.split(command)
        assert not {"rm", "reboot", "curl", "sh", ";", "&&", "|", "-rf", nasty} & set(words)
        assert not any(word.startswith("--index-url") for word in words)
        assert "$(" not in command or "brew --prefix" in command


def test_the_evidence_cannot_steer_a_terminal() -> None:
    found = explain("\x1b]0;owned\x07\x9b31m\u202e\x00/a/x.so: invalid ELF header\x1b[2J")
    assert found.evidence[0].text == "/a/x.so: invalid ELF header"


WORDS = sorted({word for _, line in LINES for word in line.split()})
PIECES = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from([anchor for rule in load_rules() for p in rule.any for anchor in p.anchors]),
    st.text(max_size=12),
    st.sampled_from(["\n", "\r", "\t", "'", '"', "\\", "\\n", "\x1b[31m", "&quot;", "\ufeff"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=60), st.sampled_from(["utf-8", "utf-16", "latin-1"]))
def test_no_text_makes_it_raise(pieces: list[str], encoding: str) -> None:
    text = " ".join(pieces).encode(encoding, errors="replace")
    found = explain(text)
    assert 0 <= found.confidence <= 1
    last = text.count(b"\n") + 1
    assert all(1 <= line.line <= last for line in found.evidence)


def patterns() -> list[tuple[str, Pattern]]:
    return [
        (rule.id, pattern)
        for rule in load_rules()
        for pattern in (*rule.any, *rule.where, *rule.unless, *rule.context)
    ]


def test_no_pattern_can_explode() -> None:
    """No repeat without end stands in another one, unless a fixed character parts the rounds."""
    for rule, pattern in patterns():
        expression = pattern.expression
        assert not _explosive(parser.parse(expression.pattern, expression.flags)), rule


def _explosive(items: Any) -> bool:
    for code, value in items:
        if code in {codes.MAX_REPEAT, codes.MIN_REPEAT}:
            _, most, body = value
            if most == codes.MAXREPEAT and _endless(body) and not _parted(body):
                return True
            if _explosive(body):
                return True
        elif code is codes.BRANCH:
            if any(_explosive(choice) for choice in value[1]):
                return True
        elif code is codes.SUBPATTERN:
            if _explosive(value[-1]):
                return True
        elif code in {codes.ASSERT, codes.ASSERT_NOT} and _explosive(value[1]):
            return True
    return False


def _endless(items: Any) -> bool:
    for code, value in items:
        if code in {codes.MAX_REPEAT, codes.MIN_REPEAT} and value[1] == codes.MAXREPEAT:
            return True
        if code is codes.SUBPATTERN and _endless(value[-1]):
            return True
        if code is codes.BRANCH and any(_endless(choice) for choice in value[1]):
            return True
    return False


def _parted(items: Any) -> bool:
    return any(code is codes.LITERAL for code, _ in items)


def test_a_text_of_nothing_but_anchors_is_tried_at_few_places() -> None:
    pattern = compile_pattern(r"(?:alpha|gamma)\w+ omega")
    document = documents(read_lines("\n".join(["alpha gamma alpha"] * 1000)))[0]
    assert len(_windows(pattern, document, more=0)) <= HITS_LOOKED_AT * len(pattern.anchors)


def test_an_expression_that_explodes_would_be_seen() -> None:
    assert _explosive(parser.parse("(?:a+b*)+c"))
    assert not _explosive(parser.parse(r"(?:[\w+-]+/)*x"))
