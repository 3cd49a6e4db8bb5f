"""YAML read as nodes: values with their place in the file, and every mistake gathered.

The document is composed into nodes and never constructed: no YAML tag makes an object, anchors and
duplicate keys are refused, and every node still knows where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from buildtools.errors import UsageError

if TYPE_CHECKING:
    from yaml import MappingNode, Node
    from yaml._yaml import Mark as CompiledMark
    from yaml.error import Mark

LARGEST_RECIPE = 64 << 10
"""Bytes; a recipe is a page of text."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RecipeMistake:
    """One mistake: where it stands (counted from 1) and what is wrong."""

    line: int
    column: int
    reason: str


class RecipeError(UsageError):
    """A recipe is refused; ``mistakes`` are all of them, in the order of the file."""

    def __init__(self, file: Path, mistakes: tuple[RecipeMistake, ...]) -> None:
        first = mistakes[0]
        count = len(mistakes)
        super().__init__(
            f"the recipe has {'a mistake' if count == 1 else f'{count} mistakes'}",
            where=f"{file}:{first.line}:{first.column}",
            why="; ".join(f"line {m.line}, column {m.column}: {m.reason}" for m in mistakes),
            next_step="docs/recipes.md says what each field holds",
        )
        self.file = file
        self.mistakes = mistakes
        self.line = first.line
        self.column = first.column
        self.reason = first.reason


@dataclass(slots=True)
class NodeReader:
    """Turns nodes into values and gathers mistakes; a wrong value reads as an empty one."""

    file: Path
    mistakes: list[RecipeMistake] = field(default_factory=list)

    def root(self) -> Node | None:
        """The document's root; the mistakes say why there is none."""
        try:
            content = self.file.read_bytes()
        except OSError as error:
            reason = str(error)
            raise RecipeError(
                self.file, (RecipeMistake(line=1, column=1, reason=reason),)
            ) from error
        return self.compose(content)

    def wrong(self, node: Node | None, reason: str) -> None:
        """Gather a mistake at a node; None is the file's start."""
        self.wrong_at(node.start_mark if node is not None else None, reason)

    def wrong_at(self, mark: Mark | CompiledMark | None, reason: str) -> None:
        """Gather a mistake at a mark of PyYAML's, which counts from 0; None is the file's start."""
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.mistakes.append(RecipeMistake(line=line, column=column, reason=reason))

    def compose(self, content: bytes) -> Node | None:
        """The document's root node; what is not YAML is a mistake."""
        import yaml

        if len(content) > LARGEST_RECIPE:
            self.wrong(None, f"the file is larger than {LARGEST_RECIPE} bytes")
            return None
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            text = content.decode("utf-8")
            for event in yaml.parse(text, Loader=loader):
                if isinstance(event, yaml.AliasEvent):
                    self.wrong_at(event.start_mark, "aliases are not taken: write the value out")
                    return None
            node: Node | None = yaml.compose(text, Loader=loader)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            self.mistakes.append(RecipeMistake(line=line, column=1, reason="not UTF-8 text"))
            return None
        except (yaml.YAMLError, RecursionError) as error:
            reason = f"not YAML: {getattr(error, 'problem', None) or error}"
            self.wrong_at(getattr(error, "problem_mark", None), reason)
            return None
        if node is None:
            self.wrong(None, "the file is empty")
        return node

    # -- shapes

    def fields(
        self, node: Node | None, known: tuple[str, ...], required: tuple[str, ...], what: str
    ) -> dict[str, Node]:
        """The values of a mapping by key; unknown, doubled and missing keys are mistakes."""
        import yaml

        pairs = self.pairs(node, what)
        for key, (at, _) in pairs.items():
            if key not in known:
                hint = nearest(key, known)
                self.wrong(at, f"{what} has no {key!r}{hint}")
        missing = [key for key in required if key not in pairs]
        if isinstance(node, yaml.MappingNode):
            for key in missing:
                self.wrong(node, f"{what} lacks {key!r}")
        return {key: value for key, (_, value) in pairs.items() if key in known}

    def pairs(self, node: Node | None, what: str) -> dict[str, tuple[Node, Node]]:
        """Key → (the key's node, the value's node)."""
        import yaml

        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{what} must be a mapping")
            return {}
        pairs: dict[str, tuple[Node, Node]] = {}
        mapping: MappingNode = node
        for key, value in mapping.value:
            if not isinstance(key, yaml.ScalarNode):
                self.wrong(key, f"a key of {what} must be a word")
            elif key.value in pairs:
                self.wrong(key, f"{what} names {key.value!r} twice")
            else:
                pairs[key.value] = (key, value)
        return pairs

    def text(self, node: Node | None, what: str, pattern: re.Pattern[str] | None = None) -> str:
        """A scalar that is text, held to a pattern."""
        import yaml

        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            self.wrong(node, f"{what} must be text")
            return ""
        value: str = node.value
        if not value.strip():
            self.wrong(node, f"{what} must not be empty")
        elif any(ord(letter) < 32 or ord(letter) == 127 for letter in value):  # noqa: PLR2004 - ASCII controls
            self.wrong(node, f"{what} must not hold control characters")
        elif pattern is not None and not pattern.fullmatch(value):
            self.wrong(node, f"{value!r} is no good as {what}")
        return value

    def texts(
        self, node: Node | None, what: str, pattern: re.Pattern[str] | None = None
    ) -> tuple[str, ...]:
        """A list of texts, none of them twice."""
        import yaml

        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, f"{what} must be a list")
            return ()
        found: list[str] = []
        for item in node.value:
            value = self.text(item, f"each of {what}", pattern)
            if value in found:
                self.wrong(item, f"{what} names {value!r} twice")
            found.append(value)
        return tuple(found)

    def truth(self, node: Node | None, what: str) -> bool:
        """A scalar that is true or false; true when it is not there."""
        if node is None:
            return True
        if node.tag != "tag:yaml.org,2002:bool" or node.value not in {"true", "false"}:
            self.wrong(node, f"{what} must be true or false")
        return bool(node.value == "true")

    def nothing(self, node: Node | None) -> bool:
        """Whether a value is YAML's null."""
        return node is not None and node.tag == "tag:yaml.org,2002:null"

    def parsed(self, node: Node | None, value: str, parse: Callable[[str], object]) -> None:
        """Let ``packaging`` read a value; what it refuses is a mistake."""
        try:
            parse(value)
        except ValueError as error:
            self.wrong(node, " ".join(str(error).split()))


def nearest(key: str, known: tuple[str, ...]) -> str:
    """Words that name the known key that a wrong one is like, else all of them."""
    from difflib import get_close_matches

    near = get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(known)}"
