"""A Python of another architecture, out of the distribution's packages, run by qemu-user."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from buildtools.acquire.apt import DEBIAN_ARCHITECTURES, open_apt
from buildtools.acquire.debfile import unpack_deb

_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignPython:
    """A tree with a Python in it, and the emulator that runs it."""

    root: Path
    emulator: str

    @property
    def words(self) -> tuple[str, ...]:
        """The command line that starts this Python."""
        return (self.emulator, "-L", str(self.root), str(self.root / "usr/bin/python3.11"))

    def run(self, words: Sequence[str], path: Path) -> subprocess.CompletedProcess[str]:
        """Run it with ``path`` first on ``sys.path``."""
        return subprocess.run(
            [*self.words, "-S", *words],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={"PYTHONPATH": str(path), "PYTHONHOME": str(self.root / "usr"), "PATH": os.defpath},
        )


def foreign_python(folder: Path, cache: Path, arch: str = "aarch64") -> ForeignPython:
    """Debian's Python 3.11 for ``arch`` with all that it needs, unpacked below ``folder``."""
    emulator = shutil.which(f"qemu-{arch}-static") or shutil.which(f"qemu-{arch}")
    apt = open_apt(cache, arch, release="bookworm")
    if emulator is None or apt is None:
        message = f"qemu-{arch}-static and apt are needed (Debian's package is qemu-user-static)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    assert DEBIAN_ARCHITECTURES[arch] == apt.architecture
    apt.update()
    room = folder / "packages"
    room.mkdir(parents=True)
    root = folder / "root"
    for package in apt.download(apt.closure(["python3.11-minimal", "libpython3.11-stdlib"]), room):
        unpack_deb(package, root, wanted=lambda name: not name.startswith("usr/share/"))
    return ForeignPython(root=root, emulator=emulator)
