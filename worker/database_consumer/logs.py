"""Structured logs: human on a terminal, JSON lines elsewhere, files with `LOG_DIR`.

Every line passes one gate that masks secrets, whoever wrote it: the worker, a library, or a
traceback.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from database_consumer.settings import LogLevel, Settings, SettingsError
from database_consumer.urls import MASK

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

FILE_BYTES = 20 * 1024 * 1024
FILE_COUNT = 5
_SECRET_NAMES = ("password", "passwd", "secret", "token", "authorization")
_SHORTEST_SECRET = 3
"""A shorter secret is masked only where its name says what it is: else every line would be torn."""
_DEPTH = 6
_MINUTE = 60.0
_KINDS = 200
_NUMBERS = re.compile(r"[0-9]+")


class SecretGate:
    """Masks every known secret text, and every value whose name says that it is one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(one for one in secrets if len(one) >= _SHORTEST_SECRET)

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """A structlog processor."""
        return {key: self._clean(key, value, 0) for key, value in event.items()}

    def text(self, text: str) -> str:
        """``text`` without any known secret."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def _clean(self, key: str, value: Any, depth: int) -> Any:
        if any(word in key.lower() for word in _SECRET_NAMES) and isinstance(value, str) and value:
            return MASK
        if isinstance(value, str):
            return self.text(value)
        if depth < _DEPTH and isinstance(value, dict):
            return {name: self._clean(str(name), one, depth + 1) for name, one in value.items()}
        if depth < _DEPTH and isinstance(value, list | tuple):
            return [self._clean("", one, depth + 1) for one in value]
        if isinstance(value, bytes | Exception):
            return self.text(repr(value))
        return value


def configure_logs(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Points structlog and the standard library's loggers at ``stream`` (standard error).

    With `LOG_DIR`: also `combined.log` and `error.log` there, as JSON lines, rotated at 20 MB,
    five kept of each. Raises :class:`SettingsError` where those cannot be written.
    """
    out = stream or sys.stderr
    gate = SecretGate(settings.secrets())
    human = settings.log_format == "human" or (settings.log_format == "auto" and out.isatty())
    before = _before()
    console = logging.StreamHandler(out)
    console.setFormatter(_formatter(gate, before, human=human, colour=human and out.isatty()))
    handlers: list[logging.Handler] = [console]
    if settings.log_dir is not None:
        plain = _formatter(gate, before, human=False, colour=False)
        try:
            handlers += _files(settings.log_dir, plain)
        except OSError as error:
            raise SettingsError((f"LOG_DIR: {settings.log_dir}: {error.strerror}",)) from None
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(_level(settings.log_level))
    for noisy in ("sqlalchemy", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    client = logging.getLogger("librdkafka")
    client.filters = [OncePerMinute()]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one room."""
    found: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(f"database_consumer.{name}")
    return found


class Tally:
    """Counts events that come by the thousand and lets one line a second through for them."""

    def __init__(self, *, every: float = 1.0) -> None:
        self._every = every
        self._next = 0.0
        self._count = 0

    def hold(self, count: int) -> None:
        """Count without asking for a line."""
        self._count += count

    def add(self, count: int, *, now: float | None = None) -> int:
        """The events since the last line if a line is due now, else 0."""
        self._count += count
        moment = time.monotonic() if now is None else now
        if self._count == 0 or moment < self._next:
            return 0
        self._next = moment + self._every
        due, self._count = self._count, 0
        return due


class OncePerMinute(logging.Filter):
    """Of lines that differ in their numbers only, one a minute, with how many were left out.

    librdkafka says several times a second, for as long as a broker is away, that it is.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is told; its text then says how many were not."""
        text = record.getMessage()
        kind = _NUMBERS.sub("0", text)
        now = self._clock()
        due, left_out = self._seen.get(kind, (now, 0))
        if now < due:
            self._seen[kind] = (due, left_out + 1)
            return False
        if len(self._seen) >= _KINDS:
            self._seen.clear()
        self._seen[kind] = (now + _MINUTE, 0)
        if left_out:
            record.msg, record.args = f"{text} ({left_out} more like it)", ()
        return True


class Repeats:
    """Tells a failure that comes again and again: in full once, then in a line with its count."""

    def __init__(self) -> None:
        self._place: tuple[object, ...] = ()
        self._times = 0

    def told(self, error: BaseException) -> dict[str, Any]:
        """What its line carries: the traceback, or the reason and how often it came in a row.

        A failure is the same one when it has the same type and comes from the same line; its text
        may hold ids and times.
        """
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        code = frame.tb_frame.f_code if frame is not None else None
        place = (type(error), code, frame.tb_lineno if frame is not None else 0)
        self._times = self._times + 1 if place == self._place else 1
        self._place = place
        if self._times == 1:
            return {"exc_info": error}
        return {"why": f"{type(error).__name__}: {error}", "times": self._times}

    def forget(self) -> None:
        """It went well: the next failure is told in full again."""
        self._place = ()


def _before() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _formatter(
    gate: SecretGate, before: list[Processor], *, human: bool, colour: bool
) -> logging.Formatter:
    final: Processor = (
        structlog.dev.ConsoleRenderer(colors=colour)
        if human
        else structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    )
    foreign = [one for one in before if one is not structlog.stdlib.filter_by_level]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=foreign,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            gate,
            final,
        ],
    )


def _files(folder: Path, formatter: logging.Formatter) -> list[logging.Handler]:
    folder.mkdir(parents=True, exist_ok=True)
    out: list[logging.Handler] = []
    for name, level in (("combined.log", logging.NOTSET), ("error.log", logging.ERROR)):
        handler = RotatingFileHandler(
            folder / name, maxBytes=FILE_BYTES, backupCount=FILE_COUNT, encoding="utf-8"
        )
        handler.setLevel(level)
        handler.setFormatter(formatter)
        out.append(handler)
    return out


def _level(level: LogLevel) -> int:
    return {
        LogLevel.DEBUG: logging.DEBUG,
        LogLevel.INFO: logging.INFO,
        LogLevel.WARNING: logging.WARNING,
        LogLevel.WARN: logging.WARNING,
        LogLevel.ERROR: logging.ERROR,
    }[level]
