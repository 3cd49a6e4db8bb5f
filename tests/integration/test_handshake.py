"""The listener that asks a MySQL client how it logs in, met by clients of every temper."""

import importlib
import socket
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Self

import pytest

from buildtools.recipes import recipe_root


class ClientError(Exception):
    """What a driver raises: a number and words."""


class Check:
    def __init__(self, name: str) -> None:
        self.name = name
        self.ok = True
        self.detail = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def fail(self, detail: str) -> None:
        self.ok, self.detail = False, detail


class Report:
    def __init__(self) -> None:
        self.checks: list[Check] = []

    def check(self, name: str, *, required: bool = True) -> Check:
        assert required
        self.checks.append(Check(name))
        return self.checks[-1]


class RawClient:
    """Speaks as much of the protocol as logging in takes."""

    errors = (ClientError,)

    def __init__(self, handshake: ModuleType, *, scramble: int | None, tls: bool = False) -> None:
        self._handshake = handshake
        self._scramble = scramble
        self._tls = tls
        self.asked: list[str] = []

    def connect(self, options: dict[str, Any]) -> None:
        if self._tls and not options["unix_socket"]:
            raise ClientError(2026, "SSL is required, but the server does not support it")
        if options["unix_socket"]:
            client = socket.socket(socket.AF_UNIX)
            client.connect(options["unix_socket"])
        else:
            client = socket.create_connection((options["host"], options["port"]))
        with client:
            self._log_in(client)

    def _log_in(self, client: socket.socket) -> None:
        shake = self._handshake
        sequence, greeting = shake.receive(client)
        assert greeting[0] == 10
        shake.send(client, sequence + 1, b"\0" * 40)
        sequence, switch = shake.receive(client)
        assert switch[0] == 0xFE
        self.asked.append(switch[1:].partition(b"\0")[0].decode())
        # A client that is greeted with the plugin itself would not have to switch.
        assert self.asked[-1].encode() not in greeting
        if self._scramble is None:
            raise ClientError(2059, "Authentication plugin cannot be loaded")
        shake.send(client, sequence + 1, b"s" * self._scramble)
        _, refusal = shake.receive(client)
        assert refusal[0] == 0xFF
        raise ClientError(int.from_bytes(refusal[1:3], "little"), refusal[9:].decode())


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The checks and the listener, imported as a probe does."""
    folder = str(recipe_root() / "mysql")
    # The recipes' folder travels in the wheel as it stands.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sys.path.insert(0, folder)
    try:
        yield importlib.import_module("mysql_checks"), importlib.import_module("mysql_handshake")
    finally:
        sys.path.remove(folder)
        for name in ("mysql_checks", "mysql_handshake"):
            sys.modules.pop(name, None)


Family = tuple[ModuleType, ModuleType]


def login(family: Family, plugin: str, **client: Any) -> tuple[Check, RawClient]:
    checks, handshake = family
    raw = RawClient(handshake, **client)
    report = Report()
    checks.login(report, raw, plugin, required=True)
    return report.checks[0], raw


@pytest.mark.parametrize(
    ("plugin", "scramble"),
    [("mysql_native_password", 20), ("caching_sha2_password", 32), ("client_ed25519", 64)],
)
def test_a_client_with_the_plugin_answers_its_scramble(
    family: Family, plugin: str, scramble: int
) -> None:
    check, raw = login(family, plugin, scramble=scramble)
    assert check.ok, check.detail
    assert raw.asked == [plugin]


def test_a_client_without_the_plugin_is_found_out(family: Family) -> None:
    check, _ = login(family, "caching_sha2_password", scramble=None)
    assert not check.ok
    assert "not available: ClientError: (2059" in check.detail


def test_an_answer_of_another_plugin_is_not_taken(family: Family) -> None:
    check, _ = login(family, "caching_sha2_password", scramble=20)
    assert not check.ok


def test_a_client_that_will_not_do_without_tls_is_asked_over_a_socket(family: Family) -> None:
    check, raw = login(family, "caching_sha2_password", scramble=32, tls=True)
    assert check.ok, check.detail
    assert raw.asked == ["caching_sha2_password"]


def test_a_refused_connection_must_carry_its_number(family: Family) -> None:
    checks, handshake = family

    class Refused(RawClient):
        number = 2003

        def connect(self, options: dict[str, Any]) -> None:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((options["host"], options["port"]))
            raise ClientError(self.number, "cannot connect")

    report = Report()
    checks.refused(report, Refused(handshake, scramble=None))
    Refused.number = 9999
    checks.refused(report, Refused(handshake, scramble=None))
    assert [check.ok for check in report.checks] == [True, False]
