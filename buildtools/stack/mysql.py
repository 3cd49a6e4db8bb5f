"""One question to MySQL, over TCP, as the application, in its database."""

from __future__ import annotations

from buildtools.stack.settings import Settings
from buildtools.stack.trouble import missing_extra


def ping(settings: Settings) -> None:
    """``SELECT 1`` and whether it may write; raises what the driver raises."""
    try:
        import pymysql
    except ImportError as error:
        raise missing_extra("pymysql") from error
    connection = pymysql.connect(
        host="127.0.0.1",
        port=settings.db_port,
        user=settings.db_user,
        password=settings.db_password,
        database=settings.db_name,
        connect_timeout=3,
        read_timeout=3,
        write_timeout=3,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1, @@global.read_only")
        found = cursor.fetchone()
    if found is None or found[1]:
        raise ConnectionError("the server is read-only")
