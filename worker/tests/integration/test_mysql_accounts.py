"""Logging in to a real MySQL, whose accounts are ``caching_sha2_password`` by default."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.mariadb import MariaDb, running
from servers.mysql import MySql

from database_consumer.readiness.answers import Outcome
from database_consumer.readiness.services import DatabaseProbe
from database_consumer.stores.base import StoreUnavailable
from database_consumer.stores.opening import open_mysql

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    folder = tmp_path_factory.mktemp("database") / "server"
    with running(folder, kind=MySql, options=("--ssl=OFF",)) as server:
        yield server


def test_a_password_that_cannot_be_encrypted_is_final_and_has_a_mend(
    server: MariaDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyMySQL says so with an error that is none of a database's."""
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)  # whatever is installed here
    server.database("plain")
    store = open_mysql(server.url("plain", driver="pymysql"), tables={})
    with pytest.raises(StoreUnavailable, match="cryptography"):
        store.open()
    answer = DatabaseProbe(ping=store.open).look()
    assert answer.outcome is Outcome.WRONG
    assert "cryptography" in answer.why
    assert "TLS" in answer.mend
    store.close()
