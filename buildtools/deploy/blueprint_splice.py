"""Changes a Blueprint's text at the places that differ, and leaves every other character alone.

A node knows where it begins and ends; what is to be written is put there. Comments, blank lines,
quotes, anchors, indentation and line ends stay as a hand wrote them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from buildtools.deploy.blueprint_reading import composed, fields_of, is_merge, merged

Pairs = Mapping[str, Any]
_ALIAS = re.compile(r"\*[^\s,\]}]+")
_ANCHOR = re.compile(r"&[^\s,\]}]+[ \t]+")
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9 ./_+=@%,()-]*")


def spliced(text: str, wanted: Sequence[Pairs]) -> str:
    """The text with these services in it, each as far as ``wanted`` says.

    ``text`` composes to a mapping. What cannot be changed in place (a service in braces) is written
    as a block.
    """
    root = composed(text)
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise TypeError(root)
    return _Splice(text).run(root, wanted)


def plain(node: yaml.Node) -> Any:
    """A node as plain data; what an alias leads to is shared, not copied."""
    return _plain(node, {})


def fits(node: yaml.Node, wanted: object) -> bool:
    """Whether a value is as it should be."""
    return bool(plain(node) == wanted)


def fits_variable(node: yaml.Node, wanted: Pairs) -> bool:
    """Whether a variable has the source that it should have; its value in previews is its own."""
    there = plain(node)
    if not isinstance(there, dict):
        return False
    return {key: value for key, value in there.items() if key != "previewValue"} == wanted


@dataclass(slots=True)
class _Splice:
    """Gathers the changes of one text."""

    text: str
    changes: list[tuple[int, int, str]] = field(default_factory=list)

    def run(self, root: yaml.MappingNode | None, wanted: Sequence[Pairs]) -> str:
        if root is not None and root.flow_style:
            whole = plain(root)
            whole["services"] = _merged_services(whole.get("services"), wanted)
            self._put(root.start_mark.index, self._end(root), _block(whole, 0))
            return self._applied()
        services = _own(root, "services") if root is not None else None
        if services is None:
            self._append_to_root(wanted)
        elif not _is_block(services[1], yaml.SequenceNode):
            there = plain(services[1])
            self._replace_pair(*services, _merged_services(there, wanted), 0)
        else:
            self._services(*services, wanted)
        return self._applied()

    def _services(self, key: yaml.Node, listed: yaml.Node, wanted: Sequence[Pairs]) -> None:
        for service in wanted:
            found = next((one for one in listed.value if _named(one, service["name"])), None)
            if found is None:
                self._append_item(key, listed, service)
            elif _is_block(found, yaml.MappingNode):
                self._mapping(found, service)
            elif (whole := _merged_service(plain(found), service)) != plain(found):
                column = found.start_mark.column
                self._put(found.start_mark.index, self._end(found), _block(whole, column))

    def _mapping(self, node: yaml.MappingNode, wanted: Pairs) -> None:
        """Bring the fields of one service up to date."""
        column = node.value[0][0].start_mark.column
        inherited = merged(node)
        after = node.value[0]
        for name, value in wanted.items():
            own = _own(node, name)
            if own is None:
                brought = inherited.get(name)
                if brought is None or not fits(brought[1], value):
                    self._insert_line(after, column, {name: value})
                continue
            after = own
            if name == "envVars" and _is_block(own[1], yaml.SequenceNode) and own[1].value:
                self._variables(*own, value)
            elif name == "envVars":
                there = plain(own[1]) or []
                listed = _merged_variables(there, value)
                if listed != there:
                    self._replace_pair(*own, listed, column)
            elif not fits(own[1], value):
                self._replace_pair(*own, value, column)

    def _variables(self, key: yaml.Node, listed: yaml.Node, wanted: Sequence[Pairs]) -> None:
        for variable in wanted:
            found = next((one for one in listed.value if _keyed(one, variable["key"])), None)
            if found is None:
                self._append_item(key, listed, variable)
            elif not fits_variable(found, variable):
                self._variable(found, variable)

    def _variable(self, found: yaml.Node, wanted: Pairs) -> None:
        """Give a variable its source; the lines of another source go."""
        known = {*wanted, "previewValue"}
        if not isinstance(found, yaml.MappingNode) or not _may_lose(found, known):
            whole = _merged_variable(plain(found), wanted)
            column = found.start_mark.column
            self._put(found.start_mark.index, self._end(found), _block(whole, column))
            return
        for key, value in found.value:
            if key.value not in known:
                start = self.text.rfind("\n", 0, key.start_mark.index) + 1
                end = self.text.find("\n", self._end_of_pair(key, value))
                self._put(start, len(self.text) if end < 0 else end + 1, "")
        self._mapping(found, wanted)

    def _replace_pair(self, key: yaml.Node, value: yaml.Node, new: object, column: int) -> None:
        """Give a key another value; an anchor before the old one stays."""
        start, end = self._span(key, value)
        kept = _ANCHOR.match(self.text, start)
        anchor = kept[0] if kept and kept.end() <= end else ""
        if isinstance(new, (dict, list)) and new:
            # A block begins on a line of its own.
            inner = " " * (column + 2)
            block = _block(new, column + 2)
            if start == end:  # nothing stands there but, maybe, a comment
                start = end = self._line_end(end)
            gap = len(self.text[:start].rstrip(" "))
            self._put(gap, end, f" {anchor}".rstrip() + f"\n{inner}{block}")
        else:
            shown = anchor + _scalar(new)
            self._put(start, end, shown if self.text[start - 1 : start] in " \n" else f" {shown}")

    def _append_to_root(self, wanted: Sequence[Pairs]) -> None:
        end = len(self.text.rstrip())
        tail = self.text[end:]
        if self.text[:end].endswith("..."):
            end -= 3
            tail = self.text[end:]
        head = "" if not end or self.text[end - 1] == "\n" else "\n"
        block = "services:\n  " + _block([dict(one) for one in wanted], 2)
        self._put(end, len(self.text), f"{head}{block}" + (tail if tail.strip() else "\n"))

    def _append_item(self, key: yaml.Node, listed: yaml.Node, item: Pairs) -> None:
        """Add to a block list, with the dash where the others have it."""
        column = self._dash(key, listed)
        end = self._line_end(self._end_of_pair(key, listed))
        self._put(end, end, "\n" + " " * column + "- " + _block(dict(item), column + 2))

    def _insert_line(
        self, after: tuple[yaml.Node, yaml.Node], column: int, pair: dict[str, Any]
    ) -> None:
        end = self._line_end(self._end_of_pair(*after))
        self._put(end, end, "\n" + " " * column + _block(pair, column))

    def _dash(self, key: yaml.Node, listed: yaml.Node) -> int:
        """The column of a list's dashes."""
        for item in listed.value:
            if item.start_mark.index > key.end_mark.index:
                line = self.text.rfind("\n", 0, item.start_mark.index) + 1
                return self.text.rindex("-", line, item.start_mark.index) - line
        return int(key.start_mark.column) + 2

    def _span(self, key: yaml.Node, value: yaml.Node) -> tuple[int, int]:
        """Where a key's value stands; an alias stands there instead of what it leads to."""
        colon = self.text.index(":", key.end_mark.index) + 1
        if value.start_mark.index < colon:
            alias = _ALIAS.search(self.text, colon)
            if alias is None:
                raise ValueError(key.value)
            return alias.span()
        return value.start_mark.index, self._end(value)

    def _end_of_pair(self, key: yaml.Node, value: yaml.Node) -> int:
        return max(key.end_mark.index, self._span(key, value)[1])

    def _end(self, node: yaml.Node) -> int:
        """Behind the last character of a node, without the space and comments that follow it."""
        if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
            end = int(node.end_mark.index)
            return max(len(self.text[:end].rstrip()), int(node.start_mark.index))
        if isinstance(node, yaml.MappingNode):
            return max(self._end_of_pair(key, value) for key, value in node.value)
        first = int(node.start_mark.index)
        inside = [self._end(item) for item in node.value if item.start_mark.index >= first]
        aliases = [
            found.end()
            for found in re.finditer(r"^[ \t]*- *\*[^\s,\]}]+", self.text, re.MULTILINE)
            if first <= found.end() <= node.end_mark.index
        ]
        return max([first, *inside, *aliases])

    def _line_end(self, index: int) -> int:
        end = self.text.find("\n", index)
        return len(self.text) if end < 0 else end - (self.text[end - 1 : end] == "\r")

    def _put(self, start: int, end: int, new: str) -> None:
        self.changes.append((start, end, new))

    def _applied(self) -> str:
        ends = "\r\n" if "\r\n" in self.text else "\n"
        text = self.text
        # From behind, so that places before a change still hold; of several at one place, the
        # first stays first.
        ordered = sorted(enumerate(self.changes), key=lambda one: (one[1][0], one[0]))
        for _, (start, end, new) in reversed(ordered):
            text = text[:start] + new.replace("\n", ends) + text[end:]
        return text


