"""The contract over the stores that need no server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.alike import *  # noqa: F403
from contract.stage import Make, Setup
from contract.suite import *  # noqa: F403
from database_consumer.stores.base import Store
from database_consumer.stores.opening import open_json, open_sqlite


@pytest.fixture(params=["sqlite", "json"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    stores: list[Store] = []
    opens: dict[str, Callable[[Setup], Store]] = {
        "sqlite": lambda setup: open_sqlite(
            tmp_path / "store.sqlite3",
            tables=setup.tables,
            handlers=setup.handlers,
            policy=setup.policy,
        ),
        "json": lambda setup: open_json(
            tmp_path / "store.json",
            tables=setup.tables,
            handlers=setup.handlers,
            policy=setup.policy,
        ),
    }

    def make(setup: Setup) -> Store:
        store = opens[request.param](setup)
        stores.append(store)
        engine = getattr(store, "engine", None)
        if engine is not None:
            for table in setup.create:
                table.create(engine, checkfirst=True)
            engine.dispose()
        store.open()
        store.ensure_schema()
        return store

    yield make
    for store in stores:
        store.close()
