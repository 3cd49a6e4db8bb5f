"""Notes over HTTP, kept in SQLite or MySQL: a WSGI application on two native drivers.

``DATABASE_URL`` is ``sqlite:///notes.db`` (the default) or ``mysql://user:password@host:port/name``.

    POST /notes    the text of a note; answers with its number
    GET  /notes    every note, oldest first
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote, urlsplit
from wsgiref.simple_server import make_server

LONGEST = 10_000
"""Bytes of one note."""

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Notes:
    """The table of notes, in the database that the address names."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "sqlite":
            from pysqlite3 import dbapi2

            self._connection = dbapi2.connect(parts.path.removeprefix("/"))
            self._mark, number = "?", "INTEGER PRIMARY KEY"
        elif parts.scheme == "mysql":
            import MySQLdb

            self._connection = MySQLdb.connect(
                host=parts.hostname or "127.0.0.1",
                port=parts.port or 3306,
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                database=parts.path.removeprefix("/"),
                charset="utf8mb4",
            )
            self._mark, number = "%s", "INTEGER PRIMARY KEY AUTO_INCREMENT"
        else:
            raise ValueError(f"DATABASE_URL begins with {parts.scheme!r}, not sqlite or mysql")
        self._run(f"CREATE TABLE IF NOT EXISTS notes (id {number}, text TEXT NOT NULL)")

    def add(self, text: str) -> int:
        """Keep a note; its number."""
        # The mark is one of two literals; the text itself goes beside the statement.
        cursor = self._run(f"INSERT INTO notes (text) VALUES ({self._mark})", text)  # noqa: S608
        return int(cursor.lastrowid)

    def all(self) -> list[dict[str, object]]:
        """Every note, oldest first."""
        rows = self._run("SELECT id, text FROM notes ORDER BY id").fetchall()
        return [{"id": number, "text": text} for number, text in rows]

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def _run(self, statement: str, *values: str) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(statement, values)
        self._connection.commit()
        return cursor


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The WSGI application; each request opens the database anew."""
    status, body = answer(environ)
    start_response(status, [("Content-Type", "application/json; charset=utf-8")])
    return [json.dumps(body).encode()]


def answer(environ: dict[str, Any]) -> tuple[str, object]:
    """The status and the body of one request."""
    if environ["PATH_INFO"] != "/notes":
        return "404 Not Found", {"error": "there is /notes and nothing else"}
    notes = Notes(os.environ.get("DATABASE_URL", "sqlite:///notes.db"))
    try:
        if environ["REQUEST_METHOD"] == "GET":
            return "200 OK", notes.all()
        if environ["REQUEST_METHOD"] != "POST":
            return "405 Method Not Allowed", {"error": "GET or POST"}
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if not 0 < length <= LONGEST:
            return "400 Bad Request", {"error": f"a note has 1 to {LONGEST} bytes"}
        text = environ["wsgi.input"].read(length).decode("utf-8", "replace")
        return "201 Created", {"id": notes.add(text)}
    finally:
        notes.close()


def self_check() -> None:
    """What ``buildtools verify`` runs after the drivers: a note comes back as it was kept."""
    notes = Notes("sqlite:///:memory:")
    notes.add("añejo")
    if notes.all() != [{"id": 1, "text": "añejo"}]:
        raise RuntimeError("a note did not come back as it was kept")
    notes.close()


def main() -> None:
    """Serve; Render says the port in ``PORT``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - Render's router comes from outside
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "10000")))
    chosen = parser.parse_args()
    with make_server(chosen.host, chosen.port, application) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
