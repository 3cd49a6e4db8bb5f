"""Settings to test with."""

from __future__ import annotations

from pathlib import Path

from buildtools.stack.settings import Settings, load_settings, make_env


def settings(root: Path, **more: str) -> Settings:
    make_env(root, "shop")
    return load_settings(root, more)
