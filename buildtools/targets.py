"""Where something is to run: platform, libc, minimum OS and Python ABI; parsing and tags.

The grammar is ``OS/ARCH[/musl | /glibcX.Y | /muslX.Y | /macosX[.Y]][/cpXY[t][d]]`` or a name. Pure:
the host is described by :mod:`buildtools.host` and comes in as a value like any other target.
Long because the words, the tags and the markers of one target must agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from buildtools.errors import UsageError


class OperatingSystem(StrEnum):
    """The operating systems that a target may name."""

    LINUX = "linux"
    DARWIN = "darwin"


class LibCFamily(StrEnum):
    """The two C libraries of Linux; a module linked to one does not load under the other."""

    GLIBC = "glibc"
    MUSL = "musl"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Version:
    """A two-part version, as glibc, musl, macOS and CPython count theirs."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``2.28`` or ``11`` (which is 11.0); ``ValueError`` for anything else."""
        match = re.fullmatch(r"(\d{1,4})(?:\.(\d{1,4}))?(?:\.\d{1,6})*", text)
        if match is None:
            raise ValueError(text)
        return cls(major=int(match[1]), minor=int(match[2] or 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LibC:
    """A Linux C library; ``version`` is None where it is not known."""

    family: LibCFamily
    version: Version | None = None

    def __str__(self) -> str:
        return f"{self.family}{self.version or ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonAbi:
    """What an extension module must have been compiled for.

    ``ext_suffixes`` are the file suffixes that this interpreter imports, best first, as
    ``importlib.machinery.EXTENSION_SUFFIXES`` gives them.
    """

    version: Version
    implementation: str = "cpython"
    free_threaded: bool = False
    debug: bool = False
    ext_suffixes: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """The short tag of wheels: ``cp312``."""
        prefix = {"cpython": "cp", "pypy": "pp"}.get(self.implementation, self.implementation)
        return f"{prefix}{self.version.major}{self.version.minor}"

    @property
    def abi(self) -> str:
        """The ABI tag of wheels: ``cp312``, ``cp313t``, ``cp312d``, ``cp313td``."""
        return f"{self.tag}{'t' if self.free_threaded else ''}{'d' if self.debug else ''}"

    @property
    def abis(self) -> tuple[str, ...]:
        """The ABI tags of the wheels that it takes, best first; those of the limited API apart.

        A debug build loads what was compiled for the release build (CPython's bpo-36722).
        """
        release = replace(self, debug=False)
        return (self.abi, release.abi) if self.debug else (self.abi,)

    def __str__(self) -> str:
        return self.abi


ARCHITECTURES: Mapping[OperatingSystem, tuple[str, ...]] = {
    OperatingSystem.LINUX: ("x86_64", "aarch64", "i686", "armv7l", "ppc64le", "s390x", "riscv64"),
    OperatingSystem.DARWIN: ("arm64", "x86_64"),
}
"""What may stand behind ``OS/``; the first two of Linux and both of macOS are built and proven."""

_SAME_PROCESSOR: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("arm64", "aarch64", "armv8"), ("aarch64", "arm64")),
    **dict.fromkeys(("amd64", "x64", "x86-64"), ("x86_64",)),
    **dict.fromkeys(("x86", "i386", "i586"), ("i686",)),
    **dict.fromkeys(("arm", "armhf"), ("armv7l",)),
}
"""What others call a processor, and the words of a target for it."""

_OTHER_WORDS = dict.fromkeys(("macos", "macosx", "osx"), "darwin")
_OTHER_WORDS |= {"musllinux": "linux/ARCH/musl"}
"""What others call a system, and the word of a target for it."""

GOOD = (
    *("linux/x86_64", "linux/aarch64", "linux/x86_64/musl", "linux/aarch64/musl"),
    *("darwin/arm64", "darwin/x86_64"),
)
"""The targets that wheels are built for and proven on; a refusal lists them."""

DEFAULT_FLOORS: Mapping[tuple[OperatingSystem, LibCFamily | None], Version] = {
    (OperatingSystem.LINUX, LibCFamily.GLIBC): Version(major=2, minor=28),
    (OperatingSystem.LINUX, LibCFamily.MUSL): Version(major=1, minor=2),
    (OperatingSystem.DARWIN, None): Version(major=11, minor=0),
}
"""The floor of a target that names none."""

