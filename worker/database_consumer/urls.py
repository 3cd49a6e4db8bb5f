"""URLs of databases and caches: what is wrong with one, its password, and how it may be shown.

Pure: nothing is dialled. Drivers read URLs in different ways (SQLAlchemy takes ``#`` and ``?`` into
a password, urllib does not), so a password is looked for in each of them.
"""

from __future__ import annotations

import contextlib
import re
from urllib.parse import quote, unquote, urlsplit

MASK = "********"

_SQL_PASSWORD = re.compile(r"[\w+]+://[^:/]*:([^@]*)@")
"""As SQLAlchemy reads one (sqlalchemy.engine.url)."""

_SQL_SCHEMES = ("mysql", "mariadb")
_FILE_SCHEMES = ("sqlite", "json")
_REDIS_SCHEMES = ("redis", "rediss", "unix")


def masked_url(text: str) -> str:
    """``text`` with the password of a URL masked, in its login and in its query."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    end = min((rest.find(mark) for mark in "/?#" if mark in rest), default=len(rest))
    authority, tail = rest[:end], rest[end:]
    if "@" in tail:  # an unquoted slash, # or ? in the password: hide all of it
        return f"{scheme}://{MASK}"
    login, at, place = authority.rpartition("@")
    user, colon, _ = login.partition(":")
    path, question, query = tail.partition("?")
    query = "&".join(_masked_pair(pair) for pair in query.split("&"))
    return f"{scheme}://{user}{colon and ':' + MASK}{at}{place}{path}{question}{query}"


def _masked_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    hidden = equals and any(word in name.lower() for word in ("pass", "secret", "token", "key"))
    return f"{name}={MASK}" if hidden else pair


def passwords(url: str) -> frozenset[str]:
    """Every text that somebody may take for the URL's password, as written and unquoted."""
    found: set[str] = set()
    if match := _SQL_PASSWORD.match(url):
        found.add(match[1])
    with contextlib.suppress(ValueError):
        found.add(urlsplit(url).password or "")
    login, at, _ = url.partition("://")[2].rpartition("@")
    if at and ":" in login:
        found.add(login.partition(":")[2])
    spelt = {quote(unquote(one), safe="") for one in found}
    return frozenset(one for one in found | spelt | set(map(unquote, found)) if one)


def database_problem(url: str) -> str:
    """What is wrong with a database's URL, without repeating any of it; empty: nothing."""
    scheme, separator, rest = url.partition("://")
    family = scheme.partition("+")[0]
    if not separator or family not in _SQL_SCHEMES + _FILE_SCHEMES:
        return "wants mysql://USER:PASSWORD@HOST:PORT/NAME or sqlite:///PATH"
    if family in _FILE_SCHEMES:
        if not rest.startswith("/") or not rest.strip("/"):
            return f"wants {family}:///PATH (four slashes for a path from the root)"
        return ""
    login = r"([^:/]*(:[^@]*)?@)?"
    if not re.fullmatch(login + r"(\[[^/?]+\]|[^/:?@\[\]]*)(:\d+)?/[^/?]+(\?.*)?", rest):
        return (
            "wants mysql://USER:PASSWORD@HOST:PORT/NAME, with a number as the port, and with "
            "@ : / of user or password written as %40 %3A %2F"
        )
    return ""


def redis_problem(url: str) -> str:
    """What is wrong with Redis's URL, without repeating any of it; empty: nothing."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "wants redis://:PASSWORD@HOST:PORT/DB, with a number as the port"
    if parts.scheme not in _REDIS_SCHEMES:
        return "wants redis://, rediss:// (TLS) or unix://"
    if parts.scheme == "unix":
        return "" if parts.path.strip("/") else "wants unix:///PATH"
    if not parts.hostname or port == 0 or not re.fullmatch(r"/?\d*", parts.path):
        return (
            "wants redis://:PASSWORD@HOST:PORT/DB, with odd characters of the password quoted "
            "(# ? / as %23 %3F %2F)"
        )
    return ""
