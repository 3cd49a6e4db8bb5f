"""Locks with hashes, one per target, and the gate: everything native has a way onto the target."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.deploy.lock_hashes import keep_hashes, without_hashes
from buildtools.deploy.lock_script import REFUSED
from buildtools.errors import BuildtoolsError, CannotLookError, NoWheelError, UsageError
from buildtools.processes import Completed, clean_environment, redact, run
from buildtools.targets import PythonAbi, Target, marker_environment, wheel_tags

LONGEST = 900.0
"""Seconds that one resolution may take."""

_COMMAND = "buildtools lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A locked distribution that has no way onto the target, and why."""

    distribution: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One target's lock: its text, where it belongs, and what the gate found missing."""

    target: str
    path: Path
    text: str
    changed: bool
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One locked distribution and what the index has of it.

    ``compiled`` is set when there is no wheel at all and the sdist holds sources for a compiler.
    """

    name: str
    version: str
    files: tuple[str, ...]
    compiled: bool

    @property
    def native(self) -> bool:
        """Whether it must be compiled: wheels for platforms and none for any, or sources."""
        wheels = [name for name in self.files if name.endswith(".whl")]
        anywhere = any(name.endswith("-none-any.whl") for name in wheels)
        return self.compiled or (bool(wheels) and not anywhere)

    def has_wheel(self, target: Target) -> bool:
        """Whether one of the files is a wheel that installs on the target."""
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        supported = set(wheel_tags(target))
        for name in self.files:
            if not name.endswith(".whl"):
                continue
            try:
                tags = parse_wheel_filename(name)[3]
            except InvalidWheelFilename:
                continue
            if any((tag.interpreter, tag.abi, tag.platform) in supported for tag in tags):
                return True
        return False


Gate = Callable[[Pin, Target], Missing | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """What to lock: pip requirement files or a ``pyproject.toml``, for one target with a Python.

    ``python_full`` is the whole version that ``python_full_version`` markers are read against.
    """

    target: Target
    inputs: tuple[Path, ...]
    folder: Path
    python_full: str
    upgrade: bool = False


def lock_name(target: Target) -> str:
    """The file name of a target's lock, such as ``linux-x86_64-musl-cp312.txt``."""
    musl = "-musl" if target.libc and target.libc.family == "musl" else ""
    return f"{target.os}-{target.arch}{musl}-{_python_of(target).abi}.txt"


def full_version(python: PythonAbi, hints: Sequence[str]) -> str:
    """The first whole version among the hints that is of this Python, else its latest patch.

    A marker such as ``python_full_version < "3.11.3"`` asks about old patch releases only, so a
    version that nobody named is taken for a late one.
    """
    for hint in hints:
        if re.fullmatch(rf"{re.escape(str(python.version))}\.\d+", hint):
            return hint
    return f"{python.version}.99"


def compile_lock(
    request: LockRequest,
    gate: Gate,
    on_line: Callable[[str], None] | None = None,
) -> Lock:
    """Resolve for the target and say what the gate found; nothing is written here.

    ``gate`` says what is missing of one pin. Raises :class:`NoWheelError` when there is no
    resolution and :class:`CannotLookError` without pip-tools.
    """
    for file in request.inputs:
        if not file.is_file():
            raise UsageError("there is no such requirements file", where=str(file))
    path = request.folder / lock_name(request.target)
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    with tempfile.TemporaryDirectory(prefix="buildtools-lock-") as scratch:
        output = Path(scratch) / "lock.txt"
        if old and not request.upgrade:
            output.write_text(without_hashes(old), encoding="utf-8")
        candidates = Path(scratch) / "candidates.json"
        _compile(request, output, candidates, on_line)
        text = _portable(output.read_text(encoding="utf-8"), request)
        text = text if request.upgrade else keep_hashes(old, text)
        files = json.loads(candidates.read_text(encoding="utf-8")) if candidates.exists() else {}
    pins = [_pin(key, files[key]) for key in sorted(files)]
    found = (gate(pin, request.target) for pin in pins)
    missing = tuple(item for item in found if item is not None)
    target = request.target.spec
    return Lock(target=target, path=path, text=text, changed=text != old, missing=missing)


