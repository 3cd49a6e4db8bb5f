"""`wait`, `submit`, `run` and `status` together against real servers, as an operator uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest
from servers.consumer import ConsumerProcess
from servers.kafka import KafkaVersion
from servers.programs import wait_until
from servers.stack import Stack, stack

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("stack"), KafkaVersion.ZOOKEEPER) as found:
        yield found


def command(
    servers: Stack, folder: Path, *words: str, **more: str
) -> subprocess.CompletedProcess[bytes]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        (sys.executable, "-m", "database_consumer", *words),
        cwd=folder,
        env=kept | servers.settings(**more),
        capture_output=True,
        timeout=90,
        check=False,
    )


def test_what_was_submitted_is_applied_and_the_worker_says_so(
    servers: Stack, tmp_path: Path
) -> None:
    ready = command(servers, tmp_path, "wait", "--timeout", "60")
    assert ready.returncode == 0, ready.stdout.decode() + ready.stderr.decode()
    file = tmp_path / "operations.jsonl"
    rows = [
        {"type": "CREATE", "entity": "User", "data": {"id": n, "name": "n", "email": "e"}}
        for n in range(500)
    ]
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    sent = command(servers, tmp_path, "submit", str(file), "--json")
    assert sent.returncode == 0, sent.stderr.decode()
    assert len(set(json.loads(sent.stdout)["published"])) == 500
    worker = ConsumerProcess(tmp_path / "worker", servers.settings())
    worker.start(ready=60)
    try:
        wait_until(
            lambda: servers.query("SELECT COUNT(*) FROM users") == [(500,)],
            timeout=30,
            what="everything applied",
        )
        port = str(worker.status_port)
        asked = command(servers, tmp_path, "status", "--json", STATUS_PORT=port)
        assert asked.returncode == 0
        document = json.loads(asked.stdout)
        assert document["operations"]["applied"] == 500
        assert document["store"]["kind"] == "mysql"
        assert document["redis"] == "healthy"
        shown = command(servers, tmp_path, "status", STATUS_PORT=port)
        assert b"databaseHealthy=True" in shown.stdout
    finally:
        worker.kill()


def test_apply_killed_at_random_writes_every_line_into_mysql_once(
    servers: Stack, tmp_path: Path
) -> None:
    count, kills = 12_000, 5
    servers.mariadb.database("applied")
    file = tmp_path / "operations.jsonl"
    with file.open("w") as out:
        for ident in range(count):
            row = {"id": ident % 4_000, "name": f"n{ident}", "email": "e"}
            kind = "CREATE" if ident < 4_000 else "UPDATE"
            out.write(json.dumps({"type": kind, "entity": "User", "data": row}) + "\n")
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    url = servers.mariadb.url("applied")
    settings = kept | {"DATABASE_URL": url, "BATCH_MAX": "100", "LOG_LEVEL": "error"}
    words = (sys.executable, "-m", "database_consumer", "apply", str(file))

    def written() -> int:
        with servers.mariadb.root("applied") as connection, connection.cursor() as cursor:
            try:
                cursor.execute("SELECT COUNT(*) FROM inbox")
            except pymysql.err.ProgrammingError:
                return 0
            return int(cursor.fetchone()[0])

    for number in range(1, kills + 1):
        child = subprocess.Popen(words, cwd=tmp_path, env=settings, stdout=subprocess.DEVNULL)
        try:
            wanted = number * count // (kills + 2)
            wait_until(lambda wanted=wanted: written() >= wanted, timeout=90, what="some lines")  # type: ignore[misc]
        finally:
            child.kill()
            child.wait()
        assert written() < count
    subprocess.run(words, cwd=tmp_path, env=settings, check=True, timeout=90, capture_output=True)
    with servers.mariadb.root("applied") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM users")
        found = {int(ident): name for ident, name in cursor.fetchall()}
        cursor.execute("SELECT COUNT(*) FROM dead_letters")
        assert cursor.fetchone()[0] == 0
    assert found == {ident: f"n{8_000 + ident}" for ident in range(4_000)}
    assert written() == count


def test_a_wrong_password_ends_the_wait_at_once(servers: Stack, tmp_path: Path) -> None:
    port = servers.to_mariadb.port
    url = f"mysql://worker:wr0ng-s3cret@127.0.0.1:{port}/chaos"
    done = command(servers, tmp_path, "wait", "--timeout", "60", DATABASE_URL=url)
    assert done.returncode == 1
    assert b"database: wrong" in done.stdout
    assert b"DB_PASSWORD" in done.stdout
    assert b"wr0ng-s3cret" not in done.stdout + done.stderr