def _own(node: yaml.Node, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The pair of a mapping's own key."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == name and not is_merge(key):
                return key, value
    return None


def _is_block(node: yaml.Node, kind: type[yaml.CollectionNode]) -> bool:
    return isinstance(node, kind) and not node.flow_style and bool(node.value)


def _may_lose(node: yaml.MappingNode, known: set[str]) -> bool:
    """Whether its other pairs can go with their lines: it is a block, and none of them leads."""
    return (
        not node.flow_style
        and node.value[0][0].value in known
        and not any(is_merge(key) for key, _ in node.value)
    )


def _named(node: yaml.Node, name: str) -> bool:
    pair = fields_of(node).get("name")
    return pair is not None and pair[1].value == name


def _keyed(node: yaml.Node, name: str) -> bool:
    pair = fields_of(node).get("key")
    return pair is not None and pair[1].value == name


def _merged_services(there: object, wanted: Sequence[Pairs]) -> list[Any]:
    listed = list(there) if isinstance(there, list) else []
    for service in wanted:
        at = _at(listed, "name", service["name"])
        if at is None:
            listed.append(dict(service))
        else:
            listed[at] = _merged_service(listed[at], service)
    return listed


def _merged_service(there: dict[str, Any], wanted: Pairs) -> dict[str, Any]:
    whole = {**there, **wanted}
    if "envVars" in wanted:
        whole["envVars"] = _merged_variables(there.get("envVars") or [], wanted["envVars"])
    return whole


def _merged_variables(there: list[Any], wanted: Sequence[Pairs]) -> list[Any]:
    listed = list(there)
    for variable in wanted:
        at = _at(listed, "key", variable["key"])
        if at is None:
            listed.append(dict(variable))
        else:
            listed[at] = _merged_variable(listed[at], variable)
    return listed


def _merged_variable(there: dict[str, Any], wanted: Pairs) -> dict[str, Any]:
    preview = {"previewValue": there["previewValue"]} if "previewValue" in there else {}
    return {**wanted, **preview}


def _at(listed: Sequence[object], key: str, value: object) -> int | None:
    return next(
        (n for n, item in enumerate(listed) if isinstance(item, dict) and item.get(key) == value),
        None,
    )


def _plain(node: yaml.Node, known: dict[int, Any]) -> Any:
    if id(node) in known:
        return known[id(node)]
    if isinstance(node, yaml.SequenceNode):
        listed: list[Any] = []
        known[id(node)] = listed
        listed += [_plain(item, known) for item in node.value]
        return listed
    if isinstance(node, yaml.MappingNode):
        table: dict[str, Any] = {}
        known[id(node)] = table
        table.update({name: _plain(value, known) for name, (_, value) in fields_of(node).items()})
        return table
    try:
        known[id(node)] = yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError):
        known[id(node)] = node.value  # a tag that is not plain YAML's
    return known[id(node)]


def _block(value: object, column: int) -> str:
    """Block YAML whose first line goes on where it is put; the others stand at ``column``."""
    pad = "\n" + " " * column
    if isinstance(value, dict) and value:
        return pad.join(f"{name}:{_below(inner, column)}" for name, inner in value.items())
    if isinstance(value, list) and value:
        return pad.join(f"- {_block(item, column + 2)}" for item in value)
    return _scalar(value)


def _below(value: object, column: int) -> str:
    if isinstance(value, (dict, list)) and value:
        return "\n" + " " * (column + 2) + _block(value, column + 2)
    return f" {_scalar(value)}"


def _scalar(value: object) -> str:
    """One value on one line; in quotes where YAML would read it as something else."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and not value.endswith(" ") and _is_text(value):
            return value
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _is_text(value: str) -> bool:
    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    return str(tag).endswith(":str")
