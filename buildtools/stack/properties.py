"""The servers' configuration files for the process engine; the same settings as in compose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from buildtools.stack.settings import Mode, Settings

LOCAL = "127.0.0.1"
_KAFKA: Mapping[str, str] = {
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "log.retention.hours": "168",
    "log.retention.check.interval.ms": "300000",
}

RELOAD4J = """log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
"""
LOG4J2 = """rootLogger.level=info
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
"""


def zookeeper_properties(settings: Settings, data: Path) -> str:
    """ZooKeeper: snapshots and transaction logs apart, auto-purge, four words to ask with."""
    return _lines(
        {
            "dataDir": str(data / "snapshots"),
            "dataLogDir": str(data / "log"),
            "clientPort": str(settings.zookeeper_port),
            "clientPortAddress": LOCAL,
            "tickTime": "2000",
            "minSessionTimeout": "4000",
            "maxSessionTimeout": "40000",
            "maxClientCnxns": "0",
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "srvr,ruok,dump,cons",
            "autopurge.purgeInterval": "24",
            "autopurge.snapRetainCount": "3",
        }
    )


def kafka_properties(settings: Settings, mode: Mode, data: Path) -> str:
    """The broker with id 1: INSIDE for itself, OUTSIDE for clients, KRaft's controller in it."""
    listeners = f"INSIDE://{LOCAL}:{settings.inside_port},OUTSIDE://{LOCAL}:{settings.kafka_port}"
    own = {
        "listeners": listeners,
        "advertised.listeners": f"INSIDE://{LOCAL}:{settings.inside_port},"
        f"OUTSIDE://{settings.advertised_host}:{settings.kafka_port}",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
        "log.dirs": str(data),
    }
    if mode is Mode.ZOOKEEPER:
        own |= {
            "broker.id": "1",
            "zookeeper.connect": f"{LOCAL}:{settings.zookeeper_port}",
            "zookeeper.session.timeout.ms": "18000",
            "zookeeper.connection.timeout.ms": "18000",
        }
    else:
        controller = f"{LOCAL}:{settings.controller_port}"
        own |= {
            "node.id": "1",
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{listeners},CONTROLLER://{controller}",
            "listener.security.protocol.map": own["listener.security.protocol.map"]
            + ",CONTROLLER:PLAINTEXT",
        }
    return _lines({**own, **_KAFKA})


def redis_configuration(settings: Settings, data: Path) -> str:
    """Redis with a password and an append-only file."""
    return (
        f"bind {LOCAL}\nport {settings.redis_port}\ndaemonize no\nappendonly yes\n"
        f'dir "{data}"\nrequirepass "{settings.redis_password}"\n'
    )


def mysql_configuration(settings: Settings, data: Path, accounts: Path, temporary: Path) -> str:
    """MariaDB on TCP, its socket among its data; ``accounts`` is SQL that it runs at each start."""
    return (
        f"[mysqld]\ndatadir={data}\ntmpdir={temporary}\nport={settings.db_port}\nbind-address={LOCAL}\n"
        "socket=mysql.sock\npid-file=mysql.pid\nskip-name-resolve\n"
        "character-set-server=utf8mb4\ninnodb-buffer-pool-size=128M\n"
        f"init-file={accounts}\n"
    )


def mysql_accounts(settings: Settings) -> str:
    """The application's database and user, made when missing; an old password stays as it is."""
    user = f"'{settings.db_user}'@'{LOCAL}'"
    return (
        f"CREATE DATABASE IF NOT EXISTS `{settings.db_name}` CHARACTER SET utf8mb4;\n"
        f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{settings.db_password}';\n"
        f"GRANT ALL ON `{settings.db_name}`.* TO {user};\n"
    )


def cluster_of(meta_properties: str) -> str | None:
    """``cluster.id`` of a broker's ``meta.properties``, or None."""
    for line in meta_properties.splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "cluster.id":
            return value.strip()
    return None


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())
