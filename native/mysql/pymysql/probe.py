"""Tries PyMySQL; it has no prepared statements, and ed25519 only with PyNaCl beside it."""

from __future__ import annotations

from typing import Any

import mysql_checks
import pymysql


class Client:
    errors = (pymysql.err.OperationalError,)

    def connect(self, options: dict[str, Any]) -> Any:
        words: dict[str, Any] = {
            "host": options["host"],
            "port": options["port"],
            "user": options["user"],
            "password": options["password"],
            "connect_timeout": options["timeout"],
            "charset": "utf8mb4",
        }
        for name in ("database", "unix_socket", "ssl_ca", "ssl_cert", "ssl_key"):
            if options[name]:
                words[name] = options[name]
        mode = options["ssl_mode"]
        if mode == "disabled":
            words["ssl_disabled"] = True
        elif mode in {"required", "verify-ca", "verify-identity"}:
            words["ssl_verify_cert"] = mode != "required"
            words["ssl_verify_identity"] = mode == "verify-identity"
            words["ssl"] = {"check_hostname": mode == "verify-identity"}
        return pymysql.connect(**words)

    def rows(self, connection: Any, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall()) if cursor.description else []

    def close(self, connection: Any) -> None:
        connection.close()


def probe(report: Any) -> None:
    report.library = "pure Python"
    mysql_checks.run(
        report,
        Client(),
        plugins=("mysql_native_password", "caching_sha2_password"),
        optional=("client_ed25519",),
    )
