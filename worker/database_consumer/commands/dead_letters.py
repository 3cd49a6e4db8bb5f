"""`dead-letters`: list, show, replay, purge."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

from database_consumer.commands.output import (
    SETTING_HELP,
    complain,
    say,
    say_json,
    settings_with_logs,
)
from database_consumer.settings import Settings
from database_consumer.stores.base import DeadLetter, Store, StoreUnavailable

PAGE = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Four actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="dead letters, oldest first")
    listing.add_argument("--limit", type=int, default=100, help="how many at most (default 100)")
    listing.add_argument("--after", type=int, default=0, metavar="ID", help="those above this id")
    listing.add_argument("--json", action="store_true", help="one JSON document")
    show = actions.add_parser("show", help="one dead letter whole")
    show.add_argument("id", type=int)
    show.add_argument("--json", action="store_true", help="one JSON document")
    for name, text in (
        ("replay", "apply again; none can be applied twice"),
        ("purge", "delete from the table"),
    ):
        action = actions.add_parser(name, help=text)
        which = action.add_mutually_exclusive_group(required=True)
        which.add_argument("id", type=int, nargs="*", default=[])
        which.add_argument("--all", action="store_true", help="all of them")
    parser.epilog = SETTING_HELP


def run(options: argparse.Namespace) -> int:
    """0; 1 when there is no such dead letter; 3 when the database cannot be asked."""
    from database_consumer.starting import store_maker

    settings = settings_with_logs()
    store = store_maker(settings)()
    try:
        store.open()
        store.ensure_schema()
        actions = {"list": _list, "show": _show, "replay": _replay, "purge": _purge}
        return actions[options.action](store, settings, options)
    except StoreUnavailable as error:
        complain(f"database: {error}")
        return 3
    finally:
        store.close()


def _list(store: Store, _settings: Settings, options: argparse.Namespace) -> int:
    letters = store.dead_letters(limit=max(0, options.limit), after=options.after)
    if options.json:
        say_json(
            {
                "schema": "database-consumer.dead-letters/1",
                "letters": [_document(one) for one in letters],
            }
        )
        return 0
    for one in letters:
        mark = "replayed" if one.replayed_at else "published" if one.published_at else ""
        say(
            f"{one.id:>8}  {_stamp(one.failed_at)}  {one.error_class:<18} "
            f"{one.topic}[{one.partition}]@{one.offset}  {one.operation_id}  {mark}".rstrip()
        )
    return 0


def _show(store: Store, _settings: Settings, options: argparse.Namespace) -> int:
    letter = store.dead_letter(options.id)
    if letter is None:
        complain(f"there is no dead letter {options.id}")
        return 1
    document = _document(letter) | {"stack": letter.stack}
    if options.json:
        say_json({"schema": "database-consumer.dead-letter/1", **document})
    else:
        for name, value in document.items():
            say(f"{name}: {value}")
    return 0


def _replay(store: Store, settings: Settings, options: argparse.Namespace) -> int:
    ids = _ids(store, options)
    if not options.all:
        for one in ids:
            letter = store.dead_letter(one)
            if letter is None:
                complain(f"there is no dead letter {one}")
            elif letter.replayed_at is not None:
                complain(f"dead letter {one} was replayed before")
    count = store.replay(ids, time.time())
    applied = dead = 0
    while True:
        outcome = store.retry_parked(settings.kafka_group_id, time.time())
        applied += outcome.applied
        dead += outcome.dead
        if not outcome.applied and not outcome.dead:
            break
    say(f"replayed {count}: applied {applied}, dead letters again {dead}")
    return 0 if count or not ids else 1


def _purge(store: Store, _settings: Settings, options: argparse.Namespace) -> int:
    count = store.purge_dead_letters(None if options.all else options.id)
    say(f"purged {count}")
    return 0 if count or options.all else 1


def _ids(store: Store, options: argparse.Namespace) -> Sequence[int]:
    if not options.all:
        return list(options.id)
    out: list[int] = []
    while page := store.dead_letters(limit=PAGE, after=out[-1] if out else 0):
        out += [one.id for one in page]
    return out


def _document(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "operationId": letter.operation_id,
        "error": letter.error_class,
        "message": letter.error_message,
        "failedAt": _stamp(letter.failed_at),
        "attempts": letter.attempts,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": _text(letter.key),
        "operation": _parsed(letter.value),
        "publishedAt": _stamp(letter.published_at) if letter.published_at else None,
        "replayedAt": _stamp(letter.replayed_at) if letter.replayed_at else None,
    }


def _parsed(value: bytes | None) -> Any:
    try:
        return json.loads(value or b"null")
    except (ValueError, RecursionError):
        return _text(value)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