_FIRST_GLIBC = {"aarch64": 17, "ppc64le": 17, "riscv64": 27, "armv7l": 4}

_FLOORS: Mapping[str, tuple[Version, Version]] = {
    "glibc": (Version(major=2, minor=2), Version(major=2, minor=60)),
    "musl": (Version(major=1, minor=1), Version(major=1, minor=9)),
    "macos": (Version(major=10, minor=9), Version(major=40, minor=99)),
}
"""The oldest floor that can be, and one that no release reaches for years: beyond is a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A place to run: ``name`` is how it was written, or the name that it goes by.

    ``libc`` is set on Linux only, ``min_os`` on macOS only; both are floors: what runs there must
    not need more. ``python`` is None when any Python will do. ``libraries`` are the sonames
    known to stand on the target's system beside the manylinux baseline; None when nothing is known.
    ``libcs`` are the C libraries of a place that has another one from some Python on, by the first.
    """

    name: str
    os: OperatingSystem
    arch: str
    libc: LibC | None = None
    min_os: Version | None = None
    python: PythonAbi | None = None
    libraries: frozenset[str] | None = None
    libcs: tuple[tuple[Version, LibC], ...] = ()

    @property
    def spec(self) -> str:
        """The target in the grammar, whole: ``linux/x86_64/glibc2.28/cp312``."""
        parts = [self.os.value, self.arch]
        if self.libc is not None:
            parts.append(str(self.libc))
        if self.min_os is not None:
            shown = self.min_os.major if self.min_os.minor == 0 else self.min_os
            parts.append(f"macos{shown}")
        if self.python is not None:
            parts.append(self.python.abi)
        return "/".join(parts)

    @property
    def same_machine(self) -> tuple[str, str, str]:
        """What two targets share that load each other's binaries: system, machine, libc family."""
        return (self.os, self.arch, self.libc.family if self.libc else "")

    def with_python(self, python: PythonAbi) -> Target:
        """The same place with another Python, and with the C library that it has for that one."""
        libcs = [libc for since, libc in self.libcs if since <= python.version]
        return replace(self, python=python, libc=libcs[-1] if libcs else self.libc)


_FLOOR = re.compile(r"(?P<kind>glibc|musl|macos)(?P<version>\d{1,4}(?:\.\d{1,4})?)?")
_PYTHON = re.compile(r"cp(?P<major>3)(?P<minor>\d{1,2})(?P<flags>t?d?)")

GRAMMAR = "OS/ARCH[/musl|/glibcX.Y|/macosX[.Y]][/cpXY], such as linux/aarch64/glibc2.28/cp312"


def parse_python_tag(text: str) -> PythonAbi:
    """Read ``cp312``, ``cp313t``, ``cp312d``; raises :class:`UsageError`."""
    match = _PYTHON.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is no Python that a target can have",
            next_step="write it as cp312, or cp313t for a free-threaded build",
        )
    return PythonAbi(
        version=Version(major=3, minor=int(match["minor"])),
        free_threaded="t" in match["flags"],
        debug="d" in match["flags"],
    )


def parse_target(text: str, named: Mapping[str, Target]) -> Target:
    """Read a target from the grammar, or find it by name among ``named``.

    A name may be followed by a Python (``render/cp312``). Raises :class:`UsageError` listing what
    would have been taken.
    """
    head, *rest = text.strip().split("/")
    if head in named:
        target = named[head]
        for part in rest:
            target = target.with_python(_python_of_target(part, text, named))
        return _complete(target)
    if head not in set(OperatingSystem) or not rest:
        raise _bad_target(text, named, _no_system(head))
    system = OperatingSystem(head)
    arch, *rest = rest
    if arch not in ARCHITECTURES[system]:
        raise _bad_target(text, named, f"{system} has no {arch!r}; {_processors(system, arch)}")
    family = LibCFamily.GLIBC if system is OperatingSystem.LINUX else None
    floor: Version | None = None
    python: PythonAbi | None = None
    for part in rest:
        match = _FLOOR.fullmatch(part)
        if match is None:
            if not part.startswith("cp"):
                raise _bad_target(text, named, f"{part!r} is neither a floor nor a Python")
            python = _python_of_target(part, text, named)
            continue
        if match["kind"] != "macos":
            family = LibCFamily(match["kind"])
        floor = Version.parse(match["version"]) if match["version"] else None
        if why := _impossible(system, arch, match["kind"], floor):
            raise _bad_target(text, named, f"{part!r} is no floor of {system}{why}")
    floor = floor or DEFAULT_FLOORS[system, family]
    return _complete(
        Target(
            name=text.strip(),
            os=system,
            arch=arch,
            libc=LibC(family=family, version=floor) if family else None,
            min_os=floor if system is OperatingSystem.DARWIN else None,
            python=python,
        )
    )


