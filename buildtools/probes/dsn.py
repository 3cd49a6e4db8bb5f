"""The address of a live server and the credentials for it; what is printed of it is masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from buildtools.errors import UsageError

DEFAULT_PORT = 3306
FORM = "mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?ssl-ca=FILE&…]"
SSL_MODES = ("disabled", "preferred", "required", "verify-ca", "verify-identity")
OPTIONS: Mapping[str, str] = {
    "ssl-ca": "file",
    "ssl-cert": "file",
    "ssl-key": "file",
    "ssl-mode": "mode",
    "unix-socket": "file",
    "connect-timeout": "seconds",
}
"""What may stand behind ``?``, and what kind of value it has."""

_LONGEST_TIMEOUT = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Dsn:
    """One database on one server; ``password`` never shows in ``repr`` or ``str``.

    ``options`` holds keys of :data:`OPTIONS` with their values as text.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        secret = ":****" if self.password else ""
        return f"mysql://{quote(self.user)}{secret}@{host}:{self.port}/{quote(self.database)}"

    @property
    def secure(self) -> bool:
        """Whether TLS is asked for."""
        asked = any(name.startswith("ssl-") for name in self.options)
        return asked and self.options.get("ssl-mode") != "disabled"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The spellings of the password that must not show anywhere."""
        if not self.password:
            return ()
        return tuple(dict.fromkeys((self.password, quote(self.password, safe=""))))


def parse_dsn(text: str) -> Dsn:
    """Read a URL; raises :class:`UsageError`, whose words never repeat the password."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad("host or port cannot be read") from None
    if not re.fullmatch(r"(mysql|mariadb)(\+[a-z]+)?", parts.scheme):
        raise _bad("it must begin with mysql:// or mariadb://")
    if not parts.username:
        raise _bad("it names no user")
    if not host:
        raise _bad("it names no host")
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database:
        raise _bad("it must name one database behind the host")
    if parts.fragment:
        raise _bad("a '#' in a password is written %23")
    options = _options(parts.query)
    return Dsn(
        host=host,
        port=DEFAULT_PORT if port is None else port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=database,
        options=options,
    )


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise _bad("what stands behind '?' must be NAME=VALUE&…") from None
    for given, value in pairs:
        name = given.replace("_", "-").lower()
        kind = OPTIONS.get(name)
        if kind is None:
            raise _bad(f"{name!r} is no option; there are {', '.join(OPTIONS)}")
        if name in options:
            raise _bad(f"{name!r} stands twice")
        if kind == "mode" and value not in SSL_MODES:
            raise _bad(f"ssl-mode must be one of {', '.join(SSL_MODES)}")
        if kind == "seconds" and not (value.isdecimal() and 0 < int(value) <= _LONGEST_TIMEOUT):
            raise _bad(f"{name} must be whole seconds, 1 to {_LONGEST_TIMEOUT}")
        if not value:
            raise _bad(f"{name} has no value")
        options[name] = value
    return options


def _bad(why: str) -> UsageError:
    return UsageError(
        "this is no address of a MySQL server",
        why=why,
        next_step=f"write {FORM}; in names and passwords, % : / @ ? # are written %25 %3A %2F %40 "
        "%3F %23",
    )
