"""From operations in order to one set of row changes per table: pure, no database.

The operations of a segment are played on the rows' states in memory; what is left to do is the
difference between the first state and the last, so CREATE, UPDATE, DELETE and CREATE of one key
in one batch end as they would have one by one. An operation that cannot be played (the row that it
creates is there) changes nothing, whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from database_consumer.entities.model import DEFAULT, EntityTable, Key, Row, WholeRow
from database_consumer.handlers import Change, ChangeKind

RowKey = tuple[str, Key]
"""Entity and key."""

_CREATE, _UPDATE, _DELETE = ChangeKind.CREATE, ChangeKind.UPDATE, ChangeKind.DELETE


@dataclass(slots=True)
class TablePlan:
    """What is to be done to one table; keys and rows are sorted by key.

    ``columns`` are the values of the inserts column by column, where they are at hand.
    ``updates`` are by the columns that change: key and new values. ``changed`` and ``gone`` are
    the keys of all rows that are different afterwards, for the cache.
    """

    table: EntityTable
    deletes: list[Key] = field(default_factory=list)
    inserts: list[WholeRow] = field(default_factory=list)
    updates: dict[tuple[str, ...], list[tuple[Key, Row]]] = field(default_factory=dict)
    changed: list[Key] = field(default_factory=list)
    gone: list[Key] = field(default_factory=list)
    columns: Sequence[Sequence[Any]] = ()


@dataclass(slots=True)
class Folded:
    """A segment's plan: tables with parents first, and what became of each operation.

    ``duplicates`` are the places of operations that create a row that is there; ``missing`` of
    those that change rows of which none is there.
    """

    tables: list[TablePlan]
    duplicates: list[int]
    missing: list[int]


class _State:
    """One row while operations are played on it.

    ``row`` is a whole new row, or None: the row of the database, changed by ``values``.
    """

    __slots__ = ("before", "now", "row", "table", "values")

    def __init__(self, table: EntityTable, *, there: bool) -> None:
        self.table = table
        self.before = there
        self.now = there
        self.row: WholeRow | None = None
        self.values: Row = {}

    def create(self, row: WholeRow) -> None:
        """The row is there anew."""
        self.now = True
        self.row = row
        self.values = {}


class Unread(NamedTuple):
    """Keys of a table whose presence must be known.

    Those of ``changed`` are changed or deleted first, so their rows are likely there; those of
    ``created`` are created first, so theirs are likely not.
    """

    table: EntityTable
    changed: list[Key]
    created: list[Key]


def unread_keys(operations: Sequence[tuple[Change, ...]], *, optimistic: bool) -> dict[str, Unread]:
    """The keys whose presence must be known before the operations are played, by entity.

    With ``optimistic`` those that are created first are taken to be absent: the database refuses
    the plan when one is not. Not so those that are deleted later: of them nothing may be left to
    refuse.
    """
    first: dict[RowKey, Change] = {}
    deleted: set[RowKey] = set()
    for changes in operations:
        for change in changes:
            name = (change[1].entity, change[2])
            if name not in first:
                first[name] = change
            elif change[0] is _DELETE:
                deleted.add(name)
    wanted: dict[str, Unread] = {}
    for name, (kind, table, key, _, _) in first.items():
        if optimistic and kind is _CREATE and name not in deleted:
            continue
        unread = wanted.get(name[0])
        if unread is None:
            unread = wanted[name[0]] = Unread(table, [], [])
        (unread.changed if kind is _UPDATE or kind is _DELETE else unread.created).append(key)
    return wanted


def fold_creates(operations: Sequence[tuple[Change, ...]], order: dict[str, int]) -> Folded | None:
    """The plan when every operation creates another single row, all taken to be absent."""
    rows: dict[EntityTable, dict[Key, WholeRow]] = {}
    for changes in operations:
        kind, table, key, row, _ = changes[0]
        if kind is not _CREATE or len(changes) != 1:
            return None
        mine = rows.get(table)
        if mine is None:
            mine = rows[table] = {}
        mine[key] = row
    if sum(map(len, rows.values())) != len(operations):
        return None
    plans = []
    for table, mine in rows.items():
        keys = keys_in_order(mine)
        plans.append(TablePlan(table, inserts=[mine[key] for key in keys], changed=keys))
    plans.sort(key=lambda one: order[one.table.entity])
    return Folded(plans, [], [])


def fold(
    operations: Sequence[tuple[Change, ...]], there: set[RowKey], order: dict[str, int]
) -> Folded:
    """Play the operations on rows of which ``there`` exist; ``order`` puts parents first."""
    states: dict[RowKey, _State] = {}
    duplicates: list[int] = []
    missing: list[int] = []
    for place, changes in enumerate(operations):
        if len(changes) != 1:
            if not _play_bulk(states, there, changes):
                duplicates.append(place)
            elif not _matched(states, changes):
                missing.append(place)
            continue
        kind, table, key, row, values = change = changes[0]
        name = (table.entity, key)
        state = states.get(name)
        if state is None:
            state = states[name] = _State(table, there=name in there)
        if kind is _CREATE:
            if state.now:
                duplicates.append(place)
            else:
                state.create(row)
        elif kind is _UPDATE and state.now:
            state.values = {**state.values, **values} if state.values else values
        elif not _play(state, change):
            missing.append(place)
    return Folded(_difference(states, order), duplicates, missing)


def _play(state: _State, change: Change) -> bool:
    """Play a change that cannot fail; whether there was a row to change."""
    was = state.now
    if change.kind is _DELETE:
        state.now = False
        state.row = None
        state.values = {}
    elif change.kind is _UPDATE:
        if was:
            state.values = {**state.values, **change.values} if state.values else change.values
    elif was:
        table = change.table
        pairs = zip(table.names, change.row, strict=True)
        state.values = {
            **state.values,
            **{name: one for name, one in pairs if one is not DEFAULT and name not in table.key},
        }
    else:
        state.create(change.row)
        return True
    return was


def _play_bulk(
    states: dict[RowKey, _State], there: set[RowKey], changes: tuple[Change, ...]
) -> bool:
    """Play all changes, or none when one creates a row that is there; False then."""
    present: dict[RowKey, bool] = {}
    for change in changes:
        name = (change.table.entity, change.key)
        if name not in present:
            state = states.get(name)
            present[name] = state.now if state is not None else name in there
        if change.kind is _CREATE and present[name]:
            return False
        if change.kind is not _UPDATE:
            present[name] = change.kind is not _DELETE
    for change in changes:
        name = (change.table.entity, change.key)
        state = states.get(name)
        if state is None:
            state = states[name] = _State(change.table, there=name in there)
        if change.kind is _CREATE:
            state.create(change.row)
        else:
            _play(state, change)
    return True


def _matched(states: dict[RowKey, _State], changes: tuple[Change, ...]) -> bool:
    return any(
        change.kind is not _UPDATE or states[(change.table.entity, change.key)].now
        for change in changes
    )


def _difference(states: dict[RowKey, _State], order: dict[str, int]) -> list[TablePlan]:
    plans: dict[str, TablePlan] = {}
    for name in _in_order(states):
        state = states[name]
        entity, key = name
        row = state.row
        if not state.now:
            if not state.before:
                continue
        elif row is None and not state.values:
            continue
        plan = plans.get(entity)
        if plan is None:
            plan = plans[entity] = TablePlan(state.table)
        if state.before and (row is not None or not state.now):
            plan.deletes.append(key)
        if not state.now:
            plan.gone.append(key)
            continue
        plan.changed.append(key)
        if row is not None:
            plan.inserts.append(_with(state.table, row, state.values) if state.values else row)
        else:
            columns = tuple(sorted(state.values))
            plan.updates.setdefault(columns, []).append((key, state.values))
    return sorted(plans.values(), key=lambda one: order[one.table.entity])


def _with(table: EntityTable, row: WholeRow, values: Row) -> WholeRow:
    return tuple([values.get(name, one) for name, one in zip(table.names, row, strict=True)])


def keys_in_order(keys: Iterable[Key]) -> list[Key]:
    """Sorted, also where one column holds integers and texts."""
    ordered = list(keys)
    try:
        ordered.sort()
    except TypeError:
        ordered.sort(key=lambda key: [(type(one).__name__, one) for one in key])
    return ordered


def _in_order(states: Iterable[RowKey]) -> list[RowKey]:
    """By entity and key: every writer takes its locks in the same order."""
    names = list(states)
    try:
        names.sort()
    except TypeError:  # integers and texts in one column
        names.sort(key=_by_type)
    return names


def _by_type(name: RowKey) -> tuple[str, list[tuple[str, Any]]]:
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
        first = changes[0].table
        if len(changes) == 1 and first.exact_text and not first.unique:
            continue
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
    """What a change does to the values of unique columns."""
    if change.kind is _CREATE:
        return "claims"
    if change.kind is _DELETE:
        return "frees"
    if change.kind is _UPDATE:
        unique = {name for group in change.table.unique for name in group}
        return "both" if unique & change.values.keys() else ""
    return "both"
