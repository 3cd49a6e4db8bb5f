"""What every MySQL driver must do: without a server, and, given an address, with one.

A driver's ``probe.py`` hands over a client: an object with ``errors`` (the exceptions by which the
driver reports a connection that failed), ``connect(options)``, ``rows(connection, sql, values)``,
``close(connection)`` and, where the driver has prepared statements, ``prepared(connection, sql,
values)``. Options are ``host port user password database timeout``, and of TLS ``ssl_mode ssl_ca
ssl_cert ssl_key``, and ``unix_socket``; a missing one is None.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from mysql_handshake import ACCESS_DENIED, REFUSAL, SCRAMBLES, OneLogin, closed_port

CANNOT_CONNECT = (2002, 2003)
"""CR_CONNECTION_ERROR and CR_CONN_HOST_ERROR of the client protocol."""
TLS_WANTED = 2026
"""CR_SSL_CONNECTION_ERROR: also of a client that will not do without TLS."""
NO_CREATE_TEMPORARY = (1044, 1142, 1227)

VALUES: dict[str, tuple[str, object]] = {
    "utf8mb4": ("VARCHAR(64) CHARACTER SET utf8mb4", "zażółć 漢字 \N{GRINNING FACE}'\"\\%"),
    "decimal": ("DECIMAL(30,10)", Decimal("12345678901234567890.0123456789")),
    "date": ("DATE", dt.date(2024, 2, 29)),
    "datetime": ("DATETIME(6)", dt.datetime(2038, 1, 19, 3, 14, 8, 123456)),  # noqa: DTZ001
    "time": ("TIME(6)", dt.timedelta(hours=-13, minutes=-5, microseconds=-42)),
    "null": ("INT NULL", None),
    "blob": ("BLOB", bytes(range(256)) * 4),
    "integer": ("BIGINT", -(2**63)),
    "unsigned": ("BIGINT UNSIGNED", 2**64 - 1),
    "double": ("DOUBLE", 0.1 + 0.2),
}
"""Every kind of value: the column's type and what must come back."""


def run(report: Any, client: Any, *, plugins: tuple[str, ...], optional: tuple[str, ...]) -> None:
    """Try a client: ``plugins`` it must be able to log in with, ``optional`` ones are told."""
    refused(report, client)
    for name in (*plugins, *optional):
        login(report, client, name, required=name in plugins)
    if report.dsn:
        live(report, client)


def options(**given: object) -> dict[str, Any]:
    """A client's options, whole."""
    empty = dict.fromkeys(
        ("database", "unix_socket", "ssl_mode", "ssl_ca", "ssl_cert", "ssl_key"), None
    )
    return {**empty, "password": "", "timeout": 10, **given}


def code_of(error: BaseException) -> int | None:
    """The number of a driver's error, where it keeps one."""
    number = getattr(error, "errno", None)
    if not isinstance(number, int) and error.args and isinstance(error.args[0], int):
        number = error.args[0]
    return number if isinstance(number, int) else None


def refused(report: Any, client: Any) -> None:
    """Nobody listens: the driver must say so in its own words, which proves its C client works."""
    with report.check("connection refused") as check:
        try:
            client.connect(
                options(host="127.0.0.1", port=closed_port(), user="nobody", ssl_mode="disabled")
            )
        except client.errors as error:
            check.detail = f"{type(error).__name__} {code_of(error)}: {error}"
            if code_of(error) not in CANNOT_CONNECT:
                check.fail(f"the wrong error: {check.detail}")
        else:
            check.fail("it connected to a port on which nobody listens")


def login(report: Any, client: Any, plugin: str, *, required: bool) -> None:
    """Whether the client can log in with an authentication plugin, by trying to."""
    with report.check(f"auth {plugin}", required=required) as check:
        answer, words, code = ask(client, plugin)
        if code == TLS_WANTED:
            # Connector/C 3.4 wants TLS of every server that is not reached through a socket.
            with tempfile.TemporaryDirectory(prefix="buildtools-") as folder:
                answer, words, code = ask(client, plugin, str(Path(folder) / "s"))
        length = SCRAMBLES[plugin][0]
        if answer is None or len(answer) != length:
            check.fail(f"not available: {words}{plugin_folders()}")
        elif code != ACCESS_DENIED or REFUSAL not in words:
            check.fail(f"the server's refusal came out as {words}")
        else:
            check.detail = plugin_file(plugin)


def ask(client: Any, plugin: str, path: str | None = None) -> tuple[bytes | None, str, int | None]:
    """Let the client log in once: its scramble, the words and the number of its error."""
    words, code = "nothing was raised", None
    with OneLogin(plugin, path) as server:
        where = {"unix_socket": path} if path else {}
        given = options(
            host="localhost" if path else "127.0.0.1",
            port=server.port,
            user="nobody",
            password="secret",  # noqa: S106 - nobody's
            ssl_mode="disabled",
            **where,
        )
        try:
            client.connect(given)
        except Exception as error:
            words, code = f"{type(error).__name__}: {error}", code_of(error)
    return server.answer, words, code


def plugin_file(plugin: str) -> str:
    """Where a plugin came from: a file that is mapped, else the client itself."""
    return next(
        (path for path in mapped() if Path(path).name == f"{plugin}.so"), "part of the client"
    )


