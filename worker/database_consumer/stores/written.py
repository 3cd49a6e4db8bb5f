"""Rows that a committed batch created, kept for the cache: they need not be read again.

The cache must hold what the table holds, not what a message said. So a row is kept only when every
value of it stands in a column that gives back what was written (:class:`Faithful`); of all others
the table is asked, as it is after a restart. What is kept is only a short cut: it may be forgotten
at any time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from database_consumer.entities.model import EntityTable, Key, WholeRow

ROWS_KEPT = 20_000
"""As many as the intake queues: the relay is about as far behind as that, or the cache is away."""

_MOMENT_LENGTH = 26


class Echo(Enum):
    """How what was written into a column reads again."""

    NULL = "of another kind, so only null is known"
    TEXT = "the same text"
    WHOLE = "the same whole number"
    TRUTH = "0 or 1, which is false or true"
    MOMENT = "the same moment, with six digits of a second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faithful:
    """Of each column of a table, in its order: how it reads, how long it may be, whether null.

    ``limits`` are characters; -1: any length.
    """

    echoes: tuple[Echo, ...]
    limits: tuple[int, ...]
    nullable: tuple[bool, ...]


class Written:
    """Rows that one transaction created in a table, all as ``version``."""

    __slots__ = ("_faithful", "_rows", "_texts", "count", "table", "version")

    def __init__(
        self, table: EntityTable, version: int, rows: Sequence[WholeRow], faithful: Faithful
    ) -> None:
        self.table = table
        self.version = version
        self.count = len(rows)
        self._rows = rows
        self._faithful = faithful
        self._texts: dict[Key, bytes] | None = None

    def texts(self) -> dict[Key, bytes]:
        """JSON of those that the table holds as they were written, as the cache takes it."""
        if self._texts is None:
            self._texts = self._written()
            self._rows = ()
        return self._texts

    def _written(self) -> dict[Key, bytes]:
        columns: list[Sequence[Any]] = list(zip(*self._rows, strict=True))
        faithful = self._faithful
        others: set[int] = set()
        for place, column in enumerate(columns):
            if column.count(None) == len(column) and faithful.nullable[place]:
                continue
            echo = faithful.echoes[place]
            if not _usual(column, echo, faithful.limits[place]):
                others.update(_unusual(column, faithful, place))
            if echo is Echo.TRUTH:
                columns[place] = [None if one is None else bool(one) for one in column]
            elif echo is Echo.MOMENT:
                columns[place] = [
                    None if one is None else f"{str(one).replace(' ', 'T')}Z" for one in column
                ]
        keys = map(self.table.key_in_row, self._rows)
        texts = self.table.json_rows(zip(*columns, strict=True))
        if not others:
            return dict(zip(keys, texts, strict=True))
        pairs = enumerate(zip(keys, texts, strict=True))
        return {key: text for place, (key, text) in pairs if place not in others}


def _usual(column: Sequence[Any], echo: Echo, limit: int) -> bool:
    """Whether every value of the column reads as ``echo`` says; quick, and never wrongly True."""
    kinds = set(map(type, column))
    if echo is Echo.TEXT or echo is Echo.MOMENT:
        if kinds != {str}:
            return False
        longest = max(map(len, column))
        return longest <= limit if echo is Echo.TEXT else _moments(column)
    return echo is not Echo.NULL and kinds == {int}


def _moments(column: Sequence[str]) -> bool:
    return set(map(len, column)) == {_MOMENT_LENGTH}


def _unusual(column: Sequence[Any], faithful: Faithful, place: int) -> list[int]:
    """The places of the values that may read otherwise."""
    echo, limit = faithful.echoes[place], faithful.limits[place]
    return [
        number
        for number, one in enumerate(column)
        if not (faithful.nullable[place] if one is None else _usual((one,), echo, limit))
    ]


class WrittenRows:
    """What was written of late: appliers put it in, the relay takes it out. Any thread may."""

    def __init__(self, most: int = ROWS_KEPT) -> None:
        self._most = most
        self._rows = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], list[Written]] = OrderedDict()

    def keep(self, written: Sequence[Written]) -> None:
        """Remember these, and forget the oldest when it becomes too much."""
        with self._lock:
            for one in written:
                self._kept.setdefault((one.table.entity, one.version), []).append(one)
                self._rows += one.count
            while self._rows > self._most:
                self._forget(next(iter(self._kept)))

    def take(self, entity: str, version: int, keys: Sequence[Key]) -> dict[Key, bytes]:
        """JSON of those of the rows that were created as this version; each is given once."""
        name = (entity, version)
        with self._lock:
            some = self._kept.get(name)
            if some is None:
                return {}
            taken: dict[Key, bytes] = {}
            for one in some:
                texts = one.texts()
                for key in keys:
                    text = texts.pop(key, None)
                    if text is not None:
                        taken[key] = text
            if not any(one.texts() for one in some):
                self._forget(name)
            return taken

    def _forget(self, name: tuple[str, int]) -> None:
        self._rows -= sum(one.count for one in self._kept.pop(name))
