"""`status`: asks a running worker through its status port."""

from __future__ import annotations

import argparse
import json
import urllib.error
import urllib.request
from typing import Any

from database_consumer.commands.output import complain, say, say_json
from database_consumer.settings import load_settings

ASK_SECONDS = 10.0
MAX_ANSWER = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only `--json`."""
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.epilog = "The worker is asked at STATUS_HOST (127.0.0.1) and STATUS_PORT."


def run(options: argparse.Namespace) -> int:
    """0 when the worker is ready, 1 when it is not, 3 when nobody answers."""
    settings = load_settings()
    if settings.status_port is None:
        complain("STATUS_PORT is not set: a worker serves its status only when it is")
        return 2
    host = settings.status_host if settings.status_host not in {"0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104 -- compared, not bound
    url = f"http://{host}:{settings.status_port}/status"
    try:
        with urllib.request.urlopen(url, timeout=ASK_SECONDS) as answer:
            document: dict[str, Any] = json.loads(answer.read(MAX_ANSWER))
    except (OSError, ValueError, urllib.error.URLError) as error:
        complain(f"no worker answers at {url}: {error}")
        return 3
    if options.json:
        say_json(document)
    else:
        _show(document)
    return 0 if document.get("ready") else 1


def _show(document: dict[str, Any]) -> None:
    for title in ("consumer", "database", "store", "operations", "waiting", "cache"):
        part = document.get(title)
        if isinstance(part, dict):
            say(f"{title:<11}" + "  ".join(f"{name}={value}" for name, value in part.items()))
    say(f"{'redis':<11}{document.get('redis')}")
    say(f"{'partitions':<11}{' '.join(document.get('partitions', ())) or 'none'}")
