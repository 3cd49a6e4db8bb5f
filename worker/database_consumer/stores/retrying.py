"""Tries parked operations again, and puts dead letters back among them; in their order per key."""

from __future__ import annotations

from collections.abc import Sequence

from database_consumer.entities.model import Catalogue
from database_consumer.failures import TransientFailure
from database_consumer.handlers import Handlers
from database_consumer.stores.applying import TRIES, death_of
from database_consumer.stores.base import Record, RetryOutcome, StorePolicy, StoreUnavailable
from database_consumer.stores.item import Item
from database_consumer.stores.prepared import prepare
from database_consumer.stores.running import Outcome, Refusal, Run, stack_of
from database_consumer.stores.transaction import CommitUnknown, Ledger, Parked, Parking


class Retrier:
    """Works through one ledger; one thread at a time."""

    def __init__(
        self, ledger: Ledger, catalogue: Catalogue, handlers: Handlers, policy: StorePolicy
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._handlers = handlers
        self._policy = policy

    def retry(self, group: str, now: float, limit: int) -> RetryOutcome:
        """See :meth:`database_consumer.stores.base.Store.retry_parked`."""
        for _ in range(TRIES):
            try:
                outcome = self._transaction(group, now, limit)
                self._commit()
            except TransientFailure:
                self._ledger.rollback()
            except BaseException:
                self._ledger.rollback()
                raise
            else:
                return outcome
        raise StoreUnavailable(f"lost against other transactions {TRIES} times in a row")

    def _commit(self) -> None:
        try:
            self._ledger.commit()
        except CommitUnknown as error:
            # Whether it happened or not, what is parked now says it: come again.
            raise StoreUnavailable(f"the connection was lost during a commit: {error}") from error

    def _transaction(self, group: str, now: float, limit: int) -> RetryOutcome:
        ledger = self._ledger
        ledger.begin()
        group_id = ledger.lock_group(group)
        if group_id is None:
            return RetryOutcome()
        due = ledger.due_ids(group_id, now, limit)
        if not due:
            return RetryOutcome(next_due=ledger.next_due(group_id))
        chain = self._chain(group_id, due, limit)
        parked = ledger.load_parked(chain)
        items = [self._item(one) for one in parked]
        invalid = [one for one in items if one.invalid is not None]
        version = ledger.version_after(sorted({one.stream_id for one in parked}), now)
        run = Run(
            ledger,
            self._catalogue,
            self._policy,
            version=version,
            now=now,
            blocked=set(),
            size=max(len(items), self._policy.share_guard_from),
        )
        run.halving([one for one in items if one.invalid is None])
        outcome = run.outcome
        outcome.dead += [
            Refusal(one, one.invalid.code, str(one.invalid), stack_of(one.invalid))
            for one in invalid
            if one.invalid is not None
        ]
        return self._settle(group, group_id, outcome, now)

    def _chain(self, group_id: int, due: list[int], limit: int) -> list[int]:
        """Those of the due ones that may run, and what queues directly behind them.

        An operation may run when every earlier one that holds one of its keys runs before it.
        """
        ledger = self._ledger
        reach = 4 * limit
        held = ledger.keys_of(due)
        keys = sorted({key for one in held.values() for key in one})
        candidates = ledger.holders(group_id, keys, reach) if keys else []
        held.update(ledger.keys_of(candidates))
        may_run = set(held)
        others = sorted({key for one in held.values() for key in one} - set(keys))
        earlier = ledger.holders(group_id, others, reach) if others else []
        held.update(ledger.keys_of(earlier))
        # A list that was cut off says nothing about what stands behind its end.
        known = min(
            (found[-1] for found in (candidates, earlier) if len(found) >= reach),
            default=max(held),
        )
        ready = set(due)
        runs: list[int] = []
        waiting: set[bytes] = set()
        free: set[bytes] = set()
        for ident in sorted(held):
            mine = held[ident]
            if (
                len(runs) < limit
                and ident <= known
                and ident in may_run
                and (ident in ready or not free.isdisjoint(mine))
                and waiting.isdisjoint(mine)
            ):
                runs.append(ident)
                free.update(mine)
            else:
                waiting.update(mine)
        return runs

    def _item(self, parked: Parked) -> Item:
        item = prepare(parked.record, self._catalogue, self._handlers)
        item.operation_id = parked.operation_id
        item.ident = parked.id
        item.attempts = parked.attempts
        item.stream_id = parked.stream_id
        return item

    def _settle(self, group: str, group_id: int, outcome: Outcome, now: float) -> RetryOutcome:
        again: list[tuple[Refusal, float]] = []
        deaths = [(one, max(one.item.attempts, 0)) for one in outcome.dead]
        for refusal in outcome.parked:
            made = refusal.item.attempts + 1
            delay = self._policy.retry.delay(made)
            if delay is None:
                deaths.append((refusal, made))
            else:
                again.append((refusal, now + delay))
        ledger = self._ledger
        if deaths:
            deaths.sort(key=lambda one: one[0].item.ident)
            ledger.bury(group, [death_of(one, attempts=made) for one, made in deaths], now)
        for refusal, due_at in again:
            ledger.postpone(refusal.item.ident, attempts=refusal.item.attempts + 1, due_at=due_at)
        gone = [one.ident for one in outcome.applied] + [one.item.ident for one, _ in deaths]
        if gone:
            ledger.unpark(group_id, sorted(gone), now)
        return RetryOutcome(
            applied=len(outcome.applied),
            again=len(again),
            dead=len(deaths),
            next_due=ledger.next_due(group_id),
        )

    def replay(self, ids: Sequence[int], now: float) -> int:
        """See :meth:`database_consumer.stores.base.Store.replay`."""
        ledger = self._ledger
        try:
            ledger.begin()
            letters = ledger.unreplayed(sorted(set(ids)))
            for letter, group_id, stream_id in letters:
                record = Record(
                    letter.topic,
                    letter.partition,
                    letter.offset,
                    letter.key,
                    letter.value,
                    letter.timestamp_ms,
                    letter.headers,
                )
                item = prepare(record, self._catalogue, self._handlers)
                queues = bool(ledger.parked_keys(group_id, item.held()))
                parking = Parking(
                    attempts=-1,
                    record=record,
                    operation_id=letter.operation_id,
                    keys=item.held(),
                    due_at=None if queues else now,
                    code="replayed",
                    message=f"replay of dead letter {letter.id}",
                    stack="",
                )
                ledger.park(group_id, stream_id, [parking], now)
            ledger.mark_replayed([one.id for one, _, _ in letters], now)
            self._commit()
        except TransientFailure as error:
            ledger.rollback()
            raise StoreUnavailable(str(error)) from error
        except BaseException:
            ledger.rollback()
            raise
        return len(letters)
