"""The folders of whoever runs this: home and the cache, and what ``~`` stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from buildtools.errors import CannotLookError, UsageError


def home_folder() -> Path | None:
    """The user's home; None for a user who has none, as in a container started with a number."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def cache_root(environment: Mapping[str, str] | None = None) -> Path:
    """The user's cache folder for this tool: ``$XDG_CACHE_HOME/buildtools``, else ``~/.cache``.

    Raises :class:`CannotLookError` for a user without either. Source: the XDG base directory
    specification, which wants a relative path passed over.
    """
    configured = (os.environ if environment is None else environment).get("XDG_CACHE_HOME", "")
    if Path(configured).is_absolute():
        return Path(configured) / "buildtools"
    home = home_folder()
    if home is None:
        raise CannotLookError(
            "there is no folder for the cache",
            why=f"HOME is not set, and the user {os.getuid()} has no home of record",
            next_step="set XDG_CACHE_HOME to a folder that can be written",
        )
    return home / ".cache" / "buildtools"


def expanded(path: Path | str) -> Path:
    """The path with ``~`` put in full; raises :class:`UsageError` for a user who is not there."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"{str(path)!r} names the home of nobody", why=str(error), next_step="write it in full"
        ) from error
