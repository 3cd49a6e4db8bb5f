"""Results on standard output: lines for people, one JSON document with `--json`."""

from __future__ import annotations

import json
import sys
from typing import Any

from database_consumer.settings import Settings, load_settings

SETTING_HELP = "Every setting is an environment variable, or a line in .env: see `config`."


def say(text: str) -> None:
    """One line of result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """One line about what went wrong."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_json(document: dict[str, Any]) -> None:
    """The whole result as one document."""
    say(json.dumps(document, ensure_ascii=False, default=str))


def settings_with_logs(**overrides: object) -> Settings:
    """The settings in force, with logging pointed at standard error."""
    from database_consumer.logs import configure_logs

    settings = load_settings(overrides)
    configure_logs(settings)
    return settings
