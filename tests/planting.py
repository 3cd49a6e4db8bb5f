"""Faults of native drivers, each planted into a virtual environment with real binaries.

``FAULTS`` is the list that ``doctor`` must name and ``rebuild`` must mend. Each starts from a venv
in which its driver is installed and whole.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from buildtools.findings import Cause

CORPUS = Path(__file__).parent / "corpus" / "binaries"

MARKER_VARIABLE = "PLANTED_MARKER"
"""Names the file that a planted ``__init__`` writes when it is imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Venv:
    """The environment that a fault is planted into, and a folder for what lies outside of it."""

    root: Path
    outside: Path

    @property
    def python(self) -> Path:
        return self.root / "bin" / "python"

    @property
    def site(self) -> Path:
        return next((self.root / "lib").glob("python3.*/site-packages"))

    @property
    def version(self) -> str:
        return self.site.parent.name.removeprefix("python")

    @property
    def suffix(self) -> str:
        """The suffix of this interpreter's own modules."""
        code = "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))"
        return run([self.python, "-c", code]).strip()


Planter = Callable[[Venv], Mapping[str, str]]
"""Plants a fault; gives the environment variables under which it shows."""


def run(words: list[str | Path], **environment: str) -> str:
    """Run a program to its end; its output."""
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=600, env=environment or None
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def make_venv(folder: Path) -> Venv:
    """A venv without pip; packages come into it by another interpreter's pip."""
    root = folder / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", root])
    outside = folder / "outside"
    outside.mkdir()
    return Venv(root=root, outside=outside)


def make_interpreter(folder: Path) -> Venv:
    """An interpreter that is no venv, with a ``site-packages`` of its own.

    A venv searches its own packages before the user site, an interpreter after it. This one is a
    copy of the executable beside links to the standard library of the Python that runs the tests.
    """
    base = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    root = folder / "venv"
    (root / "bin").mkdir(parents=True)
    library = root / "lib" / name
    library.mkdir(parents=True)
    for entry in (base / "lib" / name).iterdir():
        if entry.name not in {"site-packages", "dist-packages", "EXTERNALLY-MANAGED"}:
            (library / entry.name).symlink_to(entry)
    (library / "site-packages").mkdir()
    shutil.copy2((base / "bin" / name).resolve(), root / "bin" / name)
    (root / "bin" / "python").symlink_to(name)
    outside = folder / "outside"
    outside.mkdir()
    return Venv(root=root, outside=outside)


def install(venv: Venv, requirement: str, *flags: str) -> None:
    """Install a requirement with this test's own pip into the venv."""
    run(
        [
            sys.executable, "-m", "pip", "--python", venv.python, "install",
            "--quiet", "--no-deps", "--no-input", "--no-compile",
            *flags, requirement,
        ]
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: the cause that ``doctor`` must name, the driver that ``rebuild`` is asked for.

    ``requirement`` is what pip installs first; ``flags`` are pip's; ``make`` makes the environment.
    """

    name: str
    cause: Cause
    plant: Planter
    driver: str = "pysqlite3"
    requirement: str = "pysqlite3"
    flags: tuple[str, ...] = ("--only-binary=:all:",)
    make: Callable[[Path], Venv] = make_venv
    also: frozenset[Cause] = field(default=frozenset({Cause.RECORD_MISMATCH}))
    """Causes that may be named beside it: the planted file is not the one that RECORD lists."""


def native_module(venv: Venv) -> Path:
    """The file of pysqlite3's compiled module."""
    return next((venv.site / "pysqlite3").glob("_sqlite3.*so"))


def _replace(content: bytes, suffix: str = "") -> Planter:
    """The module's bytes become others; with ``suffix`` it is renamed as well."""

    def plant(venv: Venv) -> Mapping[str, str]:
        module = native_module(venv)
        target = module.with_name("_sqlite3" + suffix) if suffix else module
        module.unlink()
        target.write_bytes(content)
        return {}

    return plant


def _corpus(name: str, suffix: str = "") -> Planter:
    def plant(venv: Venv) -> Mapping[str, str]:
        return _replace((CORPUS / name).read_bytes(), suffix)(venv)

    return plant


def _renamed(suffix: str) -> Planter:
    """The whole module, under another interpreter's suffix."""

    def plant(venv: Venv) -> Mapping[str, str]:
        module = native_module(venv)
        module.rename(module.with_name("_sqlite3" + suffix))
        return {}

    return plant


def cut(part: int, of: int) -> Planter:
    """The module's first ``part`` of ``of`` bytes."""

    def plant(venv: Venv) -> Mapping[str, str]:
        module = native_module(venv)
        whole = module.read_bytes()
        module.write_bytes(whole[: len(whole) * part // of])
        return {}

    return plant


def _library_removed(venv: Venv) -> Mapping[str, str]:
    """A module whose library stood beside the package and is gone."""
    module = native_module(venv)
    module.write_bytes((CORPUS / "elf-needs-libsample-runpath.so").read_bytes())
    libraries = venv.site / "sample.libs"
    libraries.mkdir()
    library = libraries / "libsample.so.1"
    library.write_bytes((CORPUS / "elf-libsample-1.1.so.1").read_bytes())
    library.unlink()
    return {}


def _library_too_old(venv: Venv) -> Mapping[str, str]:
    """A module whose library is there, but an older one without a symbol that it wants."""
    module = native_module(venv)
    module.write_bytes((CORPUS / "elf-needs-libsample-unversioned.so").read_bytes())
    libraries = venv.site / "sample.libs"
    libraries.mkdir()
    old = (CORPUS / "elf-libsample-unversioned-old.so.1").read_bytes()
    (libraries / "libsample.so.1").write_bytes(old)
    return {}


def _removed(venv: Venv) -> Mapping[str, str]:
    native_module(venv).unlink()
    return {}


def _pure_wheel(venv: Venv) -> Mapping[str, str]:
    """The driver as pip installs it where no native wheel fits: on Alpine, on a new Python."""
    site = venv.site
    shutil.rmtree(site)
    site.mkdir()
    run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-input",
            "--no-compile", "--only-binary=:all:", "--platform", "any", "--target", site,
            "mysql-connector-python",
        ]
    )  # fmt: skip
    return {}


def _user_site_copy(venv: Venv) -> Mapping[str, str]:
    """A broken copy in the user site, which is searched before an interpreter's own packages."""
    base = venv.outside / "user"
    package = base / "lib" / f"python{venv.version}" / "site-packages" / "pysqlite3"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from pysqlite3 import _sqlite3\n")
    arm = (CORPUS / "elf-aarch64-glibc2.28.so").read_bytes()
    (package / native_module(venv).name).write_bytes(arm)
    return {"PYTHONUSERBASE": str(base)}


def _python_path_copy(venv: Venv) -> Mapping[str, str]:
    """A broken copy in a folder of ``PYTHONPATH``, which is searched before everything else."""
    package = venv.outside / "path" / "pysqlite3"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from pysqlite3 import _sqlite3\n")
    (package / native_module(venv).name).write_bytes(b"")
    return {"PYTHONPATH": str(package.parent)}


_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 1402344\n"
)
_PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body></body></html>\n"
_MISSING_TOO = frozenset({Cause.RECORD_MISMATCH, Cause.MISSING_NATIVE_MODULE})

