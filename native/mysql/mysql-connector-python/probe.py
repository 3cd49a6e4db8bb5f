"""Tries MySQL's own driver: its C extension where it is loaded, else what answers instead."""

from __future__ import annotations

from typing import Any

import mysql.connector
import mysql_checks


class Client:
    errors = (
        mysql.connector.errors.InterfaceError,
        mysql.connector.errors.OperationalError,
        mysql.connector.errors.DatabaseError,
    )

    def connect(self, options: dict[str, Any]) -> Any:
        words: dict[str, Any] = {
            "host": options["host"],
            "port": options["port"],
            "user": options["user"],
            "password": options["password"],
            "connection_timeout": options["timeout"],
            "use_pure": not mysql.connector.HAVE_CEXT,
            "charset": "utf8mb4",
            # Its own default is a collation that MariaDB does not know.
            "collation": "utf8mb4_general_ci",
        }
        for name in ("database", "unix_socket", "ssl_ca", "ssl_cert", "ssl_key"):
            if options[name]:
                words[name] = options[name]
        mode = options["ssl_mode"]
        if mode == "disabled":
            words["ssl_disabled"] = True
        elif mode in {"verify-ca", "verify-identity"}:
            words["ssl_verify_cert"] = True
            words["ssl_verify_identity"] = mode == "verify-identity"
        return mysql.connector.connect(**words)

    def rows(self, connection: Any, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []

    def prepared(self, connection: Any, sql: str, values: tuple[object, ...]) -> list[Any]:
        with connection.cursor(prepared=True) as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def close(self, connection: Any) -> None:
        connection.close()


def probe(report: Any) -> None:
    with report.check("client library") as check:
        if mysql.connector.HAVE_CEXT:
            import _mysql_connector

            version = _mysql_connector.MySQL().get_client_info()
            report.library = f"libmysqlclient {version}"
            check.detail = version
        else:
            report.library = "pure Python"
            report.fallback("mysql.connector works without its C extension")
            check.detail = "pure Python: the C extension is not loaded"
    mysql_checks.run(
        report,
        Client(),
        plugins=("mysql_native_password", "caching_sha2_password"),
        optional=(),
    )
