"""The health checks of the compose files, made from here: cheap, and only for the start's order.

Whether a client can work is :mod:`buildtools.stack.readiness`'s question.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from buildtools.stack.listeners import listener
from buildtools.stack.settings import Settings
from buildtools.stack.trouble import StackError

LOCAL = "127.0.0.1"
_SECONDS = 2.0
_REFUSALS = {1044, 1045, 1049, 1698}
"""MySQL's numbers for an account, a password or a database that is not to be had."""
_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""Kafka's ApiVersions, version 0, of a client without a name: the first request of every one."""


class _RefusedError(Exception):
    """It serves, and does not take this stack's account."""


def health(service: str, settings: Settings) -> str:
    """Why a service is not healthy; nothing when it is."""
    try:
        return _check(service, settings)
    except (OSError, _RefusedError) as error:
        return str(error)


def serves(service: str, settings: Settings) -> str:
    """Why a service does not serve yet; nothing when it does, be it to refuse a password.

    For the start's order: that refusal is final, and no longer a matter of time.
    """
    try:
        return _check(service, settings)
    except OSError as error:
        return str(error)
    except _RefusedError:
        return ""


def _check(service: str, settings: Settings) -> str:
    checks: dict[str, Callable[[Settings], str]] = {
        "zookeeper": _zookeeper,
        "kafka": _kafka,
        "mysql": _mysql,
        "redis": _redis,
    }
    return checks[service](settings)


def listens(port: int) -> bool:
    """Whether something on this machine accepts connections at a port."""
    with socket.socket() as probe:
        probe.settimeout(_SECONDS)
        return probe.connect_ex((LOCAL, port)) == 0


def port_is_free(port: int) -> bool:
    """Whether a server could listen there (as servers do, past connections in TIME_WAIT)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCAL, port))
        except OSError:
            return False
        return True


def check_port(service: str, port: int, holder: str = "") -> None:
    """Refuse to start a service whose port is taken; :class:`StackError` says how to find who.

    ``holder`` is who is known to listen there; without it the kernel is asked.
    """
    if not port_is_free(port):
        who = holder or listener(port)
        named = "" if who else f" (lsof -i :{port} names it)"
        raise StackError(
            f"port {port} is taken",
            where=f"{service} on 127.0.0.1",
            why=f"{who or 'another program'} listens there",
            next_step=f"end it{named}, with buildtools stack down where it is another folder's "
            f"stack; or give {service} another port in .stack/.env",
        )


def _zookeeper(settings: Settings) -> str:
    answer = _exchange(settings.zookeeper_port, b"srvr")
    return "" if b"Mode:" in answer else f"srvr is answered with {answer[:60]!r}"


def _kafka(settings: Settings) -> str:
    # Docker's proxy accepts before the broker lives, so that an open port says nothing.
    with socket.create_connection((LOCAL, settings.kafka_port), timeout=_SECONDS) as link:
        link.sendall(_VERSIONS)
        answer = link.recv(8)
    return "" if answer[4:8] == _VERSIONS[8:12] else "the broker does not answer yet"


def _redis(settings: Settings) -> str:
    words = f"AUTH {settings.redis_password}\r\nPING\r\nQUIT\r\n".encode()
    answer = _exchange(settings.redis_port, words)
    if b"+PONG" in answer:
        return ""
    said = answer.decode(errors="replace").splitlines()[0][:120]
    if said.startswith(("-WRONGPASS", "-NOAUTH", "-ERR")):
        raise _RefusedError(said)
    return said


def _mysql(settings: Settings) -> str:
    from buildtools.stack.mysql import ping

    try:
        ping(settings)
    except Exception as error:
        if error.args and error.args[0] in _REFUSALS:
            raise _RefusedError(str(error)) from error
        return str(error)  # the driver has a dozen kinds; none may end the start
    return ""


def _exchange(port: int, words: bytes) -> bytes:
    with socket.create_connection((LOCAL, port), timeout=_SECONDS) as link:
        link.sendall(words)
        whole = b""
        while piece := link.recv(4096):
            whole += piece
        return whole or b"nothing"
