"""The programs that compile a library's source: of the machine, else had without root.

perl, make and patch come from the machine, else from the distribution's packages, unpacked; cmake
and ninja from the machine, else from the index.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from buildtools.acquire.apt import open_apt
from buildtools.acquire.caching import made_once, safe_name, workroom
from buildtools.acquire.debfile import unpack_deb
from buildtools.acquire.request import AcquireError
from buildtools.acquire.tools import Tools
from buildtools.findings import Cause
from buildtools.processes import run

CMAKE = "cmake>=3.25,<4"
NINJA = "ninja>=1.11"
_OLDEST_CMAKE = (3, 20)

_PERL_MODULES = (
    "FindBin", "IPC::Cmd", "File::Compare", "Data::Dumper", "Pod::Usage", "Time::Piece",
)  # fmt: skip
"""What OpenSSL's ``Configure`` uses; Debian's ``perl-base`` lacks a part (see NOTES-PERL.md)."""
_PERL_FOLDERS = (
    "usr/share/perl/*", "usr/lib/*/perl/*", "usr/share/perl5", "usr/lib/*/perl5/*",
)  # fmt: skip

_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program and the variables that it needs to run."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def perl_program(tools: Tools) -> Program:
    """A perl with its whole standard library."""
    own = shutil.which("perl")
    if own is not None and _perl_fits(Program(path=Path(own))):
        return Program(path=Path(own))
    root = _unpacked(tools, "perl", ("perl", "libperl"))
    folders = [
        str(folder)
        for pattern in _PERL_FOLDERS
        for folder in sorted(root.glob(pattern))
        if folder.is_dir() and not folder.is_symlink()
    ]
    program = Path(own) if own is not None else root / "usr/bin/perl"
    found = Program(path=program, environment={"PERL5LIB": os.pathsep.join(folders)})
    if not _perl_fits(found):
        raise _missing("perl", f"{program} does not run with the modules of its packages")
    return found


def _perl_fits(perl: Program) -> bool:
    words = [f"-M{module}" for module in _PERL_MODULES]
    environment = {"PATH": os.defpath, **perl.environment}
    return run([perl.path, *words, "-e", "1"], timeout=_SECONDS, env=environment).ok


def make_program(tools: Tools) -> Path:
    """GNU make."""
    for name in ("gmake", "make"):
        found = shutil.which(name)
        if found is not None and "GNU Make" in run([found, "--version"], timeout=_SECONDS).stdout:
            return Path(found)
    return _unpacked(tools, "make", ("make",)) / "usr/bin/make"


def patch_program(tools: Tools) -> Path:
    """The ``patch`` that applies a unified diff."""
    found = shutil.which("patch")
    return Path(found) if found else _unpacked(tools, "patch", ("patch",)) / "usr/bin/patch"


def cmake_program(tools: Tools) -> Path:
    """A cmake that is new enough."""
    found = shutil.which("cmake")
    if found is not None:
        words = run([found, "--version"], timeout=_SECONDS).stdout.split()
        numbers = words[2].split(".")[:2] if len(words) > 2 else []  # noqa: PLR2004 - cmake version N
        if all(part.isdecimal() for part in numbers) and (
            tuple(map(int, numbers)) >= _OLDEST_CMAKE
        ):
            return Path(found)
    return tools.program("cmake", CMAKE)


def ninja_program(tools: Tools) -> Path:
    """ninja, which runs what cmake has written."""
    found = shutil.which("ninja")
    return Path(found) if found else tools.program("ninja", NINJA)


def _unpacked(tools: Tools, package: str, wanted: tuple[str, ...]) -> Path:
    """A folder with a package of the machine's own release and those of its closure so named."""
    apt = open_apt(tools.cache, os.uname().machine)
    if apt is None or tools.offline:
        raise _missing(package, "it is not on PATH, and no packages can be fetched without root")
    tools.on_event("tools", f"fetching {package}", None)
    source = apt

    def chosen() -> Path:
        among = [one for one in source.closure((package,)) if one.name.startswith(wanted)]
        version = next((one.version for one in among if one.name == package), "")
        folder = tools.cache / "tools" / safe_name(f"{package}-{source.release}-{version}")

        def fill(partial: Path) -> None:
            with workroom(tools.cache, package) as room:
                for file in source.download(among, room):
                    unpack_deb(file, partial, wanted=_no_papers)

        return made_once(folder, fill)

    return apt.with_lists(chosen)


def _no_papers(name: str) -> bool:
    return not name.startswith(("usr/share/doc", "usr/share/man", "usr/share/locale", "etc/"))


def _missing(name: str, why: str) -> AcquireError:
    return AcquireError(
        f"{name} is needed to compile the client library from source",
        cause=Cause.MISSING_COMPILER,
        where="this machine",
        why=why,
        next_step=f"install {name} with the system's package manager",
    )
