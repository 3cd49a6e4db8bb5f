"""What this machine and its interpreters are: the only reader of ``sys`` and ``/lib``."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from buildtools.errors import CannotLookError, UsageError
from buildtools.folders import expanded, home_folder
from buildtools.processes import clean_environment, run
from buildtools.targets import (
    LibC,
    LibCFamily,
    OperatingSystem,
    PythonAbi,
    Target,
    Version,
    extension_suffixes,
    parse_target,
)

OLDEST_PYTHON = Version(major=3, minor=11)
"""The oldest CPython whose environments are mended; older ones are only named."""

_PYTHON_VARIABLES = ("PYTHONPATH", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONHOME")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """One Python interpreter and the environment that it imports from.

    ``version`` is whole (``3.11.7``); ``target`` is the machine with this Python's ABI;
    ``sys_path`` is what an application sees, without a script's folder; ``include`` is None without
    ``Python.h``; ``externally_managed`` is PEP 668's marker, seen outside a venv only.
    """

    executable: Path
    prefix: Path
    base_prefix: Path
    version: str
    target: Target
    sys_path: tuple[str, ...]
    purelib: Path
    platlib: Path
    stdlib: Path
    scripts: Path
    include: Path | None
    user_site: Path | None
    user_site_enabled: bool
    externally_managed: bool
    has_pip: bool

    @property
    def is_venv(self) -> bool:
        """Whether it is a virtual environment's."""
        return self.prefix != self.base_prefix

    @property
    def abi(self) -> PythonAbi:
        """The Python ABI, which :attr:`target` always carries here."""
        if self.target.python is None:  # pragma: no cover - interpreter_facts always sets it
            raise AssertionError(self.executable)
        return self.target.python


def interpreter_facts(
    python: Path | str | None = None, *, prefix: Sequence[str] = (), timeout: float = 30
) -> Interpreter:
    """Describe an interpreter: this one, an executable, a venv's folder, or a name on ``PATH``.

    With a ``prefix`` (an emulator, a ``chroot``) the path is the other tree's and taken as it is.
    Another interpreter is asked by one child process, within ``timeout`` seconds. Raises
    :class:`CannotLookError` when it can't be run or is no CPython.
    """
    if python is None:
        from buildtools.host_script import gather

        facts = gather()
        facts["sys_path"] = _application_path(facts["sys_path"])
        return _interpreter(facts)
    executable = Path(python) if prefix else find_interpreter(python)
    return _interpreter(_ask(executable, prefix, timeout))


def find_interpreter(python: Path | str) -> Path:
    """The executable that a path, a venv folder or a command's name stands for."""
    import shutil

    path = expanded(python)
    if path.is_dir():
        for candidate in (path / "bin" / "python", path / "bin" / "python3"):
            if candidate.exists():
                return candidate.absolute()
        raise CannotLookError(
            "there is no Python in this folder",
            where=str(path),
            why="neither bin/python nor bin/python3 is in it",
            next_step="name the interpreter itself, or the folder of a virtual environment",
        )
    if "/" in str(python) or path.exists():
        if not path.exists():
            broken = path.is_symlink()
            raise CannotLookError(
                "there is no such interpreter",
                where=str(path),
                why=f"it is a link to {path.readlink()}, which is gone" if broken else "",
                next_step="make the environment anew with the Python that it is to have"
                if broken
                else "name an existing Python, for example one that `ls /usr/bin/python3*` lists",
            )
        return path.absolute()
    found = shutil.which(str(python))
    if found is None:
        raise CannotLookError(
            f"no command {str(python)!r} is on PATH", next_step="name the interpreter by its path"
        )
    return Path(found)


def interpreter_of(python: PythonAbi) -> Interpreter | None:
    """The machine's interpreter with that ABI: this one, one on ``PATH``, or one of pyenv's.

    None when there is none that runs.
    """
    own = interpreter_facts()
    if own.abi.abi == python.abi:
        return own
    flags = f"{'t' if python.free_threaded else ''}{'d' if python.debug else ''}"
    name = f"python{python.version}{flags}"
    candidates: tuple[Path | str, ...] = (name, *_pyenv(f"{python.version}.*/bin/{name}"))
    for candidate in candidates:
        try:
            found = interpreter_facts(candidate)
        except CannotLookError:
            # pyenv's shims stand on PATH also for versions that are not switched on.
            continue
        if found.abi.abi == python.abi:
            return found
    return None


def _pyenv(pattern: str) -> list[Path]:
    """What pyenv has under its ``versions``, newest first."""
    own = os.environ.get("PYENV_ROOT")
    home = home_folder()
    root = Path(own) if own else home / ".pyenv" if home else None
    if root is None:
        return []
    return sorted((root / "versions").glob(pattern), key=_patch_level, reverse=True)


def _patch_level(executable: Path) -> tuple[int, ...]:
    """The version in the name of a pyenv folder, for sorting."""
    return tuple(int(part) for part in re.findall(r"\d+", executable.parents[1].name))


def host_target() -> Target:
    """This machine, with this interpreter's ABI."""
    return interpreter_facts().target


def resolve_target(text: str | None, named: Mapping[str, Target], about: Interpreter) -> Target:
    """The target that a command was given: None and ``host`` are the interpreter's own machine.

    A target that names no Python gets the interpreter's version. Raises :class:`UsageError`.
    """
    if text is None or text == "host":
        return about.target
    target = parse_target(text, named)
    if target.python is not None:
        return target
    bare = PythonAbi(
        version=about.abi.version, free_threaded=about.abi.free_threaded, debug=about.abi.debug
    )
    return target.with_python(replace(bare, ext_suffixes=extension_suffixes(target, bare)))


