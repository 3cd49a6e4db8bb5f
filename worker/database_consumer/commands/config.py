"""`config`: the configuration in force."""

from __future__ import annotations

import argparse

from database_consumer.commands.output import say, say_json
from database_consumer.settings import load_settings
from database_consumer.urls import masked_url


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only `--json`."""
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(options: argparse.Namespace) -> int:
    """Every variable with its value, passwords masked."""
    settings = load_settings()
    shown = settings.shown()
    if options.json:
        say_json(
            {
                "schema": "database-consumer.config/1",
                "database": masked_url(settings.database),
                "redis": masked_url(settings.redis) if settings.redis else None,
                "settings": shown,
            }
        )
        return 0
    for name, value in shown.items():
        say(f"{name}={'' if value is None else value}")
    return 0
