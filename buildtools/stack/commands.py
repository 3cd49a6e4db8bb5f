"""Each service's program for the process engine: found, configured, ready for its first start."""

from __future__ import annotations

import getpass
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from buildtools.errors import CannotLookError
from buildtools.processes import clean_environment, run
from buildtools.stack import properties
from buildtools.stack.jars import libraries
from buildtools.stack.keeper import Orders
from buildtools.stack.services import Service
from buildtools.stack.settings import Mode, Settings
from buildtools.stack.trouble import StackError
from buildtools.stack.volumes import make_volume
from buildtools.writing import write_whole

_HEAP: Mapping[str, tuple[str, ...]] = {
    "zookeeper": ("-Xms64m", "-Xmx256m"),
    "kafka": ("-Xms256m", "-Xmx512m"),
}
_JAVA = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true")
"""A quick start matters more here than throughput."""
_FORMAT_SECONDS = 120.0
_KRAFT_JAVA = 17
_PACKAGES = {
    "java": ("Java", "openjdk-17-jre-headless", "openjdk"),
    "mariadbd": ("MariaDB", "mariadb-server", "mariadb"),
    "mariadb-install-db": ("MariaDB", "mariadb-server", "mariadb"),
    "redis-server": ("Redis", "redis-server", "redis"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is given from outside: the environment, and the cache for jars."""

    environ: Mapping[str, str]
    cache: Path
    tell: Callable[[str, str], None]


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """Where a server's program is; :class:`CannotLookError` with the package to install."""
    home = environ.get("JAVA_HOME")
    if name == "java" and home and (Path(home) / "bin" / "java").is_file():
        return str(Path(home) / "bin" / "java")
    found = shutil.which(name, path=f"{environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is not None:
        return found
    label, debian, brew = _PACKAGES[name]
    raise CannotLookError(
        f"{label} is not on this machine",
        why=f"no {name} on PATH",
        next_step=f"apt-get install {debian}, or brew install {brew}; or run the containers of "
        "stack/compose.yaml",
    )


def check_programs(names: tuple[str, ...], mode: Mode, machine: Machine) -> None:
    """All programs and jars of these services, before any of them starts."""
    if "zookeeper" in names or "kafka" in names:
        java = find_program("java", machine.environ)
        if mode is Mode.KRAFT:
            _check_java(java)
        libraries(mode, machine.environ, machine.cache, lambda text: machine.tell("kafka", text))
    if "mysql" in names:
        find_program("mariadbd", machine.environ)
        find_program("mariadb-install-db", machine.environ)
    if "redis" in names:
        find_program("redis-server", machine.environ)


def _check_java(java: str) -> None:
    said = run((java, "-version"), timeout=60)
    found = re.search(r'version "(\d+)', said.stderr + said.stdout)
    if not said.ok or found is None:
        raise CannotLookError(f"{java} does not run", why=said.tail(4))
    if int(found[1]) < _KRAFT_JAVA:
        raise CannotLookError(
            f"Kafka 4 needs Java {_KRAFT_JAVA}",
            where=java,
            why=f"it is Java {found[1]}",
            next_step="install a newer one, set JAVA_HOME, or use --mode zookeeper",
        )


def orders(service: Service, mode: Mode, settings: Settings, machine: Machine) -> Orders:
    """Configure a service, make its data ready for a first start, and say how to run it."""
    for name in service.volumes:
        make_volume(settings, name)
    conf = settings.folder / "conf"
    conf.mkdir(exist_ok=True, mode=0o700)
    match service.name:
        case "zookeeper":
            argv = _zookeeper(service, settings, machine)
        case "kafka":
            argv = _kafka(service, mode, settings, machine)
        case "mysql":
            argv = _mysql(service, settings, machine)
        case _:
            argv = _redis(service, settings, machine)
    stale = service.name == "kafka" and mode is Mode.ZOOKEEPER
    return Orders(
        service=service.name,
        folder=str(settings.folder),
        argv=argv,
        env={},
        log=str(settings.folder / "logs" / f"{service.name}.log"),
        cwd=str(settings.folder),
        grace=service.grace,
        zookeeper=settings.zookeeper_port if stale else None,
        kafka=str(_data(settings, service)) if stale else "",
    )


def _data(settings: Settings, service: Service) -> Path:
    return make_volume(settings, service.volumes[0]).data


def _written(settings: Settings, name: str, text: str) -> Path:
    file = settings.folder / "conf" / name
    write_whole(file, text.encode(), mode=0o600)
    return file


def _java(name: str, mode: Mode, settings: Settings, machine: Machine) -> tuple[str, ...]:
    jars = libraries(mode, machine.environ, machine.cache, lambda _text: None)
    if mode is Mode.ZOOKEEPER:
        logging = _written(settings, "log4j.properties", properties.RELOAD4J)
        option = f"-Dlog4j.configuration=file:{logging}"
    else:
        logging = _written(settings, "log4j2.properties", properties.LOG4J2)
        option = f"-Dlog4j2.configurationFile={logging}"
    java = find_program("java", machine.environ)
    # Its own: a Java that is killed leaves there what its libraries unpacked.
    temporary = settings.folder / "tmp" / name
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True, mode=0o700)
    place = f"-Djava.io.tmpdir={temporary}"
    return (java, *_HEAP[name], *_JAVA, place, option, "-cp", f"{jars}/*")


def _zookeeper(service: Service, settings: Settings, machine: Machine) -> tuple[str, ...]:
    data = _data(settings, service)
    file = _written(
        settings, "zookeeper.properties", properties.zookeeper_properties(settings, data)
    )
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    return (*_java("zookeeper", Mode.ZOOKEEPER, settings, machine), main, str(file))


def _kafka(service: Service, mode: Mode, settings: Settings, machine: Machine) -> tuple[str, ...]:
    data = _data(settings, service)
    text = properties.kafka_properties(settings, mode, data)
    file = _written(settings, f"kafka-{mode}.properties", text)
    java = _java("kafka", mode, settings, machine)
    if mode is Mode.KRAFT and not (data / "meta.properties").exists():
        machine.tell("kafka", "formatting its storage")
        words = ("kafka.tools.StorageTool", "format", "-t", settings.cluster_id, "-c", str(file))
        done = run((*java, *words), timeout=_FORMAT_SECONDS)
        if not done.ok:
            raise StackError("Kafka's storage could not be formatted", why=done.tail(8))
    return (*java, "kafka.Kafka", str(file))


def _mysql(service: Service, settings: Settings, machine: Machine) -> tuple[str, ...]:
    data = _data(settings, service)
    # Its own: a server that starts removes what others have in theirs.
    temporary = data.with_name("tmp")
    temporary.mkdir(exist_ok=True, mode=0o700)
    # Root may run it for development; MariaDB wants that said.
    user = ("--user=root",) if os.geteuid() == 0 else ()
    if not (data / "mysql").is_dir():
        machine.tell("mysql", "making its data folder")
        _make_mysql_data(data, (f"--tmpdir={temporary}", *user), machine)
    accounts = _written(settings, "mysql.sql", properties.mysql_accounts(settings))
    text = properties.mysql_configuration(settings, data, accounts, temporary)
    file = _written(settings, "my.cnf", text)
    return (find_program("mariadbd", machine.environ), f"--defaults-file={file}", *user)


def _make_mysql_data(data: Path, options: tuple[str, ...], machine: Machine) -> None:
    """Made aside and put in place whole: half a folder would be taken for a whole one later."""
    half = data.with_name(f"{data.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    install = find_program("mariadb-install-db", machine.environ)
    words = (install, "--no-defaults", f"--datadir={half}", "--skip-test-db", *options)
    login = f"--auth-root-socket-user={getpass.getuser()}"
    done = run(
        (*words, "--auth-root-authentication-method=socket", login),
        timeout=_FORMAT_SECONDS,
        env=clean_environment(),
    )
    if not done.ok:
        shutil.rmtree(half, ignore_errors=True)
        raise StackError("MariaDB's data folder could not be made", why=done.tail(8))
    half.replace(data)


def _redis(service: Service, settings: Settings, machine: Machine) -> tuple[str, ...]:
    data = _data(settings, service)
    file = _written(settings, "redis.conf", properties.redis_configuration(settings, data))
    return (find_program("redis-server", machine.environ), str(file))