def _application_path(entries: list[str]) -> list[str]:
    """``sys.path`` as an application sees it: without what started this very tool put first."""
    if not entries or sys.flags.safe_path or sys.flags.isolated:
        return entries
    first = Path(entries[0] or ".").absolute()
    started_from = {Path.cwd(), Path(sys.argv[0] or ".").absolute().parent}
    return entries[1:] if first in started_from else entries


_LAST_WORDS = 100
"""Characters shown of what a program said that is no Python."""


def _ask(executable: Path, prefix: Sequence[str], timeout: float) -> dict[str, object]:
    script = Path(__file__).with_name("host_script.py").read_text(encoding="utf-8")
    kept = {key: os.environ[key] for key in _PYTHON_VARIABLES if key in os.environ}
    words = [*prefix, str(executable), "-c", script]
    answer = run(words, timeout=timeout, env=clean_environment(kept))
    try:
        facts = json.loads(answer.stdout) if answer.ok else None
    except ValueError:
        facts = None
    if isinstance(facts, dict) and "too_old" in facts:
        raise CannotLookError(
            f"Python {facts['too_old']} is too old to be looked at",
            where=str(executable),
            why="3.6 is the oldest that can say what it is; 3.11 the oldest that is mended",
            next_step="name a CPython 3.11 or newer",
        )
    if not isinstance(facts, dict):
        # Its last words only: what is no Python repeats the script that it was given.
        said = answer.tail(1)
        raise CannotLookError(
            "this interpreter does not answer",
            where=str(executable),
            why=said[-_LAST_WORDS:] or f"it ended with {answer.returncode}",
            next_step="name a CPython 3.11 or newer that runs on this machine",
        )
    return facts


def _interpreter(facts: Mapping[str, object]) -> Interpreter:
    def text(key: str) -> str:
        return str(facts[key])

    def path(key: str) -> Path:
        return Path(text(key))

    def texts(key: str) -> tuple[str, ...]:
        value = facts[key]
        return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else ()

    version = text("version")
    python = PythonAbi(
        version=Version.parse(re.match(r"\d+\.\d+", version).group()),  # type: ignore[union-attr]
        implementation=text("implementation"),
        free_threaded=bool(facts["free_threaded"]),
        debug=bool(facts["debug"]),
        ext_suffixes=texts("ext_suffixes"),
    )
    return Interpreter(
        executable=path("executable"),
        prefix=path("prefix"),
        base_prefix=path("base_prefix"),
        version=version,
        target=_platform(facts).with_python(python),
        sys_path=texts("sys_path"),
        purelib=path("purelib"),
        platlib=path("platlib"),
        stdlib=path("stdlib"),
        scripts=path("scripts"),
        include=path("include") if facts["include"] else None,
        user_site=path("user_site") if facts["user_site"] else None,
        user_site_enabled=bool(facts["user_site_enabled"]),
        externally_managed=bool(facts["externally_managed"]),
        has_pip=bool(facts["has_pip"]),
    )


def _platform(facts: Mapping[str, object]) -> Target:
    machine = str(facts["machine"]).lower()
    if facts["system"] == "darwin":
        arch = "arm64" if machine in {"arm64", "aarch64"} else machine
        return Target(
            name="host",
            os=OperatingSystem.DARWIN,
            arch=arch,
            min_os=Version.parse(str(facts["mac_version"])),
        )
    if facts["system"] != "linux":
        raise CannotLookError(
            f"{facts['system']} is not a platform that this tool knows",
            where=str(facts["executable"]),
            next_step="run it on Linux or macOS; binaries for Windows can be judged, not made",
        )
    if facts["pointer_bits"] == 32:  # noqa: PLR2004 - a 32-bit Python on a 64-bit kernel
        machine = {"x86_64": "i686", "amd64": "i686", "aarch64": "armv7l"}.get(machine, machine)
    arch = {"amd64": "x86_64", "arm64": "aarch64", "armv8l": "armv7l"}.get(machine, machine)
    libc = _libc(str(facts["libc"]), Path(str(facts["executable"])))
    return Target(name="host", os=OperatingSystem.LINUX, arch=arch, libc=libc)


def _libc(confstr: str, executable: Path) -> LibC:
    """Ask glibc for its version; know musl by the loader that the interpreter names."""
    match = re.match(r"glibc (\d+\.\d+)", confstr)
    if match is not None:
        return LibC(family=LibCFamily.GLIBC, version=Version.parse(match[1]))
    loader = _loader_of(executable)
    if loader is None or "musl" not in loader:
        return LibC(family=LibCFamily.GLIBC if loader else LibCFamily.MUSL)
    if not Path(loader).is_file():  # the interpreter is another tree's, started by its own loader
        return LibC(family=LibCFamily.MUSL)
    # musl's loader, run without arguments, prints its version on standard error and ends with 1.
    answer = run([loader], timeout=10)
    found = re.search(r"Version (\d+\.\d+)", answer.stderr + answer.stdout)
    return LibC(family=LibCFamily.MUSL, version=Version.parse(found[1]) if found else None)


def _loader_of(executable: Path) -> str | None:
    from buildtools.binaries import BinaryInvalid, read_binary

    try:
        with executable.open("rb") as stream:
            return read_binary(stream).slices[0].interpreter
    except (OSError, BinaryInvalid):
        return None


def require_supported(interpreter: Interpreter) -> None:
    """Raise :class:`UsageError` for an interpreter whose environment is not mended by this tool."""
    if interpreter.abi.implementation != "cpython" or interpreter.abi.version < OLDEST_PYTHON:
        raise UsageError(
            f"{interpreter.abi.implementation} {interpreter.version} is not supported",
            where=str(interpreter.executable),
            why=f"environments of CPython {OLDEST_PYTHON} and newer are",
            next_step="name a newer interpreter with --python",
        )
