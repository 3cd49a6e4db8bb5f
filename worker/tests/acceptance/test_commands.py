"""What a user sees of the commands that need no server."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .conftest import Installed

SECRET = "s3cret-p@ss"  # noqa: S105


def operation(ident: int, kind: str = "CREATE", **data: object) -> dict[str, Any]:
    return {
        "type": kind,
        "entity": "User",
        "data": {"id": ident, **data},
        "metadata": {"operationId": f"{kind}-{ident}"},
    }


def write(path: Path, operations: Iterable[dict[str, Any] | str]) -> Path:
    lines = (one if isinstance(one, str) else json.dumps(one) for one in operations)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def test_the_demo_is_exact_within_thirty_seconds_and_leaves_nothing(
    installed: Installed, tmp_path: Path
) -> None:
    begin = time.monotonic()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = installed.run("demo", folder=tmp_path, settings={"TMPDIR": str(temporary)})
    text = done.stdout.decode()
    assert done.returncode == 0, text + done.stderr.decode()
    assert time.monotonic() - begin < 30
    assert text.splitlines()[-1] == "exact"
    assert "5000 of 5000 operations applied" in text
    assert "taken away" in text
    assert "1 letter: undecodable" in text
    assert list(temporary.iterdir()) == []
    assert list(tmp_path.iterdir()) == [temporary]


def test_apply_makes_its_tables_and_says_what_it_did(installed: Installed, tmp_path: Path) -> None:
    rows = [operation(n, name=f"n{n}", email="e@x.org") for n in range(300)]
    more: list[dict[str, Any] | str] = [
        operation(1, "UPDATE", name="changed"),
        operation(2, "DELETE"),
        rows[3],
        "nonsense",
    ]
    file = write(tmp_path / "operations.jsonl", [*rows, *more])
    done = installed.run("apply", str(file), "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    document = json.loads(done.stdout)
    assert document["schema"] == "database-consumer.apply/1"
    assert (document["applied"], document["duplicates"], document["dead"]) == (302, 1, 1)
    database = tmp_path / "database-consumer.sqlite3"
    assert query(database, "SELECT COUNT(*) FROM users") == [(299,)]
    assert query(database, "SELECT name, email FROM users WHERE name = 'changed'") == [
        ("changed", "e@x.org")
    ]
    again = installed.run("apply", str(file), folder=tmp_path)
    assert again.stdout.decode().startswith("applied 0, ")


def test_apply_goes_on_where_it_was_after_a_kill(installed: Installed, tmp_path: Path) -> None:
    count = 30_000
    file = write(
        tmp_path / "operations.jsonl",
        (
            {"type": "CREATE", "entity": "User", "data": {"id": n, "name": "n", "email": "e"}}
            for n in range(count)
        ),
    )
    database = tmp_path / "own.sqlite3"
    settings = {"DATABASE_URL": f"sqlite:///{database}", "BATCH_MAX": "200"}
    kills = 0
    for _ in range(60):
        child = installed.start("apply", str(file), folder=tmp_path, settings=settings)
        before = rows_of(database)
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            if rows_of(database) > before and kills < 5:
                child.kill()
                kills += 1
                break
            time.sleep(0.02)
        child.communicate(timeout=60)
        if child.returncode == 0:
            break
    assert kills == 5
    assert query(database, "SELECT COUNT(*), COUNT(DISTINCT id) FROM users") == [(count, count)]
    assert query(database, "SELECT COUNT(*) FROM dead_letters") == [(0,)]
    assert query(database, "SELECT COUNT(*) FROM inbox") == [(count,)]


def rows_of(database: Path) -> int:
    try:
        return int(query(database, "SELECT COUNT(*) FROM users")[0][0])
    except sqlite3.Error:
        return 0


def test_apply_reads_standard_input(installed: Installed, tmp_path: Path) -> None:
    lines = json.dumps(operation(1, name="n", email="e")).encode()
    done = installed.run("apply", "-", folder=tmp_path, stdin=lines)
    assert done.returncode == 0
    assert done.stdout.decode().startswith("applied 1, ")


def test_apply_names_a_file_that_is_not_there(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("apply", "missing.jsonl", folder=tmp_path)
    assert done.returncode == 3
    assert "missing.jsonl: No such file" in done.stderr.decode()


def test_dead_letters_are_listed_shown_replayed_and_purged(
    installed: Installed, tmp_path: Path
) -> None:
    waiting = {
        "type": "CREATE",
        "entity": "Rating",
        "data": {"id": 5, "business_id": 9},
        "metadata": {"operationId": "early"},
    }
    file = write(tmp_path / "one.jsonl", [waiting, "{broken"])
    settings = {"MAX_RETRY_ATTEMPTS": "0"}
    assert installed.run("apply", str(file), folder=tmp_path, settings=settings).returncode == 0
    listed = installed.run("dead-letters", "list", "--json", folder=tmp_path)
    letters = json.loads(listed.stdout)["letters"]
    assert [one["operationId"] == "early" for one in letters] == [True, False]
    ident = str(letters[0]["id"])
    shown = installed.run("dead-letters", "show", ident, "--json", folder=tmp_path)
    assert json.loads(shown.stdout)["operation"] == waiting
    business = {"type": "CREATE", "entity": "Business", "data": {"id": 9, "name": "b"}}
    installed.run("apply", str(write(tmp_path / "two.jsonl", [business])), folder=tmp_path)
    replayed = installed.run("dead-letters", "replay", ident, folder=tmp_path)
    assert replayed.stdout.decode().startswith("replayed 1: applied 1")
    again = installed.run("dead-letters", "replay", ident, folder=tmp_path)
    assert again.stdout.decode().startswith("replayed 0: applied 0")
    database = tmp_path / "database-consumer.sqlite3"
    assert query(database, "SELECT COUNT(*) FROM ratings") == [(1,)]
    assert installed.run("dead-letters", "show", "999", folder=tmp_path).returncode == 1
    purged = installed.run("dead-letters", "purge", "--all", folder=tmp_path)
    assert purged.stdout.decode() == "purged 2\n"


def test_config_masks_every_secret(installed: Installed, tmp_path: Path) -> None:
    settings = {
        "DB_HOST": "h",
        "DB_PASSWORD": SECRET,
        "REDIS_HOST": "r",
        "REDIS_PASSWORD": SECRET,
        "KAFKA_SASL_PASSWORD": SECRET,
    }
    for words in (("config",), ("config", "--json")):
        done = installed.run(*words, folder=tmp_path, settings=settings)
        assert done.returncode == 0
        text = (done.stdout + done.stderr).decode()
        assert "s3cret" not in text
        assert "DB_HOST" in text


def test_a_bad_configuration_is_a_usage_error_that_names_the_variable(
    installed: Installed, tmp_path: Path
) -> None:
    for words in (("config",), ("run",), ("apply", "-"), ("wait",)):
        done = installed.run(*words, folder=tmp_path, settings={"DB_PORT": SECRET})
        assert done.returncode == 2
        assert b"DB_PORT" in done.stderr
        assert b"s3cret" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "more"),
    [
        ("LOG_DIR", "a-file/logs", {}),
        ("EMBEDDED_PATH", "no-such-folder/own.sqlite3", {}),
        ("KAFKA_SSL_", "a-file", {"KAFKA_SSL_CA": "a-file", "KAFKA_SECURITY_PROTOCOL": "SSL"}),
        ("STATUS_HOST", "999.1.1.1", {"STATUS_PORT": "0"}),
        ("ENTITIES_MODULE", "no.such.module", {}),
    ],
)
def test_what_only_a_start_finds_out_is_a_usage_error_too(
    installed: Installed, tmp_path: Path, name: str, value: str, more: dict[str, str]
) -> None:
    (tmp_path / "a-file").write_text("no certificate")
    settings = more if name == "KAFKA_SSL_" else {name: value, **more}
    done = installed.run("run", folder=tmp_path, settings=settings)
    assert done.returncode == 2, done.stderr.decode()
    assert name in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_wait_names_what_is_not_ready(installed: Installed, tmp_path: Path) -> None:
    done = installed.run(
        "wait",
        "--timeout",
        "1",
        folder=tmp_path,
        settings={
            "KAFKA_BROKERS": "127.0.0.1:1",
            "REDIS_URL": f"redis://:{SECRET.replace('@', '%40')}@127.0.0.1:1/0",
        },
    )
    assert done.returncode == 1
    assert b"kafka: not yet" in done.stdout
    assert b"redis: not yet" in done.stdout
    assert b"database" not in done.stdout
    assert b"s3cret" not in done.stdout + done.stderr


def test_submit_refuses_what_the_worker_would_refuse(installed: Installed, tmp_path: Path) -> None:
    file = write(tmp_path / "bad.jsonl", [operation(1, name="n", email="e"), '{"type": 1}'])
    done = installed.run("submit", str(file), folder=tmp_path)
    assert done.returncode == 1
    assert b"line 2" in done.stderr
    assert b"nothing was published" in done.stderr
    unknown = operation(2, name="n", email="e") | {"entity": "Nobody"}
    file = write(tmp_path / "unknown.jsonl", [operation(1, name="n", email="e"), unknown])
    done = installed.run("submit", str(file), folder=tmp_path)
    assert done.returncode == 1
    assert b"line 2: no entity" in done.stderr
    assert b"Nobody" in done.stderr


def test_status_says_when_nobody_answers(installed: Installed, tmp_path: Path) -> None:
    assert installed.run("status", folder=tmp_path).returncode == 2
    assert installed.run("status", folder=tmp_path, settings={"STATUS_PORT": "1"}).returncode == 3


def test_migrate_fallback_has_nothing_to_do_without_a_fallback(
    installed: Installed, tmp_path: Path
) -> None:
    done = installed.run("migrate-fallback", folder=tmp_path)
    assert done.returncode == 0
    assert b"nothing to move" in done.stdout
    assert installed.run("migrate-fallback", "nowhere", folder=tmp_path).returncode == 3
    (tmp_path / "_sqlite3.py").write_text("raise ImportError('libsqlite3.so.0 is missing')")
    broken = {"PYTHONPATH": str(tmp_path)}
    done = installed.run("migrate-fallback", folder=tmp_path, settings=broken)
    assert (done.returncode, b"Traceback" in done.stderr) == (3, False)
    assert b"mend the SQLite driver" in done.stderr


def test_an_applications_own_tables_come_from_its_module(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(
        "import sqlalchemy as sa\n"
        "metadata = sa.MetaData()\n"
        "item = sa.Table('items', metadata, sa.Column('id', sa.Integer, primary_key=True),\n"
        "    sa.Column('title', sa.String(50)))\n"
        "ENTITIES = {'Item': item}\n"
    )
    with closing(sqlite3.connect(tmp_path / "database-consumer.sqlite3")) as connection:
        connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, title VARCHAR(50))")
    line = {"type": "CREATE", "entity": "Item", "data": {"id": 1, "title": "t"}}
    file = write(tmp_path / "items.jsonl", [line])
    done = installed.run("apply", str(file), folder=tmp_path, settings={"ENTITIES_MODULE": "shop"})
    assert done.stdout.decode().startswith("applied 1, "), done.stderr.decode()
    assert query(tmp_path / "database-consumer.sqlite3", "SELECT id, title FROM items") == [
        (1, "t")
    ]


@pytest.mark.parametrize("words", [(), ("nonsense",), ("apply",), ("demo", "--operations", "x")])
def test_wrong_words_are_a_usage_error(
    installed: Installed, tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert installed.run(*words, folder=tmp_path).returncode == 2