def _processors(system: OperatingSystem, arch: str) -> str:
    """What a system calls a processor that others call ``arch``, else all that it has."""
    own = ARCHITECTURES[system]
    meant = [name for name in _SAME_PROCESSOR.get(arch, ()) if name in own]
    if meant:
        return f"{system} calls it {meant[0]}"
    return f"it has {', '.join(f'{system}/{name}' for name in own)}"


def _impossible(system: OperatingSystem, arch: str, kind: str, floor: Version | None) -> str:
    """Why no machine can have this floor, as the end of a sentence; empty for one that can be.

    Sources: glibc's ``shlib-versions`` (the version of each processor's first symbols), PEP 656,
    and Apple: the first macOS for its own processors is 11. CPython 3.11 asks for 10.9.
    """
    if (kind == "macos") != (system is OperatingSystem.DARWIN):
        return f", but of {'macOS' if kind == 'macos' else 'Linux'}"
    if floor is None:
        return ""
    oldest, newest = _FLOORS[kind]
    if kind == "macos" and arch == "arm64":
        oldest = Version(major=11, minor=0)
    elif kind == "glibc":
        oldest = Version(major=2, minor=_FIRST_GLIBC.get(arch, oldest.minor))
    if floor < oldest:
        return f": {kind} for {arch} begins at {oldest}"
    return f": there is no {kind} {floor}" if floor > newest else ""


def _python_of_target(part: str, text: str, named: Mapping[str, Target]) -> PythonAbi:
    try:
        return parse_python_tag(part)
    except UsageError as error:
        raise _bad_target(text, named, error.what) from error


def _complete(target: Target) -> Target:
    """Fill in the extension suffixes that follow from platform and Python."""
    if target.python is None or target.python.ext_suffixes:
        return target
    suffixes = extension_suffixes(target, target.python)
    return target.with_python(replace(target.python, ext_suffixes=suffixes))


def _no_system(head: str) -> str:
    """What is wrong with a target that begins with this word."""
    if head in set(OperatingSystem):
        return f"no processor stands behind {head}"
    meant = _OTHER_WORDS.get(head)
    if meant:
        return f"here {head} is written {meant}"
    return f"{head!r} is neither a named target nor a system, as linux and darwin are"


def _bad_target(text: str, named: Mapping[str, Target], why: str) -> UsageError:
    names = ", ".join((*sorted({"host", *named}), *GOOD))
    return UsageError(
        f"{text!r} is not a target",
        why=why,
        next_step=f"name one of {names}; the whole grammar is {GRAMMAR}",
    )


