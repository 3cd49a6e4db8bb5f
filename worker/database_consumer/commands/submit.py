"""`submit`: validates operations and publishes them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from database_consumer.commands.output import (
    SETTING_HELP,
    complain,
    say,
    say_json,
    settings_with_logs,
)
from database_consumer.publisher import Line
from database_consumer.settings import Settings

COMPLAINTS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file."""
    parser.add_argument("file", metavar="FILE", help="JSON lines, one operation each; - is stdin")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.epilog = SETTING_HELP


def run(options: argparse.Namespace) -> int:
    """0 when the broker has them all; 1 and nothing published when one is invalid."""
    from database_consumer.publisher import Publisher, PublishError, parse_lines

    settings = settings_with_logs()
    try:
        lines = _read(options.file).splitlines()
    except OSError as error:
        complain(f"{options.file}: {error.strerror}")
        return 3
    found = parse_lines(lines)
    if complaints := _complaints(found, settings):
        for one in complaints[:COMPLAINTS]:
            complain(f"{options.file}: {one}")
        complain(f"{len(complaints)} invalid; nothing was published")
        return 1
    try:
        with Publisher(settings) as publisher:
            idents = [publisher.publish(one.operation) for one in found if one.operation]
    except PublishError as error:
        complain(f"{settings.topic_db_operations}: {error}")
        return 3
    if options.json:
        say_json({"schema": "database-consumer.submit/1", "published": idents})
    else:
        say(f"published {len(idents)} operations to {settings.topic_db_operations}")
    return 0


def _complaints(lines: Sequence[Line], settings: Settings) -> list[str]:
    """By line: what is no operation, and what the worker would refuse.

    Unknown entities, types and columns, and values that do not fit.
    """
    from database_consumer.entities.describing import catalogue
    from database_consumer.operations import encode
    from database_consumer.starting import vocabulary
    from database_consumer.stores.base import Record
    from database_consumer.stores.prepared import prepare

    words = vocabulary(settings)
    dialect = "mysql" if settings.database.startswith(("mysql", "mariadb")) else "sqlite"
    described = catalogue(words.tables, dialect)
    out: list[str] = []
    for line in lines:
        complaint = line.complaint
        if line.operation is not None:
            record = Record("", 0, 0, None, encode(line.operation))
            invalid = prepare(record, described, words.handlers).invalid
            complaint = "" if invalid is None else str(invalid)
        if complaint:
            out.append(f"line {line.number}: {complaint}")
    return out


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
