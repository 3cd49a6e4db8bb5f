"""A SQLite driver that truly cannot load: the JSON file stands in, and its data moves back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from contract.random_operations import History, differences, play

from database_consumer.stores.base import StoreKind
from database_consumer.stores.opening import fallback_path, open_sqlite, open_store

CHILD = Path(__file__).with_name("fallback_child.py")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder whose ``_sqlite3`` is a file of the right name that is no library."""
    folder = tmp_path / "broken"
    folder.mkdir()
    name = "_sqlite3" + str(sysconfig.get_config_var("EXT_SUFFIX"))
    (folder / name).write_bytes(b"\x7fELF" + bytes(200))
    return folder


def child(*words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the child; with ``path`` first on its module path."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, str(CHILD), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


def played(database: Path, seed: int, count: int, path: Path | None) -> dict[str, str]:
    ended = child("play", str(database), str(seed), str(count), path=path)
    assert ended.returncode == 0, ended.stderr
    result: dict[str, str] = json.loads(ended.stdout)
    return result


def test_the_fallback_is_loud_exact_and_moves_back_once(tmp_path: Path, broken: Path) -> None:
    database = tmp_path / "store.sqlite3"
    history = History(7, 300)
    said = played(database, 7, 300, broken)
    assert said["kind"] == "json"
    assert "cannot load" in said["warning"]
    assert "migrate-fallback" in said["warning"]
    assert "_sqlite3" in said["reason"]
    assert said["wrong"] == ""
    assert not database.exists()

    store = open_store(f"sqlite:///{database}")
    assert store.kind is StoreKind.SQLITE
    store.open()
    store.ensure_schema()
    assert differences(store, history.model()) == []
    assert not fallback_path(database).with_name(fallback_path(database).name + ".log").exists()
    store.ensure_schema()
    play(store, history)
    assert differences(store, history.model()) == []
    store.close()


def test_what_sqlite_had_before_it_broke_is_neither_lost_nor_doubled(
    tmp_path: Path, broken: Path
) -> None:
    """The fallback starts without SQLite's rows and offsets and is given everything again."""
    database = tmp_path / "store.sqlite3"
    assert played(database, 8, 120, None)["kind"] == "sqlite"
    assert played(database, 8, 300, broken)["kind"] == "json"
    store = open_sqlite(database)
    store.open()
    store.close()
    assert played(database, 8, 300, None)["wrong"] == ""


@pytest.mark.parametrize("step", range(1, 40, 3))
def test_killed_in_the_middle_the_move_goes_on(tmp_path: Path, broken: Path, step: int) -> None:
    database = tmp_path / "store.sqlite3"
    played(database, 9, 60, broken)
    ended = child("killed-move", str(database), str(step))
    assert ended.returncode in {0, -signal.SIGKILL}, ended.stderr
    result = played(database, 9, 60, None)
    assert (result["kind"], result["wrong"]) == ("sqlite", "")