def plugin_folders() -> str:
    """What is known of the folder that the client library looks into for plugins."""
    told = os.environ.get("MARIADB_PLUGIN_DIR")
    if told is not None:
        return f" (MARIADB_PLUGIN_DIR is {told!r})"
    for path in mapped():
        if re.match(r"libmariadb\b.*\.so", Path(path).name):
            folder = Path(path).parent / "libmariadb3" / "plugin"
            state = "is there" if folder.is_dir() else "is not there"
            return f" (MARIADB_PLUGIN_DIR is not set; beside the library, {folder} {state})"
    return ""


def mapped() -> list[str]:
    """The files that are mapped into this process, in the order of their names."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return sorted({line.split(None, 5)[-1] for line in lines if "/" in line})


def live(report: Any, client: Any) -> None:
    """Use a live server: every kind of value goes in and comes back."""
    connection = None
    with report.check("connect") as check:
        connection = client.connect(live_options(report.dsn))
        version = client.rows(connection, "SELECT VERSION()")[0][0]
        cipher = client.rows(connection, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        secure = f"TLS {text(cipher[0][1])}" if cipher and cipher[0][1] else "no TLS"
        check.detail = f"{text(version)}, {secure}"
    if connection is None:
        return
    try:
        with_table(report, client, connection)
    finally:
        client.close(connection)


def live_options(dsn: dict[str, Any]) -> dict[str, Any]:
    """The options of a DSN."""
    extra = {key.replace("-", "_"): value for key, value in dsn["options"].items()}
    timeout = int(extra.pop("connect_timeout", 10))
    base = {key: dsn[key] for key in ("host", "port", "user", "password", "database")}
    return options(timeout=timeout, **base, **extra)


def with_table(report: Any, client: Any, connection: Any) -> None:
    """Make a table, use it, and leave none behind whatever happens."""
    table = f"buildtools_probe_{os.urandom(6).hex()}"
    made = False
    try:
        with report.check("create table") as check:
            check.detail = create(client, connection, table)
            made = True
        if made:
            round_trip(report, client, connection, table)
            transaction(report, client, connection, table)
            prepared(report, client, connection, table)
    finally:
        if made:
            client.rows(connection, f"DROP TABLE IF EXISTS {table}")


def create(client: Any, connection: Any, table: str) -> str:
    """A temporary table, gone with the connection; a real one where those are not allowed."""
    columns = ", ".join(f"`{name}` {kind}" for name, (kind, _) in VALUES.items())
    body = f"{table} (id INT AUTO_INCREMENT PRIMARY KEY, {columns}) ENGINE=InnoDB"
    try:
        client.rows(connection, f"CREATE TEMPORARY TABLE {body}")
    except Exception as error:
        if code_of(error) not in NO_CREATE_TEMPORARY:
            raise
        client.rows(connection, f"CREATE TABLE {body}")
        return "a real one, dropped at the end"
    return "a temporary one"


def round_trip(report: Any, client: Any, connection: Any, table: str) -> None:
    """Insert every kind of value and read it back, each a check of its own."""
    names = ", ".join(f"`{name}`" for name in VALUES)
    marks = ", ".join(["%s"] * len(VALUES))
    row = None
    with report.check("insert") as check:
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names are ours
        client.rows(connection, sql, tuple(value for _, value in VALUES.values()))
        client.rows(connection, "COMMIT")
        found = client.rows(connection, f"SELECT {names} FROM {table}")  # noqa: S608
        check.detail = f"{len(found)} row"
        if len(found) == 1:
            row = found[0]
        else:
            check.fail(f"{len(found)} rows came back, not one")
    for name, value in zip(VALUES, row or (), strict=False):
        with report.check(name) as check:
            same(check, value, VALUES[name][1])


def same(check: Any, found: object, wanted: object) -> None:
    """Whether what came back is what went in; bytes may come as a bytearray."""
    if isinstance(found, bytearray) and isinstance(wanted, bytes):
        found = bytes(found)
    if found != wanted or type(found) is not type(wanted):
        check.fail(f"found {found!r}, wanted {wanted!r}")


def transaction(report: Any, client: Any, connection: Any, table: str) -> None:
    """What is rolled back is gone."""
    with report.check("transaction") as check:
        client.rows(connection, "START TRANSACTION")
        client.rows(connection, f"DELETE FROM {table}")  # noqa: S608
        client.rows(connection, "ROLLBACK")
        found = client.rows(connection, f"SELECT COUNT(*) FROM {table}")  # noqa: S608
        same(check, found[0][0], 1)


def prepared(report: Any, client: Any, connection: Any, table: str) -> None:
    """A prepared statement over the binary protocol, where the driver has them."""
    if not hasattr(client, "prepared"):
        return
    with report.check("prepared statement") as check:
        names = ("integer", "utf8mb4", "decimal", "datetime", "null", "blob")
        columns = ", ".join(f"`{name}`" for name in names)
        sql = f"SELECT {columns} FROM {table} WHERE `integer` = ? AND `date` = ?"  # noqa: S608
        values = (VALUES["integer"][1], VALUES["date"][1])
        found = client.prepared(connection, sql, values)
        if len(found) != 1:
            check.fail(f"{len(found)} rows came back, not one")
            return
        for name, value in zip(names, found[0], strict=True):
            same(check, value, VALUES[name][1])
        if check.ok:
            check.detail = f"{len(names)} columns over the binary protocol"


def text(value: object) -> str:
    """Text, also of a driver that gives bytes."""
    return value.decode() if isinstance(value, (bytes, bytearray)) else str(value)
