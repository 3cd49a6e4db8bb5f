"""Tries mysqlclient; it has no prepared statements."""

from __future__ import annotations

from typing import Any

import mysql_checks
import MySQLdb


class Client:
    errors = (MySQLdb.OperationalError,)

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
        if options["ssl_mode"]:
            words["ssl_mode"] = options["ssl_mode"].upper().replace("-", "_")
        files = {name: options[f"ssl_{name}"] for name in ("ca", "cert", "key")}
        if any(files.values()):
            words["ssl"] = {name: file for name, file in files.items() if file}
        return MySQLdb.connect(**words)

    def rows(self, connection: Any, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall()) if cursor.description else []

    def close(self, connection: Any) -> None:
        connection.close()


def probe(report: Any) -> None:
    with report.check("client library") as check:
        version = MySQLdb.get_client_info()
        report.library = f"client library {version}"
        check.detail = version
    mysql_checks.run(
        report,
        Client(),
        plugins=("mysql_native_password", "caching_sha2_password"),
        optional=("client_ed25519",),
    )
