"""Run as a program: plays a history while being killed at every step, and says how it ended.

``python crashing.py sqlite|json FOLDER SEED COUNT``: forks children that open the store in FOLDER
and go on with the history; each is killed (SIGKILL, by itself) before or after another one of the
store's steps, or in the middle of a write; until one comes to the end. Prints the number of kills
and what differs from the model, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).parent.parent))

from contract.random_operations import History, differences, play
from database_consumer.stores import jsonstate
from database_consumer.stores.base import Store
from database_consumer.stores.opening import open_json, open_sqlite

STEPS = (
    "begin",
    "fence",
    "claim",
    "present",
    "execute",
    "savepoint",
    "release",
    "back_to_savepoint",
    "bury",
    "note_touched",
    "commit",
)


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def open_store(kind: str, folder: Path) -> Store:
    if kind == "sqlite":
        return open_sqlite(folder / "store.sqlite3")
    return open_json(folder / "store.json")


def arm(store: Any, at: int, *, after: bool) -> None:
    """Die at the given step of the ledger, counted while batches are applied."""
    ledger = store._ledger
    count = 0
    applying = False
    true_apply = store.apply

    def apply(*words: Any, **named: Any) -> Any:
        nonlocal applying
        applying = True
        try:
            return true_apply(*words, **named)
        finally:
            applying = False

    store.apply = apply

    def wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any, **named: Any) -> Any:
            nonlocal count
            count += applying
            if not applying:
                return method(*words, **named)
            if count == at and not after:
                die()
            result = method(*words, **named)
            if count == at and after:
                die()
            return result

        return step

    for name in STEPS:
        setattr(ledger, name, wrapped(getattr(ledger, name)))


def tear(at: int, part: float) -> None:
    """Die in the middle of the given write to the log, or of a snapshot."""
    count = 0
    true_entry = jsonstate.encode_entry
    true_replace = Path.replace

    def torn(entry: dict[str, Any]) -> bytes:
        nonlocal count
        count += 1
        line = true_entry(entry)
        if count >= at:
            path = Path(os.environ["CRASH_LOG"])
            with path.open("ab") as log:
                log.write(line[: int(len(line) * part)])
            die()
        return line

    def replace(self: Path, target: Any) -> Path:
        nonlocal count
        count += 1
        if count >= at and part < 0.5:
            die()
        return true_replace(self, target)

    jsonstate.encode_entry = torn
    Path.replace = replace  # type: ignore[method-assign,assignment]


def child(kind: str, folder: Path, history: History, chance: random.Random) -> NoReturn:
    store = open_store(kind, folder)
    store.open()
    store.ensure_schema()
    jsonstate.SNAPSHOT_FROM = 2_000
    if kind == "json" and chance.random() < 0.5:
        os.environ["CRASH_LOG"] = str(folder / "store.json.log")
        tear(chance.randrange(1, 8), chance.random())
    else:
        arm(store, chance.randrange(1, 30), after=chance.random() < 0.5)
    play(store, history)
    store.close()
    os._exit(0)


def main() -> None:
    kind, folder, seed, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    history = History(seed, count)
    kills = 0
    while True:
        chance = random.Random(seed * 100_003 + kills)
        pid = os.fork()
        if pid == 0:
            try:
                child(kind, folder, history, chance)
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            kills += 1
            continue
        if status != 0:
            raise SystemExit(f"a child failed with status {status}")
        break
    store = open_store(kind, folder)
    store.open()
    wrong = differences(store, history.model())
    store.close()
    print(json.dumps({"kills": kills, "wrong": wrong}))  # noqa: T201


if __name__ == "__main__":
    main()
