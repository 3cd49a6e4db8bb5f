"""Random histories end as the simple model says, in every store that needs no server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contract.random_operations import History, differences, play
from database_consumer.stores.base import Store
from database_consumer.stores.opening import open_json, open_sqlite


def fresh(kind: str, folder: Path) -> Store:
    folder.mkdir()
    if kind == "json":
        return open_json(folder / "store.json")
    return open_sqlite(folder / "store.sqlite3")


@pytest.mark.parametrize("kind", ["sqlite", "json"])
def test_random_histories_end_as_the_model_says(kind: str, tmp_path: Path) -> None:
    for seed in range(40):
        store = fresh(kind, tmp_path / str(seed))
        store.open()
        store.ensure_schema()
        history = History(seed, 150)
        play(store, history)
        wrong = differences(store, history.model())
        store.close()
        assert wrong == [], f"seed {seed}"


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["sqlite", "json"])
def test_a_history_that_is_killed_at_every_step_ends_the_same(
    kind: str, seed: int, tmp_path: Path
) -> None:
    program = Path(__file__).with_name("crashing.py")
    ended = subprocess.run(
        [sys.executable, str(program), kind, str(tmp_path), str(seed), "400"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert result["wrong"] == []
    assert result["kills"] >= 10
