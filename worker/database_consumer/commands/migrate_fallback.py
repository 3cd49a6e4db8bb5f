"""`migrate-fallback`: a JSON fallback store's data into the database."""

from __future__ import annotations

import argparse
from pathlib import Path

from database_consumer.commands.output import SETTING_HELP, complain, say, settings_with_logs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, if it stands elsewhere."""
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="the fallback file; without it the one beside the SQLite database",
    )
    parser.epilog = SETTING_HELP


def run(options: argparse.Namespace) -> int:
    """0 when there is nothing (left) to move, 3 when it could not be done."""
    from database_consumer.fallback import migrate_fallback
    from database_consumer.starting import store_maker, store_policy
    from database_consumer.stores.base import StoreError
    from database_consumer.stores.opening import fallback_path, open_sqlite, sqlite_trouble

    settings = settings_with_logs()
    url = settings.database
    path = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
    file = options.file or (fallback_path(path) if path is not None else None)
    if file is None:
        complain("name the fallback file: the configured database is no SQLite file")
        return 2
    if options.file is not None and not file.with_name(f"{file.name}.log").exists():
        complain(f"{file}: there is no such fallback store")
        return 3
    if path is not None and (trouble := sqlite_trouble()):
        complain(f"{file}: nothing is lost, mend the SQLite driver and run it again: {trouble}")
        return 3
    store = (
        open_sqlite(path, policy=store_policy(settings))
        if path is not None
        else store_maker(settings)()
    )
    try:
        store.open()
        store.ensure_schema()
        moved = migrate_fallback(file, store)
    except (StoreError, ImportError, OSError) as error:
        complain(f"{file}: nothing is lost, run it again: {error}")
        return 3
    finally:
        store.close()
    if moved is None:
        say(f"nothing to move: there is no fallback store at {file}")
    else:
        say(
            f"moved {moved.records} operations in {moved.batches} batches; {moved.known} were known"
        )
    return 0
