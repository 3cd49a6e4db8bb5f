"""What every store must do; each store's tests run all of it through a fixture ``make``.

Long because it is the whole contract in one place.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import sqlalchemy as sa

from contract.stage import GROUP, Feed, Make, Setup, operation, reasons, rows, user
from database_consumer.handlers import Handlers, put
from database_consumer.retry import RetryPolicy
from database_consumer.stores.base import (
    Applied,
    Fenced,
    Position,
    Store,
    StorePolicy,
    StoreUnavailable,
    TopicRecreated,
)


@pytest.fixture
def store(make: Make) -> Store:
    return make(Setup())


@pytest.fixture
def feed(store: Store) -> Feed:
    return Feed(store)


# -- operations


def test_a_batch_of_many_statements_is_counted_once(store: Store, feed: Feed) -> None:
    """More rows than one statement takes, and a rest; ids that were seen among new ones."""
    first = [operation("CREATE", user(n), op=f"op-{n}") for n in range(620)]
    result = feed.apply(*first, first[5])
    assert isinstance(result, Applied)
    assert (result.won, result.duplicates, result.dead) == (620, 1, 0)
    second = [operation("CREATE", user(n), op=f"op-{n}") for n in range(300, 900)]
    result = feed.apply(*second)
    assert isinstance(result, Applied)
    assert (result.won, result.duplicates, result.dead) == (280, 320, 0)
    assert set(rows(store)) == {str(n) for n in range(900)}


def test_each_type_does_what_it_says(store: Store, feed: Feed) -> None:
    result = feed.apply(
        operation("CREATE", user(1)),
        operation("CREATE", user(2)),
        operation("UPDATE", {"id": 1, "name": "Grace"}),
        operation("DELETE", {"id": 2}),
        operation("BULK_CREATE", [user(3), user("u-4")]),
        operation("BULK_UPDATE", [{"id": 3, "role": "a"}, {"id": "u-4", "role": "b"}]),
    )
    assert result == Applied(
        position=Position(next_offset=6), won=6, duplicates=0, dead=0, parked=0, intents=3
    )
    found = rows(store)
    assert set(found) == {"1", "3", "u-4"}
    assert found["1"]["name"] == "Grace"
    assert (found["3"]["role"], found["u-4"]["role"]) == ("a", "b")
    assert store.position(GROUP, feed.topic, 0) == Position(next_offset=6)


def test_create_update_delete_create_in_one_batch_ends_created(store: Store, feed: Feed) -> None:
    feed.apply(
        operation("CREATE", user(1, "first", phone="1")),
        operation("UPDATE", {"id": 1, "name": "second"}),
        operation("DELETE", {"id": 1}),
        operation("CREATE", user(1, "third")),
        operation("UPDATE", {"id": 1, "role": "r"}),
    )
    row = rows(store)["1"]
    assert (row["name"], row["phone"], row["role"]) == ("third", None, "r")


def test_delete_then_create_of_a_row_that_is_there_replaces_it(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1, phone="1")))
    feed.apply(operation("DELETE", {"id": 1}), operation("CREATE", user(1, "new")))
    row = rows(store)["1"]
    assert (row["name"], row["phone"]) == ("new", None)


def test_create_then_delete_of_a_row_that_is_there_deletes_it(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1)))
    result = feed.apply(operation("CREATE", user(1, "x")), operation("DELETE", {"id": 1}))
    assert result.dead == 1
    assert rows(store) == {}


def test_an_update_changes_only_the_columns_that_it_names(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1, phone="5", role="r")))
    feed.apply(
        operation("UPDATE", {"id": 1, "role": "new"}), operation("UPDATE", {"id": 1, "name": "N"})
    )
    row = rows(store)["1"]
    assert (row["name"], row["email"], row["phone"], row["role"]) == (
        "N",
        "ada@example.org",
        "5",
        "new",
    )


def test_changing_a_row_that_is_not_there_changes_nothing_and_is_counted(
    store: Store, feed: Feed
) -> None:
    result = feed.apply(operation("UPDATE", {"id": 9, "name": "x"}), operation("DELETE", {"id": 8}))
    assert (result.won, result.unmatched, result.dead, result.parked) == (2, 2, 0, 0)
    assert rows(store) == {}


def test_a_bulk_is_applied_whole_or_not_at_all(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(2)))
    result = feed.apply(
        operation("BULK_CREATE", [user(1), user(2), user(3)]),
        operation("BULK_CREATE", [user(4), {"id": 5, "name": None, "email": "e"}]),
        operation("BULK_CREATE", [user(6), user(6)]),
    )
    assert result.dead == 3
    assert set(rows(store)) == {"2"}
    assert reasons(store) == ["duplicate-key", "not-null", "duplicate-key"]


def test_a_handler_of_ones_own_adds_a_type(make: Make) -> None:
    handlers = Handlers.standard()
    handlers.register("UPSERT", lambda table, data: (put(table, data),))
    store = make(Setup(handlers=handlers))
    feed = Feed(store)
    feed.apply(operation("UPSERT", user(1, "a")), operation("UPSERT", user(1, "b")))
    feed.apply(operation("UPSERT", user(1, "c")), operation("UPSERT", user(2, "d")))
    assert {key: row["name"] for key, row in rows(store).items()} == {"1": "c", "2": "d"}


def test_camel_case_and_snake_case_name_the_same_column(store: Store, feed: Feed) -> None:
    feed.apply(
        operation("CREATE", user(1, birthDate="2001-02-03")),
        operation("CREATE", user(2, birth_date="2001-02-03")),
        operation("CREATE", user(3, birth_date="2001-02-03", birthDate="2001-02-03")),
    )
    assert rows(store)["1"]["birth_date"] == rows(store)["2"]["birth_date"] == "2001-02-03"
    assert reasons(store) == ["bad-data"]


# -- exactness


def test_the_same_id_and_content_again_is_a_duplicate(store: Store, feed: Feed) -> None:
    once = operation("CREATE", user(1), op="a")
    assert feed.apply(once, once).duplicates == 1
    assert feed.apply(once).duplicates == 1
    other = Feed(store, partition=1)
    assert other.apply(once).duplicates == 1
    assert len(rows(store)) == 1
    assert reasons(store) == []


def test_the_order_of_fields_and_the_senders_time_make_no_other_content(feed: Feed) -> None:
    feed.apply(operation("CREATE", {"id": 1, "name": "a", "email": "e"}, op="a", timestamp=1))
    again = operation("CREATE", {"email": "e", "name": "a", "id": 1}, op="a", timestamp="later")
    assert feed.apply(again).duplicates == 1


def test_the_same_id_with_another_content_is_a_dead_letter(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1), op="a"), operation("CREATE", user(2), op="a"))
    feed.apply(operation("CREATE", user(3), op="a"))
    assert reasons(store) == ["conflict", "conflict"]
    assert set(rows(store)) == {"1"}


def test_ids_that_differ_in_case_or_blanks_are_different(store: Store, feed: Feed) -> None:
    ids = ["a", "A", "á", "a ", "a\u0301"]
    result = feed.apply(
        *(operation("CREATE", user(place), op=name) for place, name in enumerate(ids))
    )
    assert (result.won, result.duplicates) == (5, 0)
    assert len(rows(store)) == 5


def test_a_batch_from_another_position_is_fenced_and_changes_nothing(
    store: Store, feed: Feed
) -> None:
    first = feed.batch(operation("CREATE", user(1)))
    feed.send(first)
    zombie = feed.batch(operation("CREATE", user(2)), operation("CREATE", user(3)))
    assert feed.send(zombie) == Fenced(position=Position(next_offset=1))
    assert set(rows(store)) == {"1"}
    feed.expected, feed.next = 7, 7
    assert feed.send(feed.batch(operation("CREATE", user(2)))) == Fenced(
        position=Position(next_offset=1)
    )
    lost = Feed(store, partition=3)
    lost.expected = 5
    lost.next = 5
    assert lost.send(lost.batch(operation("CREATE", user(2)))) == Fenced(position=None)
    assert set(rows(store)) == {"1"}


def test_offsets_may_have_gaps_and_an_empty_batch_moves_on(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1)))
    feed.next = 10
    feed.apply(operation("CREATE", user(2)))
    assert store.position(GROUP, feed.topic, 0) == Position(next_offset=11)
    feed.next = 20
    feed.apply()
    assert store.position(GROUP, feed.topic, 0) == Position(next_offset=20)


def test_groups_and_partitions_stand_apart(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1)))
    assert store.position(GROUP, feed.topic, 1) is None
    assert store.position("other", feed.topic, 0) is None


def test_a_recreated_topic_is_said_and_not_skipped(store: Store, feed: Feed) -> None:
    feed.topic_id = "first-id"
    feed.apply(operation("CREATE", user(1)))
    feed.topic_id = "second-id"
    with pytest.raises(TopicRecreated, match="first-id"):
        feed.send(feed.batch(operation("CREATE", user(2))))
    feed.expected = None
    with pytest.raises(TopicRecreated, match="second-id"):
        feed.send(feed.batch(operation("CREATE", user(2))))
    assert set(rows(store)) == {"1"}


def test_what_was_applied_is_there_after_a_restart(make: Make) -> None:
    store = make(Setup())
    feed = Feed(store)
    feed.apply(operation("CREATE", user(1), op="a"), b"poison")
    store.close()
    again = make(Setup())
    assert again.position(GROUP, feed.topic, 0) == Position(next_offset=2)
    assert set(rows(again)) == {"1"}
    assert reasons(again) == ["undecodable"]
    feed.store = again
    assert feed.apply(operation("CREATE", user(1), op="a")).duplicates == 1


def test_the_inbox_forgets_only_what_is_old(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1), op="a"), now=1000.0)
    feed.apply(operation("CREATE", user(2), op="b"), now=2000.0)
    assert store.prune_inbox(1500.0) == 1
    assert store.prune_inbox(1500.0) == 0
    assert feed.apply(operation("CREATE", user(2), op="b")).duplicates == 1
    assert feed.apply(operation("CREATE", user(1), op="a")).dead == 1


# -- failures of the record


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "empty"),
        (b"", "undecodable"),
        (b"\xff\xfe", "undecodable"),
        (b'{"type": "CREATE", "entity": "User", "data": NaN}', "undecodable"),
        (b"[" * 100_000, "bad-envelope"),
        (b'{"type":"a","entity":"b","data":' + b"[" * 100_000, "undecodable"),
        (b"[1]", "bad-envelope"),
        (b'{"type": "CREATE", "data": {}}', "bad-envelope"),
        (operation("CREATE", user(1), op="x" * 201), "bad-envelope"),
        (operation("DESTROY", user(1)), "unknown-type"),
        (operation("CREATE", user(1), entity="users; DROP TABLE users"), "unknown-entity"),
        (operation("CREATE", {**user(1), "x` = 1; --": 1}), "unknown-column"),
        (operation("CREATE", user(1, row_version=5)), "unknown-column"),
        (operation("CREATE", [user(1)]), "bad-data"),
        (operation("BULK_CREATE", user(1)), "bad-data"),
        (operation("BULK_CREATE", []), "bad-data"),
        (operation("CREATE", {"name": "a", "email": "e"}), "missing-column"),
        (operation("CREATE", {"id": 1, "name": "a"}), "missing-column"),
        (operation("UPDATE", {"name": "a"}), "missing-key"),
        (operation("UPDATE", {"id": 1}), "bad-data"),
        (operation("UPDATE", {"id": 1, "email": None}), "not-null"),
        (operation("DELETE", {}), "missing-key"),
        (operation("CREATE", user(None)), "not-null"),
        (operation("CREATE", {**user(1), "id": True}), "wrong-type"),
        (operation("CREATE", user(1.5)), "wrong-type"),
        (operation("CREATE", user(1 << 64)), "out-of-range"),
        (operation("CREATE", user(" 1")), "wrong-type"),
        (operation("CREATE", user(1, "x" * 256)), "too-long"),
        (operation("CREATE", user(1, birthDate="2001-02-30")), "wrong-type"),
        (operation("CREATE", user(1, avatar="***")), "wrong-type"),
        (operation("CREATE", {"id": 1, "amount": "1e17"}, entity="Finance"), "out-of-range"),
        (operation("CREATE", {"id": 1, "year": 1 << 31}, entity="Finance"), "out-of-range"),
        (
            b'{"type":"CREATE","entity":"Finance","data":{"id":1,"amount":1e999}}',
            "out-of-range",
        ),
    ],
)
def test_what_can_never_be_applied_is_a_dead_letter_with_its_reason(
    store: Store, feed: Feed, value: bytes | None, code: str
) -> None:
    result = feed.apply(operation("CREATE", user("before")), value, operation("CREATE", user("z")))
    assert (result.dead, result.parked) == (1, 0)
    letter = store.dead_letters()[0]
    assert letter.error_class == code
    assert letter.error_message
    assert (letter.value, letter.key, letter.offset) == (value, b"key", 1)
    assert (letter.topic, letter.partition, letter.group) == (feed.topic, 0, GROUP)
    assert letter.failed_at == 1000.0
    assert set(rows(store)) == {"before", "z"}


def test_a_very_large_message_is_kept_whole(store: Store, feed: Feed) -> None:
    value = operation("CREATE", user(1, "\x00'\"\\" * 2_500_000))
    assert len(value) > 10_000_000
    feed.apply(value)
    letter = store.dead_letters()[0]
    assert letter.error_class == "too-long"
    assert letter.value == value
    assert store.dead_letter(letter.id) == letter


def test_sql_in_values_is_a_value(store: Store, feed: Feed) -> None:
    nasty = "'; DROP TABLE users; -- \\' \" ` %s ? :x {} \x00 \u2028 😀"
    feed.apply(operation("CREATE", user(1, nasty)), operation("CREATE", user("'\\%s?", "b")))
    feed.apply(
        operation("UPDATE", {"id": "'\\%s?", "name": nasty}),
        operation("UPDATE", user(1, phone=nasty[:9])),
    )
    assert rows(store)["1"]["phone"] == nasty[:9]
    assert rows(store)["'\\%s?"]["name"] == nasty


def test_a_dead_letter_is_published_once_and_purged(store: Store, feed: Feed) -> None:
    feed.apply(b"one", b"two")
    letters = store.unpublished_dead_letters()
    assert [one.value for one in letters] == [b"one", b"two"]
    assert store.counts().unpublished_dead_letters == 2
    store.mark_published([letters[0].id], 2000.0)
    assert [one.value for one in store.unpublished_dead_letters()] == [b"two"]
    assert store.dead_letters(after=letters[0].id)[0].value == b"two"
    assert store.purge_dead_letters([letters[0].id, 999]) == 1
    assert store.purge_dead_letters() == 1
    assert store.counts().dead_letters == 0


# -- failures that may mend


def finance(ident: int, business: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": ident, "businessId": business, **more}


def test_a_row_without_its_parent_waits_and_others_flow(store: Store, feed: Feed) -> None:
    result = feed.apply(
        operation("CREATE", finance(1, 7), entity="Finance"),
        operation("UPDATE", {"id": 1, "year": 2020}, entity="Finance"),
        operation("CREATE", finance(2), entity="Finance"),
        now=1000.0,
    )
    assert (result.parked, result.dead) == (2, 0)
    assert set(rows(store, "Finance")) == {"2"}
    result = feed.apply(operation("UPDATE", {"id": 1, "year": 2021}, entity="Finance"), now=1001.0)
    assert result.parked == 1
    assert (store.due_parked(GROUP, 1004.9), store.due_parked(GROUP, 1005.0)) == (0, 1)
    feed.apply(operation("CREATE", {"id": 7}, entity="Business"), now=1002.0)
    outcome = store.retry_parked(GROUP, 1005.0)
    assert (outcome.applied, outcome.again, outcome.dead, outcome.next_due) == (3, 0, 0, None)
    assert rows(store, "Finance")["1"]["year"] == 2021
    assert store.counts().parked == 0


def test_the_parent_in_the_same_batch_is_enough(store: Store, feed: Feed) -> None:
    result = feed.apply(
        operation("CREATE", finance(1, 7), entity="Finance"),
        operation("CREATE", {"id": 7}, entity="Business"),
    )
    assert result.parked == 0
    assert set(rows(store, "Finance")) == {"1"}


def test_retries_come_after_5_10_20_40_and_80_seconds_then_it_is_dead(
    store: Store, feed: Feed
) -> None:
    value = operation("CREATE", finance(1, 7), entity="Finance", op="waits")
    feed.apply(value, now=1000.0)
    now = 1000.0
    for delay in (5, 10, 20, 40, 80):
        assert store.retry_parked(GROUP, now + delay - 0.01).next_due == now + delay
        now += delay
        outcome = store.retry_parked(GROUP, now)
        assert (outcome.again, outcome.dead) == ((1, 0) if delay < 80 else (0, 1))
    letter = store.dead_letters()[0]
    assert (letter.value, letter.attempts, letter.operation_id) == (value, 5, "waits")
    assert letter.error_class == "parent-missing"
    assert letter.stack
    assert letter.failed_at == 1155.0
    assert store.counts().parked == 0


def test_what_queued_behind_a_dead_one_goes_on_with_retries_of_its_own(
    store: Store, feed: Feed
) -> None:
    feed.apply(
        operation("CREATE", finance(1, 7), entity="Finance"),
        operation("CREATE", finance(1), entity="Finance"),
        operation("UPDATE", {"id": 1, "businessId": 8}, entity="Finance"),
        operation("UPDATE", {"id": 1, "year": 3}, entity="Finance"),
    )
    now = 1000.0
    for delay in (5, 10, 20, 40, 80):
        now += delay
        store.retry_parked(GROUP, now)
    store.retry_parked(GROUP, now)
    assert rows(store, "Finance")["1"]["year"] is None
    assert store.counts().parked == 2
    outcome = store.retry_parked(GROUP, now + 4)
    assert (outcome.applied, outcome.next_due) == (0, now + 5)
    feed.apply(operation("CREATE", {"id": 8}, entity="Business"))
    assert store.retry_parked(GROUP, now + 5).applied == 2
    row = rows(store, "Finance")["1"]
    assert (str(row["business_id"]), row["year"]) == ("8", 3)


def test_base_and_count_of_retries_are_configurable(make: Make) -> None:
    policy = StorePolicy(retry=RetryPolicy(attempts=1, base=2.0))
    store = make(Setup(policy=policy))
    feed = Feed(store)
    feed.apply(operation("CREATE", finance(1, 7), entity="Finance"), now=10.0)
    assert store.retry_parked(GROUP, 11.9).next_due == 12.0
    assert store.retry_parked(GROUP, 12.0).dead == 1


def test_without_retries_it_is_dead_at_once(make: Make) -> None:
    store = make(Setup(policy=StorePolicy(retry=RetryPolicy(attempts=0))))
    feed = Feed(store)
    assert feed.apply(operation("CREATE", finance(1, 7), entity="Finance")).dead == 1


def test_a_bulk_holds_the_key_of_every_row(store: Store, feed: Feed) -> None:
    feed.apply(
        operation("BULK_CREATE", [finance(1), finance(2, 7)], entity="Finance"),
        operation("CREATE", finance(1, year=1), entity="Finance"),
        operation("BULK_CREATE", [finance(2), finance(3)], entity="Finance"),
        operation("CREATE", finance(3, year=3), entity="Finance"),
        operation("CREATE", finance(4), entity="Finance"),
    )
    assert set(rows(store, "Finance")) == {"4"}
    feed.apply(operation("CREATE", {"id": 7}, entity="Business"))
    outcome = store.retry_parked(GROUP, 1005.0)
    # The first bulk makes 1 and 2; so 1 and the second bulk are duplicates, and 3 is free.
    assert (outcome.applied, outcome.dead, outcome.next_due) == (1, 2, 1005.0)
    assert store.retry_parked(GROUP, 1005.0).applied == 1
    found = rows(store, "Finance")
    assert set(found) == {"1", "2", "3", "4"}
    assert found["3"]["year"] == 3


def test_a_parent_with_children_waits_to_be_deleted(store: Store, feed: Feed) -> None:
    feed.apply(
        operation("CREATE", {"id": 7}, entity="Business"),
        operation("CREATE", finance(1, 7), entity="Finance"),
    )
    assert feed.apply(operation("DELETE", {"id": 7}, entity="Business")).parked == 1
    feed.apply(operation("DELETE", {"id": 1}, entity="Finance"))
    assert store.retry_parked(GROUP, 1005.0).applied == 1
    assert rows(store, "Business") == {}


def test_many_operations_behind_one_key_come_in_their_order(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", finance(1, 7), entity="Finance"))
    for start in range(0, 300, 100):
        feed.apply(
            *(
                operation("UPDATE", {"id": 1, "year": year}, entity="Finance")
                for year in range(start, start + 100)
            )
        )
    feed.apply(operation("CREATE", {"id": 7}, entity="Business"))
    applied = 0
    while (outcome := store.retry_parked(GROUP, 1005.0, limit=50)).applied:
        applied += outcome.applied
        year = rows(store, "Finance")["1"]["year"]
        assert year == (applied - 2 if applied > 1 else None)
    assert applied == 301


def test_a_missing_row_may_be_waited_for(make: Make) -> None:
    store = make(Setup(policy=StorePolicy(park_missing_rows=True)))
    feed = Feed(store)
    assert (
        feed.apply(
            operation("CREATE", user(2)),
            operation("UPDATE", {"id": 1, "name": "x"}),
            operation("UPDATE", {"id": 2, "name": "x"}),
        ).parked
        == 1
    )
    assert rows(store)["2"]["name"] == "x"


# -- replay


def test_a_replay_is_applied_once_however_often_it_is_asked_for(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1, "old")))
    feed.apply(operation("CREATE", user(1, "new"), op="a"))
    ident = store.dead_letters()[0].id
    feed.apply(operation("DELETE", {"id": 1}))
    assert store.replay([ident, ident, 12345], 2000.0) == 1
    assert store.replay([ident], 2000.0) == 0
    assert store.retry_parked(GROUP, 2000.0).applied == 1
    assert store.retry_parked(GROUP, 2000.0).applied == 0
    assert rows(store)["1"]["name"] == "new"
    assert store.dead_letters()[0].replayed_at == 2000.0
    assert feed.apply(operation("CREATE", user(1, "new"), op="a")).duplicates == 1


def test_a_replay_that_fails_again_is_a_new_dead_letter(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1)), operation("CREATE", user(1)), b"poison")
    idents = [one.id for one in store.dead_letters()]
    assert store.replay(idents, 2000.0) == 2
    assert store.retry_parked(GROUP, 2000.0).dead == 2
    assert sorted(reasons(store)) == ["duplicate-key"] * 2 + ["undecodable"] * 2
    assert store.counts().parked == 0


# -- the cache


def test_every_changed_row_leaves_an_intent_with_its_newest_state(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1)), operation("CREATE", user(2)), now=1000.0)
    feed.apply(operation("UPDATE", {"id": 1, "name": "new"}), operation("DELETE", {"id": 2}))
    intents = store.cache_intents()
    newest: dict[str, Any] = {}
    for one in intents:
        if one.key not in newest or one.version > newest[one.key].version:
            newest[one.key] = one
    assert newest["1"].row is not None
    assert json.loads(newest["1"].row)["name"] == "new"
    assert newest["2"].row is None
    assert {one.entity for one in intents} == {"User"}
    store.forget_cache_intents([one.id for one in intents])
    assert store.cache_intents() == []


def test_a_recreated_row_goes_on_with_its_version(store: Store, feed: Feed) -> None:
    versions = []
    for value in (
        operation("CREATE", user(1)),
        operation("UPDATE", {"id": 1, "name": "b"}),
        operation("DELETE", {"id": 1}),
        operation("CREATE", user(1)),
    ):
        feed.apply(value, now=1000.0)  # the clock stands still, even goes back
        intents = store.cache_intents()
        versions += [one.version for one in intents]
        store.forget_cache_intents([one.id for one in intents])
    feed.apply(operation("DELETE", {"id": 1}), now=1.0)
    versions += [one.version for one in store.cache_intents()]
    assert versions == sorted(set(versions))
    assert len(versions) == 5


def test_intents_older_than_an_epoch_are_dropped(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1)), now=1000.0)
    feed.apply(operation("CREATE", user(2)), now=2000.0)
    assert store.counts().oldest_cache_intent == 1000.0
    assert store.drop_cache_intents_before(1500.0) == 1
    assert [one.key for one in store.cache_intents()] == ["2"]


def test_intents_of_large_batches_come_in_slices(store: Store, feed: Feed) -> None:
    feed.apply(*(operation("CREATE", user(ident)) for ident in range(1200)))
    keys: set[str] = set()
    while intents := store.cache_intents(limit=100):
        assert len(intents) <= 1200
        keys.update(one.key for one in intents)
        store.forget_cache_intents([one.id for one in intents])
    assert keys == {str(ident) for ident in range(1200)}


# -- values


def test_values_come_back_as_they_were_sent(store: Store, feed: Feed) -> None:
    document = {"a": [1, None, True, {"b": "ü"}], "n": 12345678901234567890, "x": 0.1}
    feed.apply(
        operation(
            "CREATE",
            user(
                "ключ",
                "Zoë 😀",
                active=True,
                birthDate="1999-12-31",
                avatar=base64.b64encode(bytes(range(256))).decode(),
                attributes=document,
                createdAt="2026-11-22T10:00:00.123456+02:00",
                updatedAt="2026-11-22T10:00:00Z",
            ),
        ),
        operation(
            "CREATE",
            {"id": -5, "amount": "9999999999999999.9999", "revenue": 0.10, "attributes": 17},
            entity="Finance",
        ),
    )
    row = rows(store)["ключ"]
    assert row["active"] is True
    assert row["birth_date"] == "1999-12-31"
    assert base64.b64decode(row["avatar"]) == bytes(range(256))
    assert row["attributes"] == document
    assert row["created_at"] == "2026-11-22T08:00:00.123456Z"
    assert row["updated_at"] == "2026-11-22T10:00:00.000000Z"
    assert row["phone"] is None
    money = rows(store, "Finance")["-5"]
    assert (money["amount"], money["revenue"]) == ("9999999999999999.9999", "0.1000")
    assert money["attributes"] == 17


own = sa.MetaData()
STOCK = sa.Table(
    "stock",
    own,
    sa.Column("site", sa.String(20), primary_key=True),
    sa.Column("bin", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("label", sa.String(40)),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
PLACES = sa.Table(
    "places",
    own,
    sa.Column("code", sa.String(10), primary_key=True),
    sa.Column("slug", sa.String(40), unique=True),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)


def test_tables_of_ones_own_with_composite_and_text_keys(make: Make) -> None:
    store = make(Setup(tables={"Stock": STOCK, "Place": PLACES}, create=(STOCK, PLACES)))
    feed = Feed(store)
    feed.apply(
        *(
            operation("CREATE", {"site": site, "bin": place, "count": 1}, entity="Stock")
            for site in ("a", "b")
            for place in range(3)
        ),
        operation("UPDATE", {"site": "a", "bin": 1, "count": 5}, entity="Stock"),
        operation("DELETE", {"site": "b", "bin": 2}, entity="Stock"),
    )
    feed.apply(
        operation("UPDATE", {"site": "a", "bin": 1, "label": "x"}, entity="Stock"),
        operation("UPDATE", {"site": "b", "bin": 1, "label": "y"}, entity="Stock"),
        operation("UPDATE", {"site": "b", "bin": 9, "label": "z"}, entity="Stock"),
        operation("DELETE", {"site": "a", "bin": 0}, entity="Stock"),
        operation("CREATE", {"site": "a", "bin": 2, "count": 1}, entity="Stock"),
    )
    found = {(row["site"], row["bin"]): (row["count"], row["label"]) for row in store.rows("Stock")}
    assert found == {
        ("a", 1): (5, "x"),
        ("a", 2): (1, None),
        ("b", 0): (1, None),
        ("b", 1): (1, "y"),
    }
    assert reasons(store) == ["duplicate-key"]
    keys = {json.loads(one.key)[0] for one in store.cache_intents()}
    assert keys == {"a", "b"}


def test_a_unique_column_refuses_exactly_what_it_would_one_by_one(make: Make) -> None:
    store = make(Setup(tables={"Place": PLACES}, create=(PLACES,)))
    feed = Feed(store)
    result = feed.apply(
        operation("CREATE", {"code": "a", "slug": "one"}, entity="Place"),
        operation("CREATE", {"code": "b", "slug": "one"}, entity="Place"),
        operation("DELETE", {"code": "a"}, entity="Place"),
        operation("CREATE", {"code": "c", "slug": "one"}, entity="Place"),
        operation("UPDATE", {"code": "c", "slug": "two"}, entity="Place"),
        operation("CREATE", {"code": "d", "slug": "one"}, entity="Place"),
        operation("UPDATE", {"code": "d", "slug": "two"}, entity="Place"),
        operation("CREATE", {"code": "e", "slug": None}, entity="Place"),
        operation("CREATE", {"code": "f", "slug": None}, entity="Place"),
    )
    found = {row["code"]: row["slug"] for row in store.rows("Place")}
    assert found == {"c": "two", "d": "one", "e": None, "f": None}
    assert (result.dead, reasons(store)) == (2, ["duplicate-key", "duplicate-key"])


def test_a_large_share_of_refusals_by_the_database_is_not_the_records_fault(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database refuses every row for a reason that it has never given before."""
    from database_consumer.failures import FailureKind, RecordFailure, Verdict

    store: Any = make(Setup())
    feed = Feed(store)
    feed.apply(operation("CREATE", user("before")))
    ledger = store._ledger
    strange = Verdict(kind=FailureKind.PERMANENT, code="refused", certain=False)

    def refuse(*_: Any) -> None:
        raise RecordFailure(strange, "tablespace is full, in words not known")

    values = [operation("CREATE", user(ident)) for ident in range(100)]
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "execute", refuse)
        with pytest.raises(StoreUnavailable, match="share"):
            feed.send(feed.batch(*values))
    assert store.counts().dead_letters == 0
    assert store.position(GROUP, feed.topic, 0) == Position(next_offset=1)
    assert feed.apply(*values).dead == 0
    assert len(rows(store)) == 101


def test_many_bad_messages_of_their_own_fault_do_not_stop_it(feed: Feed) -> None:
    feed.apply(operation("CREATE", user(1)))
    result = feed.apply(*[operation("CREATE", user(1))] * 50, *[b"{"] * 50)
    assert result.dead == 100