def extension_suffixes(target: Target, python: PythonAbi) -> tuple[str, ...]:
    """The file suffixes that CPython imports there, best first.

    Source: CPython's ``configure.ac`` (SOABI and the platform triplet), ``dynload_shlib.c``, and
    PEP 3149. A debug build takes what was compiled for the release build too (ALT_SOABI). A
    free-threaded build takes no ``.abi3.so`` (PEP 703, PEP 803); since 3.15 there is ``.abi3t.so``
    for both, and each may carry the platform (``.abi3-x86_64-linux-gnu.so``).
    """
    digits = f"{python.version.major}{python.version.minor}"
    threading = "t" if python.free_threaded else ""
    if target.os is OperatingSystem.DARWIN:
        triplet = "darwin"
    else:
        libc = "musl" if target.libc and target.libc.family is LibCFamily.MUSL else "gnu"
        arch, libc = {
            "i686": ("i386", libc),
            "armv7l": ("arm", libc + "eabihf"),
            "ppc64le": ("powerpc64le", libc),
        }.get(target.arch, (target.arch, libc))
        triplet = f"{arch}-linux-{libc}"
    builds = ("d", "") if python.debug else ("",)
    suffixes = [f".cpython-{digits}{threading}{build}-{triplet}.so" for build in builds]
    new = python.version >= Version(major=3, minor=15)
    for stable in ("abi3",) * (not python.free_threaded) + ("abi3t",) * new:
        suffixes += [f".{stable}-{triplet}.so"] * new
        suffixes.append(f".{stable}.so")
    return (*suffixes, ".so")


def platform_tags(target: Target) -> Iterator[str]:
    """The wheel platform tags that run on the target, best first.

    Source: PEP 600 (manylinux), PEP 656 (musllinux) and, for macOS, ``packaging.tags``.
    """
    if target.os is OperatingSystem.DARWIN:
        from packaging.tags import mac_platforms  # --version must not pay for it

        floor = target.min_os or DEFAULT_FLOORS[OperatingSystem.DARWIN, None]
        yield from mac_platforms((floor.major, floor.minor), target.arch)
        return
    libc = target.libc or LibC(family=LibCFamily.GLIBC)
    floor = libc.version or DEFAULT_FLOORS[OperatingSystem.LINUX, libc.family]
    yield f"linux_{target.arch}"
    if libc.family is LibCFamily.MUSL:
        for minor in range(floor.minor, -1, -1):
            yield f"musllinux_{floor.major}_{minor}_{target.arch}"
    else:
        legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
        oldest = 5 if target.arch in {"x86_64", "i686"} else 17
        for minor in range(floor.minor, oldest - 1, -1):
            yield f"manylinux_{floor.major}_{minor}_{target.arch}"
            if minor in legacy:
                yield f"{legacy[minor]}_{target.arch}"


def wheel_tags(target: Target) -> Iterator[tuple[str, str, str]]:
    """``(python, abi, platform)`` of every wheel that installs on the target, best first.

    Shapes as in ``packaging.tags``; the target must name a Python, else ``ValueError``.
    """
    from packaging.tags import compatible_tags, cpython_tags  # --version must not pay for it

    if target.python is None:
        raise ValueError(target.spec)
    python = target.python
    version = (python.version.major, python.version.minor)
    platforms = list(platform_tags(target))
    for tag in cpython_tags(version, abis=python.abis, platforms=platforms):
        yield tag.interpreter, tag.abi, tag.platform
    for tag in compatible_tags(version, interpreter=python.tag, platforms=platforms):
        yield tag.interpreter, tag.abi, tag.platform


def marker_environment(target: Target, python_full: str) -> dict[str, str]:
    """The environment markers of a target (PEP 508), as its own interpreter would give them.

    The target must name a Python, else ``ValueError``. ``platform_release`` and
    ``platform_version`` name one kernel, not a target, and are empty.
    """
    python = target.python
    if python is None:
        raise ValueError(target.spec)
    darwin = target.os is OperatingSystem.DARWIN
    return {
        "implementation_name": python.implementation,
        "implementation_version": python_full,
        "os_name": "posix",
        "platform_machine": target.arch,
        "platform_release": "",
        "platform_system": "Darwin" if darwin else "Linux",
        "platform_version": "",
        "python_full_version": python_full,
        "platform_python_implementation": "CPython",
        "python_version": str(python.version),
        "sys_platform": "darwin" if darwin else "linux",
    }


def build_identifier(target: Target, python: PythonAbi) -> str:
    """The name that cibuildwheel has for a build (its ``--print-build-identifiers``)."""
    if target.os is OperatingSystem.DARWIN:
        return f"{python.abi}-macosx_{target.arch}"
    musl = target.libc is not None and target.libc.family is LibCFamily.MUSL
    return f"{python.abi}-{'musllinux' if musl else 'manylinux'}_{target.arch}"
