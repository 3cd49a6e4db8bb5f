"""What is asked for and what is handed back: values between acquire and its callers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from buildtools.errors import NoWheelError, UsageError
from buildtools.findings import Cause
from buildtools.host import Interpreter
from buildtools.targets import PythonAbi, Target, Version, extension_suffixes

OnEvent = Callable[[str, str, float | None], None]
"""Progress: a stage (``fetch``, ``tools``, ``packages``, ``build``, ``repair``), what is done,
and how far it is (0 to 1), or None where that cannot be known."""


def silent(stage: str, detail: str, fraction: float | None) -> None:
    """An :data:`OnEvent` that says nothing."""


class Backend(StrEnum):
    """How a wheel came to be; public, in the JSON of ``wheel`` and ``rebuild``."""

    INDEX = "index"
    NATIVE = "native"
    ZIG = "zig"
    CIBUILDWHEEL = "cibuildwheel"


class LibraryWay(StrEnum):
    """Where the client library that a driver links to is from; public, an option of ``wheel``.

    ``auto`` takes packages where their floor allows it and they are supported, else the source.
    """

    AUTO = "auto"
    PACKAGES = "packages"
    SOURCE = "source"


class AcquireError(NoWheelError):
    """No wheel could be had or built.

    ``cause`` names why in the contract's words; ``log`` is the whole log of a build, when there is
    one; ``floor`` the lowest libc version that could be had, where a floor was the trouble.
    """

    def __init__(
        self,
        what: str,
        *,
        cause: Cause = Cause.UNKNOWN,
        where: str = "",
        why: str = "",
        next_step: str = "",
        log: Path | None = None,
        floor: Version | None = None,
    ) -> None:
        super().__init__(what, where=where, why=why, next_step=next_step)
        self.cause = cause
        self.log = log
        self.floor = floor


_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
"""A distribution's name, as the core metadata specification writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelRequest:
    """One wheel that is wanted.

    ``distribution`` is the name on the index; ``version`` an exact one, else ``specifier`` bounds
    it and the newest is taken. ``target`` is where it must run; without a Python of its own it
    means that of ``python``, the interpreter that runs pip and, in a build, the backend.
    ``offline`` forbids the index: only pip's own find-links are looked in. ``libraries`` is the way
    to the client library; ``end_of_life`` allows libraries that nobody supports any more.
    """

    distribution: str
    target: Target
    python: Interpreter
    version: str | None = None
    specifier: str = ""
    offline: bool = False
    libraries: LibraryWay = LibraryWay.AUTO
    end_of_life: bool = True

    def __post_init__(self) -> None:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.version import InvalidVersion
        from packaging.version import Version as ReleaseVersion

        if _NAME.fullmatch(self.distribution) is None:
            raise UsageError(f"{self.distribution!r} is no name that a distribution can have")
        try:
            SpecifierSet(self.specifier)
            if self.version is not None:
                ReleaseVersion(self.version)
        except (InvalidSpecifier, InvalidVersion) as error:
            raise UsageError(
                "this version cannot be asked for", where=self.distribution, why=str(error)
            ) from error

    @property
    def requirement(self) -> str:
        """The requirement that pip is given: ``mysqlclient==2.3.1`` or ``mysqlclient>=2.2``."""
        bound = f"=={self.version}" if self.version else self.specifier.replace(" ", "")
        return f"{self.distribution}{bound}"

    def bounded_by(self, versions: str) -> WheelRequest:
        """The same request; one that names no version is held to a recipe's specifier set."""
        if self.version or self.specifier or not versions:
            return self
        return replace(self, specifier=versions)

    @property
    def abi(self) -> PythonAbi:
        """The Python ABI that the wheel must have."""
        return self.target.python or self.python.abi

    @property
    def place(self) -> Target:
        """The target with the Python that is wanted there, and the suffixes that it imports."""
        if self.target.same_machine == self.python.target.same_machine:
            return self.target.with_python(self.abi)
        suffixes = extension_suffixes(self.target, self.abi)
        return self.target.with_python(replace(self.abi, ext_suffixes=suffixes))

    @property
    def at_home(self) -> bool:
        """Whether the target is the very place that ``python`` runs on, floor and ABI included."""
        home = self.python.target
        return (
            self.target.same_machine == home.same_machine
            and self.abi.abi == self.python.abi.abi
            and self.target.libc == home.libc
            and self.target.min_os == home.min_os
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the index offers, before anything is downloaded.

    ``source`` is ``index`` for a wheel, ``sdist`` for a source archive; ``sha256`` is empty when
    the index does not say it; ``filename`` is empty for an sdist that was only seen by version.
    """

    distribution: str
    version: str
    source: str
    filename: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquiredWheel:
    """A wheel on disk, whole, with where it came from.

    ``tags`` are its tag triples (``cp311-cp311-manylinux_2_34_x86_64``); ``bundled`` the sonames of
    the libraries inside; ``log`` the build's log, None for a fetched wheel; ``notes`` what
    its user should know, such as a bundled library that is past its end of life; ``libraries`` the
    way by which its client library was had, empty where it has none; ``linked`` what is compiled
    into its modules, each with its version.
    """

    path: Path
    distribution: str
    version: str
    tags: tuple[str, ...]
    sha256: str
    source: str
    backend: Backend
    bundled: tuple[str, ...] = ()
    log: Path | None = None
    notes: tuple[str, ...] = ()
    libraries: str = ""
    linked: tuple[str, ...] = ()
