"""The fallback's tests run it: ``play DATABASE SEED COUNT`` or ``killed-move DATABASE N``."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from contract.crashing import die
from contract.random_operations import History, differences, play

from database_consumer.stores.opening import open_store


def play_history(database: str, seed: int, count: int) -> None:
    heard: list[str] = []
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("database_consumer").addHandler(handler)
    store = open_store(f"sqlite:///{database}", on_fallback=heard.append)
    store.open()
    store.ensure_schema()
    history = History(seed, count)
    play(store, history)
    said = {
        "kind": store.kind.value,
        "warning": logged[0] if heard and logged == heard else "",
        "reason": store.fallback_reason,
        "wrong": "; ".join(differences(store, history.model())),
    }
    store.close()
    print(json.dumps(said))  # noqa: T201


def killed_move(database: str, step: int) -> None:
    """Die before the given commit of the database, or rename of the files."""
    count = 0
    store = open_store(f"sqlite:///{database}")
    ledger = store._ledger
    true_commit, true_replace = ledger.commit, Path.replace

    def counted() -> None:
        nonlocal count
        count += 1
        if count == step:
            die()

    def commit() -> None:
        counted()
        true_commit()

    def replace(self: Path, target: object) -> Path:
        counted()
        return true_replace(self, str(target))

    store.open()
    ledger.commit = commit  # type: ignore[method-assign]
    Path.replace = replace  # type: ignore[method-assign,assignment]
    store.ensure_schema()
    store.close()


if __name__ == "__main__":
    if sys.argv[1] == "play":
        play_history(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        killed_move(sys.argv[2], int(sys.argv[3]))
