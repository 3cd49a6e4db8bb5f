"""Literals that every match of an expression must hold one of: what makes the matcher fast.

Looking for a literal costs a hundredth of what trying an expression everywhere costs; an expression
is tried only where one of its anchors stands.
"""

from __future__ import annotations

SHORTEST = 4
"""A shorter literal stands nearly everywhere."""

_META = frozenset(".^$*+?{}|()[]\\ ")
_OPTIONAL = frozenset("?*{")


def anchors_of(expression: str) -> tuple[str, ...]:
    """The literals, in lower case: each match of the expression holds at least one of them.

    Empty when there are none of use. Understands what the rules use: literals, sets, groups,
    choices, quantifiers and lookarounds; a blank ends a literal, since it stands for several.
    """
    return tuple(dict.fromkeys(_Reader(expression).choice()))


class _Reader:
    """Reads an expression from left to right, once."""

    def __init__(self, expression: str) -> None:
        self._text = expression
        self._at = 0

    def choice(self) -> tuple[str, ...]:
        """Alternatives up to the end, or to the bracket that closes them."""
        found: list[tuple[str, ...]] = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            found.append(self._sequence())
        if not all(found):
            return ()
        return tuple(literal for literals in found for literal in literals)

    def _sequence(self) -> tuple[str, ...]:
        best: tuple[str, ...] = ()
        run = ""
        while (char := self._peek()) and char not in "|)":
            literal, inner = self._item(char)
            if self._skip_quantifier():
                literal, inner = "", ()
            best = _better(best, inner)
            if literal:
                run += literal
            else:
                best, run = _better(best, (run,)), ""
        return _better(best, (run,))

    def _item(self, char: str) -> tuple[str, tuple[str, ...]]:
        """One item: the literal that it is, or the anchors of the group that it is."""
        if char == "\\":
            self._at += 2
            escaped = self._text[self._at - 1]
            return ("" if escaped.isalnum() else escaped, ())
        if char == "[":
            self._at += 1
            while self._text[self._at] != "]":
                self._at += 2 if self._text[self._at] == "\\" else 1
            self._at += 1
            return "", ()
        if char == "(":
            return "", self._group()
        self._at += 1
        return ("" if char in _META else char.lower(), ())

    def _group(self) -> tuple[str, ...]:
        self._at += 1
        if self._text.startswith("?P=", self._at):
            self._at = self._text.index(")", self._at) + 1
            return ()
        looks = False
        if self._peek() == "?":
            looks = self._text[self._at + 1] in "!=<"
            named = self._text.startswith("?P<", self._at)
            ends = ">" if named else ":" if not looks else "!="
            while self._text[self._at] not in ends:
                self._at += 1
            self._at += 1
        inner = self.choice()
        self._at += 1
        return () if looks else inner

    def _skip_quantifier(self) -> bool:
        """Whether what was read may be absent; a ``+`` still leaves it there once."""
        char = self._peek()
        if char == "+":
            self._at += 1
            return True
        if char not in _OPTIONAL:
            return False
        self._at += 1
        if char == "{":
            self._at = self._text.index("}", self._at) + 1
        if self._peek() == "?":
            self._at += 1
        return True

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]


def _better(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The anchors whose shortest is longer, and not too short to be of use."""
    size = min((len(literal) for literal in other), default=0)
    if size < SHORTEST:
        return one
    return other if size > min((len(literal) for literal in one), default=0) else one
