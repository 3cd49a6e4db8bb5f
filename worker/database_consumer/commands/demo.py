"""`demo`: the whole path on this machine with no server."""

from __future__ import annotations

import argparse

from database_consumer.commands.output import complain, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much, how long."""
    parser.add_argument(
        "--operations", type=int, default=5_000, metavar="N", help="how many (default 5000)"
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="give up after (default 60)"
    )


def run(options: argparse.Namespace) -> int:
    """0 when every count is exact, 1 when one is not, 3 when it did not come to its end."""
    import logging

    from database_consumer.demo import DemoError, run_demo
    from database_consumer.logs import configure_logs
    from database_consumer.settings import load_settings

    configure_logs(load_settings({"log_level": "error", "log_dir": None}, env_file=None))
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    try:
        exact = run_demo(operations=options.operations, seconds=options.seconds, say=say)
    except DemoError as error:
        complain(str(error))
        return 3
    return 0 if exact else 1
