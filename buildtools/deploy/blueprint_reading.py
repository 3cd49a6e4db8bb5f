"""A Blueprint's text as YAML nodes; hostile text ends soon, with the line and column.

The document is composed and never constructed: no tag makes an object, and no alias or merge is
expanded.
"""

from __future__ import annotations

import yaml
from yaml.reader import ReaderError

LARGEST = 1 << 20
"""Bytes; a Blueprint of more is refused unread."""
DEEPEST = 40
"""Levels of nesting; the reader's cost grows with the square of them."""

_MERGE = "tag:yaml.org,2002:merge"

Fields = dict[str, tuple[yaml.Node, yaml.Node]]


class BlueprintUnreadable(Exception):  # noqa: N818 - a finding is made of it, it is no failure
    """Why a text is no Blueprint at all; ``line`` and ``column`` start at 1."""

    def __init__(self, problem: str, line: int = 1, column: int = 1) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line
        self.column = column


class _Loader(yaml.SafeLoader):
    """Composes nodes down to a certain depth."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        if self._depth == DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {DEEPEST} levels", problem_mark=mark
            )
        self._depth += 1
        try:
            return super().compose_node(parent, index)  # type: ignore[arg-type]
        finally:
            self._depth -= 1


def decoded(content: bytes) -> str:
    """The text of a file; :class:`BlueprintUnreadable` where it is too long or not UTF-8."""
    if len(content) > LARGEST:
        raise BlueprintUnreadable("it is larger than a megabyte")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        problem = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise BlueprintUnreadable(problem, *_place(before)) from None


def composed(text: str) -> yaml.Node | None:
    """The root node; None for an empty document. Raises :class:`BlueprintUnreadable`."""
    if len(text.encode(errors="replace")) > LARGEST:
        raise BlueprintUnreadable("it is larger than a megabyte")
    text = _without_tails(text)
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context)
        if mark is None:
            raise BlueprintUnreadable(problem) from error
        raise BlueprintUnreadable(problem, mark.line + 1, mark.column + 1) from error
    except ReaderError as error:
        problem = f"the character U+{error.character:04X} must not stand in YAML"
        raise BlueprintUnreadable(problem, *_place(text[: error.position])) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BlueprintUnreadable(str(error).splitlines()[0]) from error


def _without_tails(text: str) -> str:
    """The text without tabs at the ends of lines: YAML takes them, its reader here does not."""
    if "\t" not in text:
        return text
    return "\n".join(
        line.removesuffix("\r").rstrip(" \t") if line.rstrip("\r ").endswith("\t") else line
        for line in text.split("\n")
    )


def fields_of(node: yaml.Node) -> Fields:
    """Key to (key node, value node) of a mapping, with what is merged in; empty for another node.

    A key of the mapping itself wins over a merged one, as YAML 1.1's merge type has it.
    """
    return _fields(node, set())


def merged(node: yaml.MappingNode) -> Fields:
    """What ``<<`` brings into a mapping and its own keys do not hide."""
    own = {str(key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)}
    return {name: pair for name, pair in fields_of(node).items() if name not in own}


def is_merge(key: yaml.Node) -> bool:
    """Whether a key is ``<<``."""
    return key.tag == _MERGE


def text_of(node: yaml.Node | None) -> str | None:
    """A scalar's text."""
    return node.value if isinstance(node, yaml.ScalarNode) else None


def _fields(node: yaml.Node, seen: set[int]) -> Fields:
    if not isinstance(node, yaml.MappingNode) or id(node) in seen:
        return {}
    seen.add(id(node))
    own: Fields = {
        str(key.value): (key, value)
        for key, value in node.value
        if isinstance(key, yaml.ScalarNode) and not is_merge(key)
    }
    for key, value in node.value:
        if is_merge(key):
            sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in sources:
                own = {**_fields(source, seen), **own}
    return own


def _place(before: str) -> tuple[int, int]:
    """Line and column of what follows this text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")
