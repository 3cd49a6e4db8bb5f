"""The database and Redis, asked as the worker uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from database_consumer.readiness.answers import ASK_SECONDS, READY, Answer, Outcome

_WRONG_DATABASE = {
    1044: "grant the user its database",
    1045: "check DB_USER and DB_PASSWORD",
    1049: "create the database that DB_NAME names",
    1698: "this user logs in by socket only: use another, or give it a password",
    2026: "check DB_SSL_CA, DB_SSL_CERT, DB_SSL_KEY and the server's TLS settings",
    3159: "the server takes encrypted connections only: set DB_SSL_CA",
    2059: "the server's authentication plugin is not available to this driver",
    2061: "let the server take TLS; or install the package cryptography beside PyMySQL",
}

_UNTRUSTED = "certificate verify failed"
"""OpenSSL's words for a certificate that no known authority signed, or of another host."""


@dataclass(slots=True, kw_only=True)
class DatabaseProbe:
    """The database by a ping of a store, which writes: a read-only server is not ready.

    ``ping`` raises an exception with a ``code`` (the driver's error number, or None).
    """

    ping: Callable[[], None]
    end: Callable[[], None] = lambda: None
    service: str = "database"

    def look(self) -> Answer:
        """See :class:`Probe`."""
        try:
            self.ping()
        except Exception as error:  # noqa: BLE001 -- every driver has its own; none may end the wait
            if _UNTRUSTED in str(error).lower():
                mend = "check DB_SSL_CA: it did not sign the certificate of this server and host"
                return Answer(outcome=Outcome.WRONG, why=str(error), mend=mend)
            code = _code(error)
            if code in _WRONG_DATABASE:
                mend = _WRONG_DATABASE[code]
                return Answer(outcome=Outcome.WRONG, why=_said(error), mend=mend)
            return Answer(outcome=Outcome.NOT_YET, why=_said(error), cause="mysql-not-ready")
        return READY

    def close(self) -> None:
        """See :class:`Probe`."""
        self.end()


@dataclass(slots=True, kw_only=True)
class RedisProbe:
    """Redis by PING, which is refused while it loads and without the right password."""

    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    service: str = "redis"

    def look(self) -> Answer:
        """See :class:`Probe`."""
        import redis

        try:
            link = redis.Redis.from_url(
                self.url,
                socket_timeout=ASK_SECONDS,
                socket_connect_timeout=ASK_SECONDS,
                retry=None,
                **self.options,
            )
            with link:
                link.ping()
        except redis.AuthenticationError as error:
            mend = "check REDIS_PASSWORD (and REDIS_USERNAME)"
            return Answer(outcome=Outcome.WRONG, why=str(error), mend=mend, cause="redis-auth")
        except (redis.RedisError, OSError) as error:
            if "NOAUTH" in str(error).upper() or "WRONGPASS" in str(error).upper():
                return Answer(
                    outcome=Outcome.WRONG,
                    why=str(error),
                    mend="set REDIS_PASSWORD",
                    cause="redis-auth",
                )
            if _UNTRUSTED in str(error).lower():
                mend = "check REDIS_SSL_CA: it did not sign the certificate of this server and host"
                return Answer(outcome=Outcome.WRONG, why=str(error), mend=mend)
            return Answer(outcome=Outcome.NOT_YET, why=str(error))
        return READY

    def close(self) -> None:
        """See :class:`Probe`."""


def _said(error: BaseException) -> str:
    """A driver's ``(number, "text")`` as a sentence; other errors as they are."""
    match error.args:
        case (int(number), str(text)):
            return f"{text} ({number})"
    return str(error)


def _code(error: BaseException | None) -> int | None:
    """The driver's error number, wherever in the chain it stands."""
    while error is not None:
        first = error.args[0] if error.args else None
        for found in (getattr(error, "code", None), first):
            if isinstance(found, int):
                return found
        error = error.__cause__
    return None
