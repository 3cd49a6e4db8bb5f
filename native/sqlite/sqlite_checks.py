"""What every SQLite driver must do: a table, FTS5, JSON, WAL; told on the report it is given.

Only what all of them offer is used: ``connection.execute(sql, values)`` that can be iterated, each
statement committed by itself.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Connect = Callable[[str], Any]

ROWS = (
    (1, "plain", 1.5, b"\x00\x01\xff", None),
    (2**63 - 1, "zażółć \N{SNOWMAN} \N{GRINNING FACE}", -0.25, bytes(range(256)), 7),
    (-(2**63), "", 0.0, b"", -1),
)


def run(report: Any, connect: Connect) -> None:
    """Try a driver whose ``connect(path)`` gives a connection in autocommit mode."""
    connection = connect(":memory:")
    with report.check("version") as check:
        version, source = all_rows(connection, "SELECT sqlite_version(), sqlite_source_id()")[0]
        report.library = f"SQLite {version}"
        check.detail = f"{version}, {source}"
    with report.check("table"):
        table(connection)
    with report.check("transaction"):
        transaction(connection)
    with report.check("fts5") as check:
        check.detail = full_text(connection)
    with report.check("json") as check:
        check.detail = json_functions(connection)
    with report.check("threadsafe") as check:
        options = [row[0] for row in all_rows(connection, "PRAGMA compile_options")]
        mode = [option for option in options if option.startswith("THREADSAFE=")]
        check.detail = ", ".join(mode) or "not told"
        if "THREADSAFE=0" in mode:
            check.fail("THREADSAFE=0: it must not be used from more than one thread")
    connection.close()
    with report.check("wal") as check:
        check.detail = write_ahead_log(connect)


def all_rows(connection: Any, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """The rows of one statement as tuples."""
    return [tuple(row) for row in connection.execute(sql, values)]


def expect(found: object, wanted: object) -> None:
    """Raise unless what came back is what went in, type and value."""
    if found != wanted or type(found) is not type(wanted):
        raise AssertionError(f"found {found!r}, wanted {wanted!r}")


def table(connection: Any) -> None:
    """Create a table, write rows of every storage class, read them back."""
    all_rows(connection, "CREATE TABLE t (whole INTEGER, words TEXT, part REAL, bytes BLOB, none)")
    for row in ROWS:
        all_rows(connection, "INSERT INTO t VALUES (?, ?, ?, ?, ?)", row)
    expect(all_rows(connection, "SELECT * FROM t ORDER BY rowid"), list(ROWS))


def transaction(connection: Any) -> None:
    """What is rolled back is gone."""
    all_rows(connection, "BEGIN")
    all_rows(connection, "DELETE FROM t")
    all_rows(connection, "ROLLBACK")
    expect(all_rows(connection, "SELECT count(*) FROM t"), [(len(ROWS),)])


def full_text(connection: Any) -> str:
    """FTS5 finds a word and ranks it."""
    all_rows(connection, "CREATE VIRTUAL TABLE words USING fts5(body)")
    for body in ("a wheel for every platform", "an anvil for none"):
        all_rows(connection, "INSERT INTO words VALUES (?)", (body,))
    found = all_rows(connection, "SELECT body FROM words WHERE words MATCH 'wheel' ORDER BY rank")
    expect(found, [("a wheel for every platform",)])
    return "a word was found"


def json_functions(connection: Any) -> str:
    """JSON is read, changed and unfolded."""
    document = '{"a": [1, {"b": "\\u00e9"}]}'
    expect(all_rows(connection, "SELECT json_extract(?, '$.a[1].b')", (document,)), [("é",)])
    expect(all_rows(connection, "SELECT count(*) FROM json_each(?, '$.a')", (document,)), [(2,)])
    return "json_extract and json_each answered"


def write_ahead_log(connect: Connect) -> str:
    """In WAL mode a reader keeps its snapshot while another connection writes."""
    with tempfile.TemporaryDirectory(prefix="buildtools-") as folder:
        path = str(Path(folder) / "wal.db")
        with (
            contextlib.closing(connect(path)) as writer,
            contextlib.closing(connect(path)) as reader,
        ):
            expect(all_rows(writer, "PRAGMA journal_mode=WAL"), [("wal",)])
            all_rows(writer, "CREATE TABLE t (x)")
            all_rows(writer, "INSERT INTO t VALUES (1)")
            all_rows(reader, "BEGIN")
            expect(all_rows(reader, "SELECT count(*) FROM t"), [(1,)])
            all_rows(writer, "INSERT INTO t VALUES (2)")
            expect(all_rows(reader, "SELECT count(*) FROM t"), [(1,)])
            all_rows(reader, "COMMIT")
            expect(all_rows(reader, "SELECT count(*) FROM t"), [(2,)])
            if not Path(path + "-wal").exists():
                raise AssertionError("no -wal file was written")
    return "a reader kept its snapshot while another wrote"


def extensions(report: Any, connection: Any) -> None:
    """Say whether extensions can be loaded; a Python may have been built without."""
    with report.check("loadable extensions", required=False) as check:
        if not hasattr(connection, "enable_load_extension"):
            check.fail("this build has no enable_load_extension")
            return
        connection.enable_load_extension(True)  # noqa: FBT003 - SQLite's own signature
        connection.enable_load_extension(False)  # noqa: FBT003
        check.detail = "can be loaded"
