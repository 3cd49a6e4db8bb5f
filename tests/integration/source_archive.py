"""A small archive of source packages, as apt reads one, and a library to compile out of it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from buildtools.acquire import Tools, librarysource
from buildtools.acquire.apt import Apt, write_configuration
from buildtools.acquire.compiled import compiled_libraries
from buildtools.acquire.cross import Zig
from buildtools.acquire.sources import SourceLibrary
from buildtools.recipes import LibraryRecipe, load_libraries
from buildtools.targets import parse_target

TARGET = parse_target("linux/x86_64/glibc2.28", {})
HEADER = '#define DEMO_VERSION "1.0"\nint demo(void);\n'
CMAKE = """\
cmake_minimum_required(VERSION 3.12)
project(demo C)
add_library(demo STATIC demo.c)
"""
PATCH = """\
--- a/lib/demo.h
+++ b/lib/demo.h
@@ -1,2 +1,2 @@
-#define DEMO_VERSION "1.0"
+#define DEMO_VERSION "1.0.1"
 int demo(void);
"""
RECIPE = """\
library: demo
summary: a library
licence: MIT
licence_file: COPYING
link: [demo]
version: {header: demo.h, name: DEMO_VERSION}
source: {debian: demo, folder: lib, archives: {demo-1.0.tar.gz: "%s"}}
build:
  system: cmake
  options: []
  platforms: {linux/x86_64: []}
  targets: [demo]
headers: {demo.h: .}
archives: {build/libdemo.a: libdemo.a}
"""


def tarball(path: Path, files: Mapping[str, str]) -> Path:
    """A tar.gz whose bytes depend on the files alone."""
    with (
        path.open("wb") as sink,
        gzip.GzipFile(fileobj=sink, mode="wb", filename="", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as tar,
    ):
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceArchive:
    """An archive below ``root``: pool, index and release file."""

    root: Path

    def offer(self, version: str = "1.0", *, body: str = "int demo(void) { return 1; }\n") -> Path:
        """Add a version of the package ``demo``; gives the archive of its source."""
        pool = self.root / "pool"
        pool.mkdir(parents=True, exist_ok=True)
        tree = f"demo-{version}"
        files = {
            f"{tree}/lib/demo.h": HEADER,
            f"{tree}/lib/demo.c": body,
            f"{tree}/lib/CMakeLists.txt": CMAKE,
            f"{tree}/lib/COPYING": "as you like\n",
            f"{tree}/other/huge.c": "int other;\n" * 1000,
        }
        source = tarball(pool / f"demo_{version}.orig.tar.gz", files)
        patches = {
            "debian/patches/series": "version.patch\n",
            "debian/patches/version.patch": PATCH,
        }
        tarball(pool / f"demo_{version}-1.debian.tar.gz", patches)
        (pool / f"demo_{version}-1.dsc").write_text(
            f"Format: 3.0 (quilt)\nSource: demo\nVersion: {version}-1\n"
        )
        self.index()
        return source

    def index(self) -> None:
        """Write the lists anew from what is in the pool now."""
        stanzas = []
        for dsc in sorted((self.root / "pool").glob("*.dsc")):
            version = dsc.stem.removeprefix("demo_")
            upstream = version.removesuffix("-1")
            names = (dsc.name, f"demo_{upstream}.orig.tar.gz", f"demo_{version}.debian.tar.gz")
            paths = [self.root / "pool" / name for name in names]
            md5 = "".join(f"\n {_digest('md5', path)}" for path in paths)
            sha = "".join(f"\n {_digest('sha256', path)}" for path in paths)
            stanzas.append(
                f"Package: demo\nBinary: demo\nVersion: {version}\nFormat: 3.0 (quilt)\n"
                f"Directory: pool\nArchitecture: any\nFiles:{md5}\nChecksums-Sha256:{sha}\n"
            )
        suite = self.root / "dists/demo"
        listing = suite / "main/source/Sources"
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("\n".join(stanzas))
        hashed = _digest("sha256", listing).replace("Sources", "main/source/Sources")
        (suite / "Release").write_text(
            "Origin: Debian\nSuite: demo\nCodename: demo\nComponents: main\nArchitectures: amd64\n"
            f"Date: Tue, 01 Jan 2030 00:00:00 UTC\nSHA256:\n {hashed}\n"
        )


def _digest(kind: str, path: Path) -> str:
    content = path.read_bytes()
    return f"{hashlib.new(kind, content).hexdigest()} {len(content)} {path.name}"


def stand_in_zig(folder: Path) -> Zig:
    """The machine's own gcc, called as zig would be: the procedure is tried, not the compiler."""
    program = folder / "zig"
    program.write_text(
        "#!/bin/sh\nPATH=/usr/bin:/bin\ncase $1 in\n"
        "  version) echo 1.0 ;;\n"
        '  cc|c++) shift 3; exec gcc "$@" ;;\n'
        '  *) exec "$@" ;;\n'
        "esac\n"
    )
    program.chmod(0o755)
    return Zig(program=program, triple="x86_64-linux-gnu.2.28", cache=folder / "zig-cache")


def demo_recipe(folder: Path, sha256: str = "0" * 64) -> Mapping[str, LibraryRecipe]:
    """The library's recipe, read from a file as the real ones are."""
    place = folder / "recipes/libraries/demo"
    place.mkdir(parents=True, exist_ok=True)
    (place / "library.yaml").write_text(RECIPE % sha256)
    return load_libraries(folder / "recipes")


@contextlib.contextmanager
def archive_in_use(cache: Path, uri: str | None) -> Iterator[None]:
    """Let sources come from this archive alone; from none at all where it is None."""

    def open_source_apt(*_: object, **__: object) -> Apt:
        root = cache / "apt/demo"
        apt = Apt(root=root, distribution="debian", release="demo", architecture="amd64")
        root.mkdir(parents=True, exist_ok=True)
        text = f"Types: deb-src\nURIs: {uri}\nSuites: demo\nComponents: main\nTrusted: yes\n"
        write_configuration(apt, text)
        return apt

    machine = ("debian", "demo") if uri is not None else None
    with (
        mock.patch.object(librarysource, "RELEASES", {"debian": ("demo",)}),
        mock.patch.object(librarysource, "ALIASES", {}),
        mock.patch.object(librarysource, "open_source_apt", open_source_apt),
        mock.patch.object(librarysource, "codename", return_value=machine),
    ):
        yield


def compile_demo(
    folder: Path, uri: str | None, *, sha256: str = "0" * 64, cache: Path | None = None
) -> SourceLibrary:
    """Compile the library with everything below ``folder``."""
    tools = Tools(cache=cache or folder / "cache")
    with archive_in_use(tools.cache, uri):
        return compiled_libraries(
            tools, stand_in_zig(folder), TARGET, ["demo"], demo_recipe(folder, sha256)
        )[0]


def whole(cache: Path) -> list[str]:
    """The names of what a cache holds of sources and libraries, half-made ones included."""
    return sorted(
        path.name
        for shelf in ("sources", "libraries")
        for path in (cache / shelf).glob("*")
        if path.is_dir()
    ) + sorted(path.name for path in cache.rglob("*.part"))


def copy_of(path: Path, folder: Path) -> Path:
    """A copy of a file in a folder that is made for it."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(path, folder))
