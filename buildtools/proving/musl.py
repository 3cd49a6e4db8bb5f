"""A Python of musl, which no registry carries: CPython compiled by zig, and Debian's musl loader.

The interpreter is one program with the standard library's compiled modules inside, linked to musl's
shared loader so that it loads extension modules. It serves to try drivers, nothing else: what a
distribution's Python has beyond that (tkinter, curses, dbm, ctypes, compression) is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from buildtools.acquire import AcquireError, Tools
from buildtools.acquire.apt import open_apt, plain_reason
from buildtools.acquire.caching import is_whole, made_once, safe_name, workroom
from buildtools.acquire.cross import Zig, triple, write_compilers
from buildtools.acquire.debfile import unpack_deb
from buildtools.acquire.debsource import source_tarball
from buildtools.acquire.programs import make_program
from buildtools.findings import Cause
from buildtools.host import Interpreter
from buildtools.processes import clean_environment, run
from buildtools.proving.trees import Tree, releases_with
from buildtools.targets import PythonAbi, Target, parse_target

RECIPE = 3
"""Counts up when what is compiled changes; older interpreters of the cache are then left alone."""

LACKS = frozenset({"ssl", "sqlite3", "ctypes", "zlib"})
"""Modules of the standard library that need libraries that are not compiled for it."""

_LEFT_OUT = (
    "_tkinter", "_ctypes", "_curses", "_curses_panel", "_dbm", "_gdbm", "_uuid", "_lzma", "_bz2",
    "zlib", "readline", "nis", "ossaudiodev", "spwd", "_crypt", "_lsprof", "audioop", "_sqlite3",
    "_ssl", "_hashlib", "_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr",
    "_codecs_tw", "pyexpat", "_elementtree", "_testcapi", "_zstd", "_remote_debugging",
)  # fmt: skip
"""Modules that want a library, or that no driver's probe wants."""

_ANSWERS = {
    # Files that configure would look for on the machine that it runs on.
    "ac_cv_file__dev_ptmx": "no",
    "ac_cv_file__dev_ptc": "no",
    "ac_cv_buggy_getaddrinfo": "no",
    "ac_cv_header_zlib_h": "no",
    # What zig's musl has and the musl of older distributions, which is to load this, has not.
    "ac_cv_func_preadv2": "no",
    "ac_cv_func_pwritev2": "no",
    "ac_cv_func_statx": "no",
    # Sizes that are the same on every 64-bit Linux: each would be searched for by compiling.
    "ac_cv_sizeof_int": "4",
    "ac_cv_sizeof_long": "8",
    "ac_cv_sizeof_long_long": "8",
    "ac_cv_sizeof_void_p": "8",
    "ac_cv_sizeof_short": "2",
    "ac_cv_sizeof_float": "4",
    "ac_cv_sizeof_double": "8",
    "ac_cv_sizeof_fpos_t": "16",
    "ac_cv_sizeof_size_t": "8",
    "ac_cv_sizeof_pid_t": "4",
    "ac_cv_sizeof_uintptr_t": "8",
    "ac_cv_sizeof_off_t": "8",
    "ac_cv_sizeof_time_t": "8",
    "ac_cv_sizeof_pthread_t": "8",
    "ac_cv_sizeof_pthread_key_t": "4",
    "ac_cv_sizeof_wchar_t": "4",
    "ac_cv_sizeof__Bool": "1",
    "ac_cv_alignof_size_t": "8",
    "ac_cv_alignof_long": "8",
}
"""Answers to questions of CPython's ``configure.ac`` that need no compiler."""

