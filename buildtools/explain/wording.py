"""Lines of a text made comparable: one kind of quote, no page's escapes, in English."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from functools import cache

from buildtools.explain.rules import load_data

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[@-Z\\^_]"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe]"
)
"""Colour and other terminal control; and what a terminal would obey or hide without showing it."""

_QUOTES = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u2032": "'", "`": "'",
    "\u00b4": "'", "\u2039": "'", "\u203a": "'", "\u00ab": "'", "\u00bb": "'", "\u300c": "'",
    "\u300d": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2033": '"', "\u00a0": " ",
    "\u202f": " ", "\u3000": " ", "\u0130": "I", "\uff1a": ":", "\u2013": "-", "\u2014": "-",
    "\u2212": "-",
})  # fmt: skip

_ENTITY = re.compile(r"&(?:#x?[0-9A-Fa-f]{1,6}|quot|apos|lt|gt|amp|nbsp|lsquo|rsquo);")
_IN_STRING = re.compile(r"""^\s*[\[{"].*?["'}\]]\s*,?\s*$|": ?"|\\n\s+(?:at|File) |\\r\\n""")
"""A line that is JSON, or that quotes a program's output as JSON does."""
_LOG_OF_DOCKER = re.compile(r"""^\{"log":\s?"((?:[^"\\]|\\.)*)",\s?"stream":""")
_ESCAPED = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_PLAIN: Mapping[str, str] = {"n": "\n", "r": "\n", "t": " ", '"': '"', "'": "'", "/": "/"}


def printable(text: str) -> list[str]:
    """A line without terminal control; what a carriage return overwrote is a line of its own."""
    parts = [part for part in text.split("\r") if part.strip()] or [""]
    return [_ESCAPES.sub("", part).rstrip() for part in parts]


def unescaped(text: str) -> list[str]:
    r"""The lines that a line of JSON holds as one, its ``\n`` and ``\"`` read; else the line."""
    if "\\" not in text or not _IN_STRING.search(text):
        return [text]
    if found := _LOG_OF_DOCKER.match(text):
        text = found.group(1)
    return [part for part in _ESCAPED.sub(_read_escape, text).split("\n") if part.strip()] or [""]


def _read_escape(found: re.Match[str]) -> str:
    word = found.group(1)
    if len(word) > 1:
        return chr(int(word[1:], 16)) if not word.lower().startswith("ud") else "?"
    return _PLAIN.get(word, found.group(0))


def comparable(lines: Sequence[str]) -> list[str]:
    """The lines with one kind of quote, without HTML's escapes, and in English."""
    plain = [_one_kind(line) for line in lines]
    text = "\n".join(plain).lower()
    english = {saying: meaning for saying, meaning in _sayings() if saying in text}
    if not english:
        return plain
    choices = "|".join(map(re.escape, english))
    pattern = re.compile(f"(:(?! ))?({choices})", re.IGNORECASE)

    def say(found: re.Match[str]) -> str:
        return f"{': ' if found.group(1) else ''}{english[found.group(2).lower()]}"

    return [
        pattern.sub(say, line).replace(" : ", ": ") if pattern.search(line) else line
        for line in plain
    ]


def _one_kind(line: str) -> str:
    if "&" in line and _ENTITY.search(line):
        line = html.unescape(line)
    return line if line.isascii() and "`" not in line else line.translate(_QUOTES)


@cache
def _sayings() -> tuple[tuple[str, str], ...]:
    """Each saying in another language, in lower case, with what it means; the longest first."""
    sayings = [
        (_one_kind(saying).lower(), meaning)
        for meaning, words in load_data("sayings.yaml").items()
        for saying in words
    ]
    return tuple(sorted(sayings, key=lambda pair: -len(pair[0])))
