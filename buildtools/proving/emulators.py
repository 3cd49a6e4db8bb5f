"""qemu-user for a foreign processor: the machine's own, else out of its package, without root."""

from __future__ import annotations

import shutil
from pathlib import Path

from buildtools.acquire import AcquireError, Tools
from buildtools.acquire.apt import open_apt
from buildtools.acquire.caching import made_once, workroom
from buildtools.acquire.debfile import unpack_deb
from buildtools.processes import run

_QEMU_NAMES = {"armv7l": "arm", "i686": "i386"}
_PACKAGES = ("qemu-user-static", "qemu-user")
"""Debian's packages with the programs: until bookworm static ones had a package of their own."""

_SECONDS = 60.0


def qemu_name(arch: str) -> str:
    """Qemu's own word for a processor: ``aarch64``, ``arm``."""
    return _QEMU_NAMES.get(arch, arch)


def emulator(tools: Tools, arch: str) -> Path:
    """The program that runs Linux binaries of ``arch`` here.

    Taken from ``PATH``; else unpacked from the distribution's package into the cache. Raises
    :class:`AcquireError` when there is neither.
    """
    names = [f"qemu-{qemu_name(arch)}-static", f"qemu-{qemu_name(arch)}"]
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    folder = tools.cache / "emulators" / f"qemu-{qemu_name(arch)}"
    made_once(folder, lambda partial: _unpack(tools, names, partial))
    return next(folder / name for name in names if (folder / name).is_file())


def _unpack(tools: Tools, names: list[str], folder: Path) -> None:
    """The one program of the package; it is tried before it is kept."""
    own = tools.interpreter.target.arch
    apt = open_apt(tools.cache, own)
    if apt is None:
        raise _none(names[0], "it is not on PATH, and this machine has no apt to fetch it with")
    tools.on_event("proof", f"fetching {names[-1]}", None)
    apt.update()
    wanted = {f"usr/bin/{name}" for name in names}
    why = ""
    for package in _PACKAGES:
        with workroom(tools.cache, "qemu") as room:
            try:
                chosen = [one for one in apt.closure([package]) if one.name in _PACKAGES]
                for file in apt.download(chosen, room):
                    unpack_deb(file, room / "tree", wanted=wanted.__contains__)
            except AcquireError as error:
                why = error.why or error.what
                continue
            for name in names:
                program = room / "tree/usr/bin" / name
                if program.is_file() and not program.is_symlink():
                    shutil.copyfile(program, folder / name)
                    (folder / name).chmod(0o755)
                    if run([folder / name, "--version"], timeout=_SECONDS).ok:
                        return
                    why = f"{name} of the package does not run here"
    raise _none(names[0], why or "no package of this release holds it")


def _none(name: str, why: str) -> AcquireError:
    return AcquireError(
        f"there is no {name}",
        why=why,
        next_step="install qemu-user-static, or leave the proof to a machine of that kind",
    )
