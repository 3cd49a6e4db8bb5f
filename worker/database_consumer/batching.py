"""From operations in order to one set of row changes per table: pure, no database.

The operations of a segment are played on the rows' states in memory; what is left to do is the
difference between the first state and the last, so CREATE, UPDATE, DELETE and CREATE of one key
in one batch end as they would have one by one. An operation that cannot be played (the row that it
creates is there) changes nothing, whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from database_consumer.entities.model import EntityTable, Key, Row
from database_consumer.handlers import Change, ChangeKind

RowKey = tuple[str, Key]
"""Entity and canonical key: what order is kept by."""


@dataclass(slots=True)
class TablePlan:
    """What is to be done to one table; keys and rows are sorted by key."""

    table: EntityTable
    deletes: list[Key] = field(default_factory=list)
    inserts: list[Row] = field(default_factory=list)
    updates: dict[tuple[str, ...], list[tuple[Key, Row]]] = field(default_factory=dict)
    """By the columns that change."""


class Touched(NamedTuple):
    """A row that a plan changes, for the cache."""

    table: EntityTable
    key: Key
    gone: bool


@dataclass(slots=True)
class Folded:
    """A segment's plan: tables with parents first, and what became of each operation.

    ``duplicates`` are the places of operations that create a row that is there; ``missing`` of
    those that change rows of which none is there.
    """

    tables: list[TablePlan]
    touched: list[Touched]
    duplicates: list[int]
    missing: list[int]


class _State:
    """One row while operations are played on it."""

    __slots__ = ("before", "key", "now", "recreated", "table", "values")

    def __init__(self, table: EntityTable, key: Key, *, there: bool) -> None:
        self.table = table
        self.key = key
        self.before = there
        self.now = there
        self.recreated = False
        self.values: Row = {}


def unread_keys(
    operations: Iterable[tuple[Change, ...]], *, optimistic: bool
) -> dict[str, tuple[EntityTable, list[Key]]]:
    """The keys whose presence must be known before the operations are played, by entity.

    With ``optimistic`` those that are created first are taken to be absent: the database refuses
    the plan when one is not. Not so those that are deleted later: of them nothing may be left to
    refuse.
    """
    seen: set[tuple[str, Key]] = set()
    operations = list(operations)
    deleted = {
        (change.table.entity, change.key)
        for changes in operations
        for change in changes
        if change.kind is ChangeKind.DELETE
    }
    wanted: dict[str, tuple[EntityTable, list[Key]]] = {}
    for changes in operations:
        for change in changes:
            table = change.table
            place = (table.entity, change.key)
            if place in seen:
                continue
            seen.add(place)
            if optimistic and change.kind is ChangeKind.CREATE and place not in deleted:
                continue
            entry = wanted.get(table.entity)
            if entry is None:
                entry = wanted[table.entity] = (table, [])
            entry[1].append(change.key)
    return wanted


def fold(
    operations: Sequence[tuple[Change, ...]],
    there: set[tuple[str, Key]],
    order: dict[str, int],
) -> Folded:
    """Play the operations on rows of which ``there`` exist; ``order`` puts parents first."""
    states: dict[tuple[str, Key], _State] = {}
    duplicates: list[int] = []
    missing: list[int] = []
    for place, changes in enumerate(operations):
        if len(changes) == 1:
            change = changes[0]
            name = (change.table.entity, change.key)
            state = states.get(name)
            if state is None:
                state = states[name] = _State(change.table, change.key, there=name in there)
            if change.kind is ChangeKind.CREATE:
                if state.now:
                    duplicates.append(place)
                else:
                    _create(state, change.values)
            elif not _play(state, change):
                missing.append(place)
        elif not _play_bulk(states, there, changes):
            duplicates.append(place)
        elif not _matched(states, changes):
            missing.append(place)
    return _difference(states, duplicates, missing, order)


def _create(state: _State, values: Row) -> None:
    state.recreated = state.before
    state.now = True
    state.values = dict(values)


def _play(state: _State, change: Change) -> bool:
    """Play a change that cannot fail; whether there was a row to change."""
    if change.kind is ChangeKind.DELETE:
        was = state.now
        state.now = False
        state.values = {}
        return was
    if change.kind is ChangeKind.UPDATE:
        if state.now:
            state.values.update(change.values)
        return state.now
    if not state.now:
        _create(state, change.values)
    else:
        values = {name: change.values[name] for name in change.table.rest if name in change.values}
        state.values.update(values)
    return True


def _play_bulk(
    states: dict[tuple[str, Key], _State],
    there: set[tuple[str, Key]],
    changes: tuple[Change, ...],
) -> bool:
    """Play all changes, or none when one creates a row that is there; False then."""
    present: dict[tuple[str, Key], bool] = {}
    for change in changes:
        name = (change.table.entity, change.key)
        if name not in present:
            state = states.get(name)
            present[name] = state.now if state is not None else name in there
        if change.kind is ChangeKind.CREATE and present[name]:
            return False
        if change.kind in {ChangeKind.CREATE, ChangeKind.PUT}:
            present[name] = True
        elif change.kind is ChangeKind.DELETE:
            present[name] = False
    for change in changes:
        name = (change.table.entity, change.key)
        state = states.get(name)
        if state is None:
            state = states[name] = _State(change.table, change.key, there=name in there)
        if change.kind is ChangeKind.CREATE:
            _create(state, change.values)
        else:
            _play(state, change)
    return True


def _matched(states: dict[tuple[str, Key], _State], changes: tuple[Change, ...]) -> bool:
    return any(
        change.kind is not ChangeKind.UPDATE or states[(change.table.entity, change.key)].now
        for change in changes
    )


def _difference(
    states: dict[tuple[str, Key], _State],
    duplicates: list[int],
    missing: list[int],
    order: dict[str, int],
) -> Folded:
    plans: dict[str, TablePlan] = {}
    touched: list[Touched] = []
    for entity, key in sorted(states, key=_sorting):
        state = states[(entity, key)]
        if not state.now and not state.before:
            continue
        if state.now and state.before and not state.recreated and not state.values:
            continue
        plan = plans.get(entity)
        if plan is None:
            plan = plans[entity] = TablePlan(state.table)
        touched.append(Touched(state.table, key, not state.now))
        if state.before and (state.recreated or not state.now):
            plan.deletes.append(key)
        if state.now and (state.recreated or not state.before):
            plan.inserts.append(state.values)
        elif state.now:
            columns = tuple(sorted(state.values))
            plan.updates.setdefault(columns, []).append((key, state.values))
    ordered = sorted(plans.values(), key=lambda one: order[one.table.entity])
    return Folded(tables=ordered, touched=touched, duplicates=duplicates, missing=missing)


def _sorting(name: tuple[str, Key]) -> tuple[str, list[tuple[str, object]]]:
    return name[0], [(type(one).__name__, one) for one in name[1]]


def segments(operations: Sequence[tuple[Change, ...]]) -> list[tuple[int, int]]:
    """Where the operations must be cut so that each part may be applied as a set.

    Two reasons to cut: two different keys that the database may take for one row, and a table
    with a unique column beside its key, in which values are given up and claimed: there the
    order decides which operation is refused.
    """
    cuts: list[tuple[int, int]] = []
    start = 0
    names: dict[RowKey, Key] = {}
    claims: dict[str, str] = {}
    for place, changes in enumerate(operations):
        if place > start and _must_cut(changes, names, claims):
            cuts.append((start, place))
            start = place
            names.clear()
            claims.clear()
        for change in changes:
            table = change.table
            if not table.exact_text:
                names[(table.entity, table.canonical(change.key))] = change.key
            if table.unique and (claim := _claim(change)):
                claims[table.entity] = claim
    if start < len(operations):
        cuts.append((start, len(operations)))
    return cuts


def _must_cut(
    changes: tuple[Change, ...], names: dict[RowKey, Key], claims: dict[str, str]
) -> bool:
    for change in changes:
        table = change.table
        if not table.exact_text:
            other = names.get((table.entity, table.canonical(change.key)))
            if other is not None and other != change.key:
                return True
        if table.unique:
            before, claim = claims.get(table.entity), _claim(change)
            if before and claim and (claim == "both" or before != claim):
                return True
    return False


def _claim(change: Change) -> str:
    if change.kind is ChangeKind.CREATE:
        return "claims"
    if change.kind is ChangeKind.DELETE:
        return "frees"
    unique = {name for group in change.table.unique for name in group}
    return "both" if unique & change.values.keys() else ""
