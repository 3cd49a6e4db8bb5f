"""The contract over a real MariaDB and a real MySQL, through PyMySQL and mysqlclient.

The latter where it is installed.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from contract.alike import *  # noqa: F403
from contract.stage import Make, Setup
from contract.suite import *  # noqa: F403
from servers.mariadb import MariaDb, running
from servers.mysql import MySql

from database_consumer.stores.base import Store
from database_consumer.stores.opening import open_mysql

pytestmark = pytest.mark.server
_numbers = itertools.count()


@pytest.fixture(scope="module", params=[MariaDb, MySql])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MariaDb]:
    # Nothing here kills the server, so its log need not be on the disk at once.
    options = ("--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite")
    folder = tmp_path_factory.mktemp("database") / "server"
    with running(folder, options=options, kind=request.param) as server:
        yield server


DRIVERS = ["pymysql", *(["mysqldb"] if importlib.util.find_spec("MySQLdb") else [])]


@pytest.fixture(params=DRIVERS)
def make(request: pytest.FixtureRequest, server: MariaDb) -> Iterator[Make]:
    name = f"contract_{next(_numbers)}"
    server.database(name)
    stores: list[Store] = []

    def make(setup: Setup) -> Store:
        url = server.url(name, driver=request.param)
        store = open_mysql(url, tables=setup.tables, handlers=setup.handlers, policy=setup.policy)
        stores.append(store)
        for table in setup.create:
            table.create(sa.create_engine(url, poolclass=sa.NullPool), checkfirst=True)
        store.open()
        store.ensure_schema()
        return store

    yield make
    for store in stores:
        store.close()
