"""Tries MariaDB Connector/Python."""

from __future__ import annotations

from typing import Any

import mariadb
import mysql_checks


class Client:
    errors = (mariadb.OperationalError,)

    def connect(self, options: dict[str, Any]) -> Any:
        words: dict[str, Any] = {
            "host": options["host"],
            "port": options["port"],
            "user": options["user"],
            "password": options["password"],
            "connect_timeout": options["timeout"],
        }
        for name in ("database", "unix_socket", "ssl_ca", "ssl_cert", "ssl_key"):
            if options[name]:
                words[name] = options[name]
        mode = options["ssl_mode"]
        if mode:
            words["ssl"] = mode not in {"disabled", "preferred"}
            words["ssl_verify_cert"] = mode in {"verify-ca", "verify-identity"}
        return mariadb.connect(**words)

    def rows(self, connection: Any, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall()) if cursor.description else []

    def prepared(self, connection: Any, sql: str, values: tuple[object, ...]) -> list[Any]:
        with connection.cursor(prepared=True) as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def close(self, connection: Any) -> None:
        connection.close()


def probe(report: Any) -> None:
    with report.check("client library") as check:
        version = mariadb.mariadbapi_version
        report.library = f"MariaDB Connector/C {version}"
        check.detail = version
    mysql_checks.run(
        report,
        Client(),
        plugins=("mysql_native_password", "caching_sha2_password"),
        optional=("client_ed25519",),
    )
