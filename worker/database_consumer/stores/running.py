"""Runs operations inside a transaction: as a set, and by halves where the database refuses.

The whole list is tried first, as one set. Refused, it is read carefully and tried again, then
halved: the left half is done before the right one, so that order per key holds, and an operation
that stands alone is judged. What is refused for good is a dead letter, what time may mend is parked
with its keys, and later operations of those keys queue behind it.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import repeat

from database_consumer.batching import Folded, TablePlan, fold, fold_creates, segments, unread_keys
from database_consumer.entities.model import Catalogue, Key
from database_consumer.failures import FailureKind, RecordFailure, Verdict
from database_consumer.stores.base import StorePolicy, StoreUnavailable
from database_consumer.stores.creates import CreateSet
from database_consumer.stores.item import Item
from database_consumer.stores.transaction import Ledger
from database_consumer.stores.written import Written

STACK_BYTES = 8 << 10
"""Of a dead letter's stack: growing headers have ended in RecordTooLarge."""

MESSAGE_CHARACTERS = 2_000

_DUPLICATE = Verdict(kind=FailureKind.PERMANENT, code="duplicate-key")
_MISSING = Verdict(kind=FailureKind.MAY_MEND, code="row-missing")


@dataclass(slots=True)
class Refusal:
    """Why an operation was not applied."""

    item: Item
    code: str
    message: str
    stack: str


@dataclass(slots=True)
class Outcome:
    """What became of the operations of one transaction; each stands in one of the lists.

    ``queued`` wait behind a parked one. ``written`` are rows that need not be read for the cache.
    """

    applied: list[Item] = field(default_factory=list)
    dead: list[Refusal] = field(default_factory=list)
    parked: list[Refusal] = field(default_factory=list)
    queued: list[Item] = field(default_factory=list)
    unmatched: int = 0
    intents: int = 0
    written: list[Written] = field(default_factory=list)


class RefusedAsSet(Exception):
    """The set was refused; nothing of it is decided."""


def stack_of(error: BaseException) -> str:
    """Where an error came from and what caused it, its end, within :data:`STACK_BYTES`.

    Written by hand: the standard formatter looks up every source line, a millisecond for each of
    what may be thousands of dead letters.
    """
    chain: list[str] = []
    one: BaseException | None = error
    while one is not None:
        lines = [
            f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}'
            for frame, line in traceback.walk_tb(one.__traceback__)
        ]
        message = str(one)[:MESSAGE_CHARACTERS]
        chain.append("\n".join([*lines, f"{type(one).__qualname__}: {message}"]))
        one = one.__cause__
    text = "\nwhich was the cause of\n".join(reversed(chain))
    return text.encode(errors="replace")[-STACK_BYTES:].decode(errors="ignore")


