"""Tries asyncmy, on a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import asyncmy
import mysql_checks


class Client:
    errors = (asyncmy.errors.OperationalError,)

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def connect(self, options: dict[str, Any]) -> Any:
        words: dict[str, Any] = {
            "host": options["host"],
            "port": options["port"],
            "user": options["user"],
            "password": options["password"],
            "connect_timeout": options["timeout"],
            "charset": "utf8mb4",
        }
        if options["database"]:
            words["database"] = options["database"]
        if options["unix_socket"]:
            words["unix_socket"] = options["unix_socket"]
        if options["ssl_ca"] or options["ssl_mode"] not in {None, "disabled", "preferred"}:
            words["ssl"] = secure_context(options)
        return self._wait(self._connect(words))

    async def _connect(self, words: dict[str, Any]) -> Any:
        return await asyncmy.connect(**words)

    def rows(self, connection: Any, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        return list(self._wait(self._rows(connection, sql, values)))

    async def _rows(self, connection: Any, sql: str, values: tuple[object, ...]) -> list[Any]:
        async with connection.cursor() as cursor:
            await cursor.execute(sql, values or None)
            return await cursor.fetchall() if cursor.description else []

    def close(self, connection: Any) -> None:
        self._wait(connection.ensure_closed())

    def end(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


class PreparingClient(Client):
    """From 0.2.11 on it prepares statements on the server."""

    def prepared(self, connection: Any, sql: str, values: tuple[object, ...]) -> list[Any]:
        return list(self._wait(self._prepared(connection, sql, values)))

    async def _prepared(self, connection: Any, sql: str, values: tuple[object, ...]) -> Any:
        async with await connection.prepare(sql) as statement:
            return (await statement.execute(values)).rows


def secure_context(options: dict[str, Any]) -> Any:
    import ssl  # a Python may have come without it, and asyncmy works without TLS then

    context = ssl.create_default_context(cafile=options["ssl_ca"])
    context.check_hostname = options["ssl_mode"] == "verify-identity"
    if options["ssl_mode"] not in {"verify-ca", "verify-identity"}:
        context.verify_mode = ssl.CERT_NONE
    if options["ssl_cert"]:
        context.load_cert_chain(options["ssl_cert"], options["ssl_key"])
    return context


def probe(report: Any) -> None:
    report.library = "its own protocol, compiled"
    prepares = hasattr(asyncmy.connection.Connection, "prepare")
    client = PreparingClient() if prepares else Client()
    try:
        mysql_checks.run(
            report,
            client,
            plugins=("mysql_native_password", "caching_sha2_password"),
            optional=("client_ed25519",),
        )
    finally:
        client.end()
