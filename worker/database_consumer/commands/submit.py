"""`submit`: validates operations and publishes them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from database_consumer.commands.output import (
    SETTING_HELP,
    complain,
    say,
    say_json,
    settings_with_logs,
)

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
    operations, complaints = parse_lines(lines)
    if complaints:
        for one in complaints[:COMPLAINTS]:
            complain(f"{options.file}: {one}")
        complain(f"{len(complaints)} invalid; nothing was published")
        return 1
    try:
        with Publisher(settings) as publisher:
            idents = [publisher.publish(one) for one in operations]
    except PublishError as error:
        complain(f"{settings.topic_db_operations}: {error}")
        return 3
    if options.json:
        say_json({"schema": "database-consumer.submit/1", "published": idents})
    else:
        say(f"published {len(idents)} operations to {settings.topic_db_operations}")
    return 0


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
