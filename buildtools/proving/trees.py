"""The target's own Python, without root: the distribution's packages unpacked into the cache."""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.acquire import AcquireError, Tools
from buildtools.acquire.apt import Apt, Package, codename, open_apt, plain_reason
from buildtools.acquire.caching import appearing, is_whole, locked, made_once, safe_name, workroom
from buildtools.acquire.debfile import unpack_deb
from buildtools.acquire.headers import RELEASES
from buildtools.errors import CannotLookError
from buildtools.host import Interpreter, interpreter_facts
from buildtools.targets import PythonAbi

_FRESH_SECONDS = 24 * 3600.0
_MERGED = ("lib", "lib64", "bin", "sbin")
"""Folders that a newer distribution has below ``/usr`` only; its base package links them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A folder that looks like another machine's ``/``, as far as its Python needs it.

    ``python`` is the interpreter in it; ``origin`` says whose it is; ``lacks`` names modules of the
    standard library that it came without.
    """

    root: Path
    python: Path
    origin: str
    lacks: frozenset[str] = frozenset()


def releases_with(version: str) -> tuple[str, ...]:
    """The releases of the machine's own archive that carry this Python, its own one first."""
    machine = codename()
    if machine is None:
        return ()
    distribution, own = machine
    carrying = RELEASES.get(distribution, {}).get(version, ())
    return tuple(sorted(carrying, key=lambda release: release != own))


def python_tree(tools: Tools, arch: str, version: str, release: str) -> Tree:
    """Python ``version`` (``3.11``) of a release for ``arch``, with all that it loads.

    Kept under its packages' versions; asked again within a day, apt is not run. Raises
    :class:`AcquireError`.
    """
    apt = open_apt(tools.cache, arch, release=release)
    if apt is None:
        raise AcquireError(
            f"a Python {version} for {arch} cannot be unpacked here",
            why="that takes apt, and this is no Debian or Ubuntu with sources of its own",
        )
    # manylinux promises the C++ runtime to every wheel (PEP 513), and Python itself needs none.
    names = (f"python{version}-minimal", f"libpython{version}-stdlib", "libstdc++6")
    root = packages_tree(tools, apt, names)
    python = root / "usr/bin" / f"python{version}"
    if not python.is_file():
        raise AcquireError("the packages hold no Python", where=str(root), why=f"no {python.name}")
    origin = f"{apt.distribution.capitalize()} {release}'s {python.name}"
    return Tree(root=root, python=python, origin=origin)


def loader_words(root: Path, *, musl: bool = False) -> tuple[str, ...]:
    """The tree's own dynamic loader as a program: this processor, another C library.

    Raises :class:`AcquireError` when the tree has none.
    """
    pattern = "ld-musl-*.so.1" if musl else "ld-linux*.so*"
    for folder in (root / "lib", root / "lib64", root / "usr/lib"):
        for loader in sorted(folder.glob(pattern)):
            below = [root / "lib", root / "usr/lib"]
            libraries = [*below, *(p for one in below for p in sorted(one.glob("*-linux-*")))]
            return (str(loader), "--library-path", ":".join(map(str, libraries)))
    raise AcquireError("the unpacked packages hold no loader", where=str(root), why=pattern)


def hosted_python(tools: Tools, python: PythonAbi) -> Interpreter:
    """A Python that this machine does not have, of this machine's kind, to run a build backend.

    It is a release's own, run by that release's own loader: a small program stands for both, so
    that the Python and its children start it like any other. Raises :class:`AcquireError`.
    """
    version = str(python.version)
    built = " ".join(
        word
        for word, has in (("free-threaded", python.free_threaded), ("debug", python.debug))
        if has
    )
    if built:
        raise AcquireError(
            f"there is no {python.abi} on this machine to build with",
            why=f"a {built} Python is not unpacked from the distribution's archive",
            next_step=f"put a {built} Python {version} on PATH, or name it with --python PATH",
        )
    arch = tools.interpreter.target.arch
    failures = []
    for release in releases_with(version):
        try:
            tree = python_tree(tools, arch, version, release)
            return interpreter_facts(_program(tree))
        except AcquireError as error:
            failures.append(f"{release}: {plain_reason(error)}")
        except CannotLookError as error:
            failures.append(f"{release}: {error.why or error.what}")
    raise AcquireError(
        f"there is no Python {version} on this machine to build with",
        why="; ".join(failures) or "no release of this machine's archive carries it",
        next_step=f"put a Python {version} on PATH, or name one with --python PATH",
    )


def _program(tree: Tree) -> Path:
    """A script that starts the tree's Python by the tree's loader, below the tree's own prefix."""
    path = tree.root / "usr/host" / tree.python.name
    if not path.is_file():
        loader, *options = loader_words(tree.root)
        start = shlex.join([loader, "--argv0"]), shlex.join([*options, str(tree.python)])
        with appearing(path) as partial:
            partial.write_text(f'#!/bin/sh\nexec {start[0]} "$0" {start[1]} "$@"\n')
        path.chmod(0o755)
    return path


def packages_tree(tools: Tools, apt: Apt, names: Sequence[str]) -> Path:
    """These packages with everything that they depend on, unpacked in one folder of the cache."""
    key = hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]
    note = tools.cache / "trees" / f"{safe_name(apt.root.name)}-{key}.json"
    with locked(note.with_suffix(".lock")):
        known = _known(tools, note)
        if known is not None:
            return known
        tools.on_event("proof", f"unpacking {names[0]} of {apt.release} ({apt.architecture})", None)
        folder = apt.with_lists(lambda: _filled(tools, apt, names))
        with appearing(note) as partial:
            partial.write_text(json.dumps({"folder": folder.name, "time": time.time()}))
    return folder


def _filled(tools: Tools, apt: Apt, names: Sequence[str]) -> Path:
    chosen = apt.closure(names)
    folder = tools.cache / "trees" / _folder_name(apt, chosen)
    return made_once(folder, lambda partial: _fill(tools, apt, chosen, partial))


def _fill(tools: Tools, apt: Apt, chosen: Sequence[Package], folder: Path) -> None:
    with workroom(tools.cache, "tree") as room:
        for file in apt.download(chosen, room):
            unpack_deb(file, folder, wanted=lambda name: not name.startswith("usr/share/"))
    for name in _MERGED:
        if not (folder / name).exists() and (folder / "usr" / name).is_dir():
            (folder / name).symlink_to(f"usr/{name}")


def _folder_name(apt: Apt, packages: Sequence[Package]) -> str:
    words = " ".join(f"{package.name}={package.version}" for package in packages)
    key = hashlib.sha256(words.encode()).hexdigest()[:16]
    return safe_name(f"{apt.release}-{apt.architecture}-{key}")


def _known(tools: Tools, note: Path) -> Path | None:
    """The tree that these packages gave within the last day, or ever when offline."""
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
        folder = tools.cache / "trees" / safe_name(str(noted["folder"]))
        if not tools.offline and time.time() - float(noted["time"]) > _FRESH_SECONDS:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return folder if is_whole(folder) else None