def _compile(
    request: LockRequest,
    output: Path,
    candidates: Path,
    on_line: Callable[[str], None] | None,
) -> None:
    description = output.with_name("request.json")
    python = _python_of(request.target)
    description.write_text(
        json.dumps(
            {
                "environment": marker_environment(request.target, request.python_full),
                "version": [int(part) for part in request.python_full.split(".")],
                "tags": [list(tag) for tag in wheel_tags(request.target)],
                "candidates": str(candidates),
            }
        ),
        encoding="utf-8",
    )
    words: list[str | os.PathLike[str]] = [
        sys.executable,
        Path(__file__).with_name("lock_script.py"),
        description,
        *("--quiet", "--no-config", "--generate-hashes", "--strip-extras", "--allow-unsafe"),
        *("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links"),
        # What is written already is no proof: the gate needs to hear of every pin's files.
        "--no-reuse-hashes",
        *("--resolver", "backtracking", "--output-file", output),
        *(["--upgrade"] if request.upgrade else []),
        "--",
        *request.inputs,
    ]
    environment = clean_environment({"CUSTOM_COMPILE_COMMAND": _COMMAND})
    done = run(words, timeout=LONGEST, env=environment)
    if not done.ok:
        raise _refusal(request, done, python)
    if on_line is not None:
        for line in done.stderr.splitlines():
            on_line(line)


def _refusal(request: LockRequest, done: Completed, python: PythonAbi) -> BuildtoolsError:
    """Why there is no lock, as an error of the kind that it is."""
    where = ", ".join(str(path) for path in request.inputs)
    lines = done.stderr.splitlines()
    told = next((line for line in lines if line.startswith(REFUSED)), None)
    reason = json.loads(told.removeprefix(REFUSED)) if told else {"kind": "", "said": ""}
    said = redact(str(reason["said"]))
    if reason["kind"] == "no-pip-tools":
        return CannotLookError(
            "pip-tools is not installed beside this tool",
            where=sys.executable,
            next_step="pip install 'native-buildtools[lock]', or run nox -s lock",
        )
    if reason["kind"] == "unreached":
        return CannotLookError(
            "the index cannot be reached (index-unreachable)",
            where=where,
            why=said,
            next_step="pip download of one of the requirements says more; then lock again",
        )
    if reason["kind"] == "invalid":
        return UsageError(
            "the requirements cannot be read", where=where, why=said, next_step="correct that line"
        )
    return NoWheelError(
        f"no set of versions satisfies the requirements for {request.target.spec} ({python.abi})",
        where=where,
        why="it took too long" if done.timed_out else said or done.tail(15),
        next_step="loosen the requirement that pip names",
    )


def _portable(text: str, request: LockRequest) -> str:
    """The lock as the target's own Python would write it, wherever this checkout lies."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    there = str(_python_of(request.target).version)
    text = text.replace(f"with Python {here}\n", f"with Python {there}\n", 1)
    for path in request.inputs:
        inside = path.is_relative_to(request.folder.parent)
        name = path.relative_to(request.folder.parent) if inside else Path(path.name)
        text = text.replace(str(path), str(name))
    # A constraints file that a requirements file names comes with its whole path.
    return re.sub(
        rf"^( *#.* -[cr] ){re.escape(str(request.folder.parent))}/", r"\1", text, flags=re.MULTILINE
    )


def _pin(key: str, found: Mapping[str, object]) -> Pin:
    name, _, version = key.partition("==")
    files = found["files"]
    names = tuple(str(file) for file in files) if isinstance(files, list) else ()
    return Pin(name=name, version=version, files=names, compiled=bool(found["compiled"]))


def _python_of(target: Target) -> PythonAbi:
    if target.python is None:
        raise UsageError(
            f"{target.spec} names no Python, and a lock is for one",
            next_step=f"write {target.spec}/cp313",
        )
    return target.python
