"""The process engine's volumes: folders under ``.stack/volumes``, each with a label of its project.

The label's keys are those that compose puts on a Docker volume.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from buildtools.findings import Cause
from buildtools.stack.settings import Settings
from buildtools.stack.trouble import StackError
from buildtools.writing import write_whole

LABEL = "label.json"
_PROJECT, _VOLUME = "com.docker.compose.project", "com.docker.compose.volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A named volume; ``data`` is what its service sees."""

    name: str
    folder: Path

    @property
    def where(self) -> str:
        """Where it is, to show."""
        return str(self.folder)

    @property
    def data(self) -> Path:
        """The service's folder."""
        return self.folder / "data"


def volume(settings: Settings, name: str) -> Volume:
    """The volume of a name, whether or not it is there."""
    return Volume(name=name, folder=settings.folder / "volumes" / name)


def make_volume(settings: Settings, name: str) -> Volume:
    """The volume, made when missing; :class:`StackError` for a folder that is somebody else's."""
    found = volume(settings, name)
    if found.folder.exists() or found.folder.is_symlink():
        if why := foreign(settings, found):
            raise StackError(
                f"volume {name} is not this stack's",
                where=str(found.folder),
                why=why,
                next_step="move it away",
            )
    else:
        _make(settings, found)
    return found


def _make(settings: Settings, wanted: Volume) -> None:
    """Aside, then put in place whole: one without its label would be taken for a stranger's."""
    half = Volume(name=wanted.name, folder=settings.folder / "tmp" / f"{wanted.name}.volume")
    shutil.rmtree(half.folder, ignore_errors=True)
    half.data.mkdir(parents=True, mode=0o700)
    label = {_PROJECT: settings.project, _VOLUME: wanted.name}
    write_whole(half.folder / LABEL, json.dumps(label).encode())
    wanted.folder.parent.mkdir(exist_ok=True, mode=0o700)
    half.folder.rename(wanted.folder)


def foreign(settings: Settings, found: Volume) -> str:
    """Why a folder is not a volume of this project; nothing when it is."""
    if found.folder.is_symlink() or found.data.is_symlink():
        return "it is a link to elsewhere"
    try:
        label = json.loads((found.folder / LABEL).read_text(encoding="utf-8"))
        project, name = label[_PROJECT], label[_VOLUME]
    except (OSError, ValueError, KeyError, TypeError):
        return f"it has no {LABEL} of this stack"
    if (project, name) != (settings.project, found.name):
        return f"it is labelled as volume {name} of project {project}"
    return ""


LEAST_FREE = 512 << 20
"""Bytes that must be free for a start."""


def check_space(folder: Path, free: int, least: int = LEAST_FREE) -> None:
    """Refuse to start with less than ``least`` bytes free."""
    if free < least:
        raise StackError(
            "there is no space for the stack's data",
            cause=Cause.NO_SPACE,
            where=str(folder),
            why=f"{free >> 20} MiB free, {least >> 20} MiB wanted",
            next_step="make room there, or move the project to another disk",
        )