_CONFIGURE_SECONDS = 1800.0
_COMPILE_SECONDS = 3600.0
_NOT_LIBRARY = ("test", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo", "__pycache__")


def musl_python(
    tools: Tools, arch: str, own: Interpreter, python: PythonAbi, *, compiling: bool
) -> Tree:
    """A tree with musl's loader and a Python of that version for it, kept for the next time.

    ``own`` is this machine's interpreter of the same version, which CPython's build runs. Raises
    :class:`AcquireError`: also where there is none yet and ``compiling`` is false.
    """
    version = str(python.version)
    folder = tools.cache / "pythons" / safe_name(f"cpython-{version}-musl-{arch}-{RECIPE}")
    if not is_whole(folder):
        if not compiling:
            raise AcquireError(
                f"there is no Python {version} of musl for {arch} yet",
                why="compiling one takes minutes, and was not asked for",
            )
        made_once(folder, partial(_make, tools, arch, own, version))
    origin = (folder / "origin").read_text(encoding="utf-8").strip()
    return Tree(
        root=folder,
        python=folder / "usr/bin" / f"python{version}",
        origin=origin,
        lacks=LACKS,
    )


def _make(tools: Tools, arch: str, own: Interpreter, version: str, folder: Path) -> None:
    target = parse_target(f"linux/{arch}/musl", {})
    if str(own.abi.version) != version:
        raise AcquireError(f"CPython {version} is compiled with the help of another {version}")
    source, origin = cpython_source(tools, version)
    _loader(tools, arch, folder)
    with workroom(tools.cache, f"cpython-{version}-{arch}") as room:
        _compile(tools, target, own, source, room)
        _install(source, room / "build", version, folder)
    (folder / "origin").write_text(f"CPython {origin} compiled for musl\n", encoding="utf-8")


def cpython_source(tools: Tools, version: str) -> tuple[Path, str]:
    """The folder of CPython's source as the distribution's source package has it, and its version.

    The archive is the authors' own; apt holds it against the signed list. Raises
    :class:`AcquireError` for a Python that no release of the machine's archive carries.
    """
    failures = []
    for release in releases_with(version):
        folder = tools.cache / "sources" / safe_name(f"cpython-{version}-{release}")
        try:
            made_once(folder, partial(_unpack, tools, version, release))
        except AcquireError as error:
            failures.append(f"{release}: {plain_reason(error)}")
            continue
        source = next(folder.glob("Python-*"))
        return source, source.name.removeprefix("Python-")
    raise AcquireError(
        f"the source of CPython {version} is not to be had here",
        cause=Cause.NO_MATCHING_DISTRIBUTION,
        why="; ".join(failures) or "no release of this machine's archive carries it",
    )


def _unpack(tools: Tools, version: str, release: str, folder: Path) -> None:
    with workroom(tools.cache, "cpython-source") as room:
        tarball = source_tarball(tools, f"python{version}", room, release=release)
        with tarfile.open(tarball) as archive:
            archive.extractall(folder, filter="data")
    if not list(folder.glob("Python-*/configure")):
        raise AcquireError("this is not CPython's source", where=tarball.name)


def _loader(tools: Tools, arch: str, folder: Path) -> None:
    """Musl's loader, which is its C library too, out of Debian's package."""
    apt = open_apt(tools.cache, arch)
    if apt is None:
        raise AcquireError(
            f"musl's loader for {arch} cannot be unpacked here",
            why="that takes apt, and this is no Debian or Ubuntu with sources of its own",
        )
    with workroom(tools.cache, "musl") as room:

        def fetched() -> tuple[Path, ...]:
            chosen = [one for one in apt.closure(["musl"]) if one.name == "musl"]
            return apt.download(chosen, room)

        for file in apt.with_lists(fetched):
            unpack_deb(file, room / "tree")
        found = [path for path in sorted((room / "tree").rglob("ld-musl-*.so.1")) if path.is_file()]
        if not found:
            raise AcquireError("Debian's musl holds no loader", where=arch)
        (folder / "lib").mkdir(parents=True)
        shutil.copyfile(found[0].resolve(), folder / "lib" / found[0].name)
        (folder / "lib" / found[0].name).chmod(0o755)


def _compile(tools: Tools, target: Target, own: Interpreter, source: Path, room: Path) -> None:
    """``configure`` and ``make python`` for the target, in ``room/build``."""
    zig = Zig(program=tools.zig(), triple=triple(target, None), cache=tools.cache / "zig")
    build = _Build(folder=room / "build", environment=configure_environment(zig, room))
    build.folder.mkdir()
    version = source.name.removeprefix("Python-")
    tools.on_event("proof", f"configuring CPython {version} for {zig.triple}", None)
    build.run(
        [
            str(source / "configure"),
            "-q",
            f"--host={zig.triple}",
            # Until 3.12 the name of musl in the modules' suffix follows from the building system.
            f"--build={own.target.arch}-build-linux-musl",
            f"--with-build-python={own.executable}",
            "--without-ensurepip",
            "--disable-test-modules",
            "--without-doc-strings",
            "--prefix=/usr",
        ],
        f"CPython {version} cannot be configured for {zig.triple}",
        _CONFIGURE_SECONDS,
    )
    if own.abi.version.minor == _OWN_SETUP:
        # Until 3.11 setup.py compiled the modules; the list of them was there, and unused.
        modules = build.folder / "Modules"
        shutil.copyfile(modules / "Setup.stdlib", modules / "Setup.local")
    tools.on_event("proof", f"compiling CPython {version} for {zig.triple}", None)
    make = make_program(tools)
    progress = _Progress(tools, version, zig.triple)
    for goal in ("python", "pybuilddir.txt"):
        build.run(
            [str(make), f"-j{os.cpu_count() or 1}", goal],
            f"CPython {version} does not compile for {zig.triple}",
            _COMPILE_SECONDS,
            progress.line,
        )


def configure_environment(zig: Zig, room: Path) -> dict[str, str]:
    """The compilers and the answers that configure is given."""
    programs = write_compilers(zig, room / "bin")
    # configure insists on a readelf when it cross-compiles, and never runs it.
    silent = room / "bin" / "readelf"
    silent.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    silent.chmod(0o755)
    answers = {**_ANSWERS, **{f"py_cv_module_{name}": "n/a" for name in _LEFT_OUT}}
    site = room / "config.site"
    site.write_text("".join(f"{k}={v}\n" for k, v in answers.items()), encoding="utf-8")
    return clean_environment(
        {
            **zig.environment(),
            "CONFIG_SITE": str(site),
            # zig makes an error of __DATE__, which the interpreter tells about itself.
            "CC": f"{programs['cc']} -Wno-date-time",
            "CXX": f"{programs['c++']} -Wno-date-time",
            # From 3.13 on musl is known by this name, which its stdarg.h defines and clang's own,
            # taken before it, does not (CPython's Misc/platform_triplet.c); without it modules
            # would be looked for under a suffix that no wheel has.
            "CPP": f"{programs['cc']} -E -D__DEFINED_va_list",
            "AR": str(programs["ar"]),
            "RANLIB": str(programs["ranlib"]),
            "READELF": str(silent),
            # What pkg-config knows is this machine's, not the target's.
            "PKG_CONFIG": "false",
            "OPT": "-O1 -DNDEBUG -fwrapv",
            "MODULE_BUILDTYPE": "static",
        }
    )


_OWN_SETUP = 11


class _Progress:
    """Counts the files that ``make`` compiles, and says so now and then."""

    every = 25

    def __init__(self, tools: Tools, version: str, triplet: str) -> None:
        self._tools = tools
        self._what = f"compiling CPython {version} for {triplet}"
        self._count = 0

    def line(self, text: str) -> None:
        """Take one line of make's output."""
        if " -c " in text:
            self._count += 1
            if self._count % self.every == 0:
                self._tools.on_event("proof", f"{self._what}: {self._count} files", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """Where CPython is built, and with what."""

    folder: Path
    environment: Mapping[str, str]

    def run(
        self,
        words: Sequence[str],
        what: str,
        seconds: float,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Run one step to its end; raises :class:`AcquireError` with ``what`` when it fails."""
        done = run(
            words,
            timeout=seconds,
            env=self.environment,
            cwd=self.folder,
            merge=True,
            on_line=on_line,
        )
        if not done.ok:
            why = f"it was ended after {done.seconds:.0f} s" if done.timed_out else done.tail(6)
            raise AcquireError(what, why=why)


def _install(source: Path, build: Path, version: str, folder: Path) -> None:
    """The program and the library in the layout that the program looks for."""
    binaries, library = folder / "usr/bin", folder / "usr/lib" / f"python{version}"
    binaries.mkdir(parents=True)
    shutil.copyfile(build / "python", binaries / f"python{version}")
    (binaries / f"python{version}").chmod(0o755)
    shutil.copytree(source / "Lib", library, ignore=shutil.ignore_patterns(*_NOT_LIBRARY))
    headers = folder / "usr/include" / f"python{version}"
    headers.mkdir(parents=True)
    shutil.copyfile(build / "pyconfig.h", headers / "pyconfig.h")
    # Without the folder of compiled modules the program complains at every start.
    (library / "lib-dynload").mkdir()
    place = build / (build / "pybuilddir.txt").read_text(encoding="utf-8").strip()
    for data in sorted(place.glob("_sysconfigdata*")):
        if re.fullmatch(r"_sysconfigdata\w*[\w-]*\.(py|json)", data.name):
            shutil.copyfile(data, library / data.name)