class Run:
    """One transaction's worth of operations."""

    def __init__(
        self,
        ledger: Ledger,
        catalogue: Catalogue,
        policy: StorePolicy,
        *,
        version: int,
        now: float,
        blocked: set[bytes],
        size: int,
    ) -> None:
        self._ledger = ledger
        self._order = catalogue.order
        self._policy = policy
        self._version = version
        self._now = now
        self._blocked = blocked
        self._size = size
        self._suspicious = 0
        self.outcome = Outcome()

    def creates(self, some: CreateSet) -> bool:
        """All of it as one set of rows; False: nothing was done, take its items.

        They are in none of the outcome's lists. Raises :class:`RefusedAsSet`.
        """
        plan = None if self._blocked else some.plan()
        if plan is None:
            return False
        if self._carried_out(Folded([plan], [], []), self._version, optimistic=True) is None:
            raise RefusedAsSet
        return True

    def whole(self, items: Sequence[Item], *, optimistic: bool) -> None:
        """All of it as sets, without a way back. Raises :class:`RefusedAsSet`."""
        for some in self._segments(self._unblocked(items)):
            folded = self._folded(some, optimistic=optimistic)
            if folded is None:
                raise RefusedAsSet
            self._decide(some, folded)

    def halving(self, items: Sequence[Item]) -> None:
        """The same with a savepoint around each set; every operation is decided afterwards."""
        for some in self._segments(self._unblocked(items)):
            self._halve(some)

    def _segments(self, items: list[Item]) -> list[list[Item]]:
        return [items[start:end] for start, end in segments([one.changes for one in items])]

    def _unblocked(self, items: Sequence[Item]) -> list[Item]:
        """Without those whose keys wait; they queue, and their own keys wait with them."""
        if not self._blocked:
            return list(items)
        free: list[Item] = []
        for item in items:
            if self._blocked.isdisjoint(item.held()):
                free.append(item)
            else:
                self._blocked.update(item.held())
                self.outcome.queued.append(item)
        return free

    def _halve(self, items: list[Item]) -> None:
        items = self._unblocked(items)
        if not items:
            return
        failure = self._tried(items)
        if failure is None:
            return
        if len(items) == 1:
            self._judge(items[0], failure)
            return
        middle = len(items) // 2
        self._halve(items[:middle])
        self._halve(items[middle:])

    def _tried(self, items: list[Item]) -> RecordFailure | None:
        """Do them as a set, or leave everything as it was and give the reason."""
        self._ledger.savepoint()
        try:
            folded = self._folded(items, optimistic=False, alone=len(items) == 1)
        except RecordFailure as failure:
            self._ledger.back_to_savepoint()
            return failure
        self._ledger.release()
        if folded is not None:
            self._decide(items, folded)
        return None

    def _folded(
        self, items: Sequence[Item], *, optimistic: bool, alone: bool = False
    ) -> Folded | None:
        """Play the operations and carry the difference out.

        Optimistic, it gives None when the operations must be played with more knowledge.
        """
        operations = [one.changes for one in items]
        quick = fold_creates(operations, self._order) if optimistic else None
        if quick is not None:
            return self._carried_out(quick, self._version, optimistic=True)
        there: set[tuple[str, Key]] = set()
        version = self._version
        wanted = unread_keys(operations, optimistic=optimistic)
        for entity in sorted(wanted):
            table, changed, created = wanted[entity]
            found = self._ledger.present(table, changed, likely=True) if changed else {}
            if created:
                found |= self._ledger.present(table, created, likely=False)
            there.update(zip(repeat(entity), found, strict=False))
            version = max(version, max(found.values(), default=0) + 1)
        folded = fold(operations, there, self._order)
        if optimistic and folded.duplicates:
            return None
        if folded.missing and self._policy.park_missing_rows:
            if optimistic or not alone:
                raise RecordFailure(_MISSING, "some rows are not there")
            raise RecordFailure(_MISSING, "the row to change is not there")
        return self._carried_out(folded, version, optimistic=optimistic)

    def _carried_out(self, folded: Folded, version: int, *, optimistic: bool) -> Folded | None:
        if folded.tables:
            try:
                self._ledger.execute(folded.tables, version)
            except RecordFailure:
                if optimistic:
                    return None
                raise
            if self._policy.cache:
                self.outcome.intents += self._ledger.note_touched(folded.tables, version, self._now)
                self._keep(folded.tables, version)
        return folded

    def _keep(self, tables: Sequence[TablePlan], version: int) -> None:
        for plan in tables:
            faithful = self._ledger.faithful(plan.table) if plan.inserts else None
            if faithful is not None:
                self.outcome.written.append(Written(plan.table, version, plan.inserts, faithful))

    def _decide(self, items: Sequence[Item], folded: Folded) -> None:
        self.outcome.unmatched += len(folded.missing)
        if not folded.duplicates:
            self.outcome.applied.extend(items)
            return
        refused = set(folded.duplicates)
        for place, item in enumerate(items):
            if place in refused:
                message = f"a row that it creates is there already: {_named(item)}"
                self.outcome.dead.append(Refusal(item, _DUPLICATE.code, message, ""))
            else:
                self.outcome.applied.append(item)

    def _judge(self, item: Item, failure: RecordFailure) -> None:
        verdict = failure.verdict
        refusal = Refusal(item, verdict.code, str(failure)[:MESSAGE_CHARACTERS], stack_of(failure))
        if verdict.kind is FailureKind.MAY_MEND:
            self._blocked.update(item.held())
            self.outcome.parked.append(refusal)
            return
        if not verdict.certain:
            self._suspicious += 1
            self._guard(failure)
        self.outcome.dead.append(refusal)

    def _guard(self, failure: RecordFailure) -> None:
        policy = self._policy
        count = self._suspicious
        if count >= policy.share_guard_from and count > policy.share_guard * self._size:
            raise StoreUnavailable(
                f"the database refused {count} of {self._size} operations, more than a share of "
                f"{policy.share_guard:g}; taken for its own trouble, nothing was applied. "
                f"The last reason: {str(failure)[:500]}"
            )


def _named(item: Item) -> str:
    change = item.changes[0]
    more = f" and {len(item.changes) - 1} more" if len(item.changes) > 1 else ""
    return f"{change.table.entity} {change.table.key_text(change.key)}{more}"
