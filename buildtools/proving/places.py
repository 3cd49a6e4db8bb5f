"""Where a wheel of a target can be run from here: a Python of the target's kind, and its runner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from buildtools.acquire import AcquireError, Tools
from buildtools.acquire.apt import plain_reason
from buildtools.errors import CannotLookError, NoWheelError
from buildtools.host import Interpreter, interpreter_facts
from buildtools.proving.emulators import emulator, qemu_name
from buildtools.proving.musl import musl_python
from buildtools.proving.musltls import with_ssl
from buildtools.proving.trees import Tree, loader_words, python_tree, releases_with
from buildtools.targets import LibCFamily, OperatingSystem, PythonAbi, Target, extension_suffixes

EMULATED_SECONDS = 300.0
"""What a probe may take under emulation, on a machine with other work to do."""
_NATIVE_SECONDS = 60.0
_FACTS_SECONDS = 120.0


class NoPlaceError(NoWheelError):
    """No Python of the target's kind can be run here; ``what`` is the whole reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A Python that loads the target's modules, and how it is started here.

    ``prefix`` stands before it on a command line; ``how`` is half a sentence for reports;
    ``timeout`` what a probe may take there, in seconds; ``lacks`` names modules of the standard
    library that this Python came without.
    """

    interpreter: Interpreter
    how: str
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None
    timeout: float = _NATIVE_SECONDS
    lacks: frozenset[str] = field(default_factory=frozenset)


def find_place(
    target: Target,
    own: Interpreter,
    tools: Tools,
    *,
    compiling: bool = True,
    secure: bool = False,
) -> Place:
    """The place to try a wheel for ``target`` with its Python.

    ``own`` is this machine's interpreter of the same version. Where a Python of musl has to be
    compiled first, ``compiling`` says whether that may be, ``secure`` whether it gets an ``ssl``.
    Raises :class:`NoPlaceError`.
    """
    python = target.python or own.abi
    home = own.target
    if target.os is OperatingSystem.DARWIN and home.os is not OperatingSystem.DARWIN:
        raise NoPlaceError("this machine runs Linux, and nothing on it runs macOS binaries")
    if target.same_machine == home.same_machine and python.abi == own.abi.abi:
        if not _too_new(target, home):
            return Place(interpreter=own, how=f"here, by Python {own.version}")
    elif target.os is not home.os:
        raise NoPlaceError(f"this machine runs {home.os}, and nothing on it runs {target.os}")
    if python.free_threaded or python.debug:
        raise NoPlaceError(
            f"no {python.abi} for {target.arch} is on this machine, and what is unpacked from "
            "packages is neither free-threaded nor a debug build"
        )
    try:
        if _musl(target):
            tree = musl_python(tools, target.arch, own, python, compiling=compiling)
            if secure:
                tree = _secured(tree, target.arch, python, tools)
        else:
            tree = _packaged(target, str(python.version), tools)
        return _started(tree, target, own, tools)
    except (AcquireError, CannotLookError) as error:
        said = f"{error.what}: {error.why}" if error.why else error.what
        raise NoPlaceError(" ".join(said.split())) from error


def fetch_place(target: Target, own: Interpreter, tools: Tools) -> None:
    """Fetch the packages that :func:`find_place` will want for another processor; else nothing.

    Raises what they raise: whoever asks for the place meets it again.
    """
    python = target.python or own.abi
    if target.os is not own.target.os or _musl(target) or target.arch == own.target.arch:
        return
    if not (python.free_threaded or python.debug):
        _packaged(target, str(python.version), tools)
        emulator(tools, target.arch)


def _musl(target: Target) -> bool:
    return target.libc is not None and target.libc.family is LibCFamily.MUSL


def _secured(tree: Tree, arch: str, python: PythonAbi, tools: Tools) -> Tree:
    """The tree with an ``ssl``; as it is where none can be made, which is said."""
    try:
        return with_ssl(tools, arch, python, tree)
    except AcquireError as error:
        tools.on_event("proof", f"without ssl: {error.what}; {error.why}", None)
        return tree


def _too_new(target: Target, home: Target) -> bool:
    """Whether the target's floor is newer than what this machine has."""
    floor = target.libc.version if target.libc else target.min_os
    own = home.libc.version if home.libc else home.min_os
    return floor is not None and own is not None and floor > own


def _packaged(target: Target, version: str, tools: Tools) -> Tree:
    """A distribution's Python of that version and processor."""
    releases = releases_with(version)
    if not releases:
        raise AcquireError(f"no release of this machine's archive carries Python {version}")
    failures = []
    for release in releases:
        try:
            return python_tree(tools, target.arch, version, release)
        except AcquireError as error:
            failures.append(f"{release}: {plain_reason(error)}")
    raise AcquireError(
        f"no Python {version} for {target.arch} could be unpacked", why="; ".join(failures)
    )


def _started(tree: Tree, target: Target, own: Interpreter, tools: Tools) -> Place:
    """The tree's Python, asked what it is; the answer proves that it starts here."""
    if target.arch == own.target.arch:
        prefix, by = loader_words(tree.root, musl=_musl(target)), "its own loader"
    else:
        prefix = (str(emulator(tools, target.arch)), "-L", str(tree.root))
        by = f"qemu-{qemu_name(target.arch)}"
    facts = interpreter_facts(tree.python, prefix=prefix, timeout=_FACTS_SECONDS)
    there = facts.target
    if there.same_machine != target.same_machine or _too_new(target, there):
        raise AcquireError(
            f"the Python that can be run here is {there.spec}", why=f"the target is {target.spec}"
        )
    suffix = extension_suffixes(target, facts.abi)[0]
    if suffix not in facts.abi.ext_suffixes:
        raise AcquireError(
            f"the Python that can be run here imports no file named {suffix}, as wheels have them",
            why=f"{tree.origin} imports {', '.join(facts.abi.ext_suffixes)}",
        )
    return Place(
        interpreter=facts,
        how=f"under {by}, by {tree.origin}",
        prefix=prefix,
        environment={},
        timeout=EMULATED_SECONDS,
        lacks=tree.lacks,
    )