CUTS = 20
"""A module is cut at so many lengths, evenly spread from nothing to nearly all of it."""

FAULTS: tuple[Fault, ...] = (
    Fault(
        name="macos-arm64",
        cause=Cause.FOREIGN_FORMAT,
        plant=_corpus("macho-arm64-macos11.so", ".cpython-311-darwin.so"),
        also=_MISSING_TOO,
    ),
    Fault(
        name="macos-arm64-same-name",
        cause=Cause.FOREIGN_FORMAT,
        plant=_corpus("macho-arm64-macos11.so"),
    ),
    Fault(name="aarch64", cause=Cause.FOREIGN_ARCH, plant=_corpus("elf-aarch64-glibc2.28.so")),
    Fault(name="i686", cause=Cause.FOREIGN_ARCH, plant=_corpus("elf-i686-glibc2.17.so")),
    Fault(
        name="cp310",
        cause=Cause.ABI_MISMATCH,
        plant=_renamed(".cpython-310-x86_64-linux-gnu.so"),
        also=_MISSING_TOO,
    ),
    Fault(
        name="cp313t",
        cause=Cause.ABI_MISMATCH,
        plant=_renamed(".cpython-313t-x86_64-linux-gnu.so"),
        also=_MISSING_TOO,
    ),
    Fault(name="musl", cause=Cause.LIBC_MISMATCH, plant=_corpus("elf-x86_64-musl.so")),
    Fault(name="newer-glibc", cause=Cause.LIBC_TOO_OLD, plant=_corpus("elf-needs-future-glibc.so")),
    Fault(
        name="newer-libstdcxx",
        cause=Cause.LIBSTDCXX_TOO_OLD,
        plant=_corpus("elf-needs-future-glibcxx.so"),
    ),
    Fault(name="library-removed", cause=Cause.MISSING_LIBRARY, plant=_library_removed),
    Fault(name="library-too-old", cause=Cause.MISSING_SYMBOL, plant=_library_too_old),
    Fault(name="module-removed", cause=Cause.MISSING_NATIVE_MODULE, plant=_removed),
    Fault(name="lfs-pointer", cause=Cause.CORRUPT_BINARY, plant=_replace(_POINTER)),
    Fault(name="empty", cause=Cause.CORRUPT_BINARY, plant=_replace(b"")),
    Fault(name="html", cause=Cause.CORRUPT_BINARY, plant=_replace(_PAGE)),
    *(
        Fault(name=f"cut-{part}-of-{CUTS}", cause=Cause.CORRUPT_BINARY, plant=cut(part, CUTS))
        for part in range(CUTS)
    ),
    Fault(
        name="pure-wheel",
        cause=Cause.PURE_FALLBACK,
        plant=_pure_wheel,
        driver="mysql-connector-python",
        requirement="mysql-connector-python",
    ),
    Fault(
        name="user-site-copy",
        cause=Cause.SHADOWED,
        plant=_user_site_copy,
        make=make_interpreter,
        also=frozenset({Cause.FOREIGN_ARCH}),
    ),
)
"""Every fault of the project's brief."""

PYTHON_PATH_COPY = Fault(
    name="python-path-copy",
    cause=Cause.SHADOWED,
    plant=_python_path_copy,
    also=frozenset({Cause.CORRUPT_BINARY}),
)
"""A fault that no rebuild mends: the variable is not the environment's."""


def plant_marker(venv: Venv, marker: Path) -> dict[str, str]:
    """Make every import of the drivers' packages write a file, to show that none happens."""
    for package in ("pysqlite3", "mysql"):
        init = venv.site / package / "__init__.py"
        if init.parent.is_dir():
            code = f"import os; open(os.environ[{MARKER_VARIABLE!r}], 'a').write(__name__)\n"
            init.write_text(code + (init.read_text() if init.exists() else ""))
    return {MARKER_VARIABLE: str(marker)}
