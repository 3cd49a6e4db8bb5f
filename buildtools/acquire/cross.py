"""zig as a C compiler for any target: its triple, and the small programs that builds call."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.acquire.request import AcquireError
from buildtools.binaries import BinaryInvalid, read_binary
from buildtools.findings import Cause
from buildtools.processes import clean_environment, run
from buildtools.targets import (
    DEFAULT_FLOORS,
    LibCFamily,
    OperatingSystem,
    Target,
    Version,
)

_WARM_SECONDS = 300.0

_ZIG_ARCHITECTURES: Mapping[str, str] = {
    "x86_64": "x86_64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "i686": "x86",
    "armv7l": "arm",
    "ppc64le": "powerpc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
}

_MUSL_ARCHITECTURES: Mapping[str, str] = {"arm": "armv7", "powerpc64le": "ppc64le"}
"""What musl's file is called after where that is not zig's word (its ``configure``)."""

_DROPPED = (
    "-specs=*|-flto*|-ffat-lto-objects|-fno-fat-lto-objects|-fcf-protection*|-mtls-dialect=*"
    "|-march=*|-mtune=*|-fstack-clash-protection|-I/usr/include*|-I/usr/local/include*"
    "|-L/usr/lib*|-L/lib*|-L/usr/local/lib*|-fdebug-prefix-map=*|-ffile-prefix-map=*|-g|-g1|-g2|-g3"
    "|-Werror*|-Wl,--build-id*"
)
"""A shell pattern of flags that the building Python was made with and that are not the target's:
its own compiler's, its own machine's, and the machine's folders."""

_QUIET = ("-g0", "-fno-sanitize=undefined")
"""Without these zig compiles in checks of its own, and a runtime for them."""

AS_MODULE = ("-shared", "-s", "-O2", "-fPIC", *_QUIET)
"""A module as builds link it: zig's own part is made once for each target and these words."""

_LAST = ("-UDEFAULT_PLUGINS_SUBDIR",)
"""MariaDB Connector/Python compiles one absolute plugin folder in, and sets it before every
connection: without the macro the client library asks ``MARIADB_PLUGIN_DIR`` (its
``mariadb_connection.c``)."""


def triple(target: Target, floor: Version | None) -> str:
    """Zig's word for the target: ``aarch64-linux-gnu.2.28``, ``aarch64-macos.11.0``."""
    arch = _ZIG_ARCHITECTURES.get(target.arch)
    if arch is None:
        raise AcquireError(
            f"zig has no compiler for {target.arch}",
            cause=Cause.MISSING_COMPILER,
            where=target.spec,
        )
    if target.os is OperatingSystem.DARWIN:
        least = floor or target.min_os or DEFAULT_FLOORS[OperatingSystem.DARWIN, None]
        return f"{arch}-macos.{least}"
    hard_float = "eabihf" if arch == "arm" else ""
    if target.libc is not None and target.libc.family is LibCFamily.MUSL:
        return f"{arch}-linux-musl{hard_float}"
    return f"{arch}-linux-gnu{hard_float}" + (f".{floor}" if floor else "")


def glibc_need(libraries: Iterable[Path]) -> tuple[Version, Path] | None:
    """The newest glibc that any of these needs, and the first that does; None when none does."""
    needs = _glibc_needs(libraries)
    return max(needs, key=lambda need: need[0]) if needs else None


def _glibc_needs(libraries: Iterable[Path]) -> list[tuple[Version, Path]]:
    """What each library needs that needs any glibc at all, in the order in which they came."""
    found = []
    for path in libraries:
        try:
            with path.open("rb") as stream:
                facts = read_binary(stream).slices[0]
        except BinaryInvalid:
            continue
        names = [name for need in facts.version_needs for name in need.versions]
        numbers = [name.removeprefix("GLIBC_") for name in names if name.startswith("GLIBC_")]
        versions = [Version.parse(number) for number in numbers if number[:1].isdigit()]
        if versions:
            found.append((max(versions), path))
    return found


def build_floor(target: Target, libraries: Iterable[Path]) -> Version | None:
    """The glibc to link against: the oldest that the bundled libraries allow, 2.28 or older.

    None for musl and macOS. Raises :class:`AcquireError` naming the libraries in the way when the
    target's own floor is older than what is bundled needs: the first of them first.
    """
    if target.libc is None or target.libc.family is LibCFamily.MUSL:
        return None
    default = DEFAULT_FLOORS[OperatingSystem.LINUX, LibCFamily.GLIBC]
    wanted = target.libc.version or default
    needs = _glibc_needs(libraries)
    version = max((version for version, _ in needs), default=None)
    if version is None:
        return min(wanted, default)
    if version > wanted:
        above = [f"{path.name} needs glibc {need}" for need, path in needs if need > wanted]
        raise AcquireError(
            f"glibc {wanted} is too old a floor for the libraries that would be bundled",
            cause=Cause.LIBC_TOO_OLD,
            where=target.spec,
            why=", ".join(above),
            next_step=f"ask for glibc{version}, or for the libraries of an older release",
            floor=version,
        )
    return max(version, min(wanted, default))


@dataclass(frozen=True, slots=True, kw_only=True)
class Zig:
    """zig for one target; ``program`` is the binary inside the package, ``cache`` its own cache."""

    program: Path
    triple: str
    cache: Path

    def environment(self) -> dict[str, str]:
        """What zig itself reads."""
        return {
            "ZIG_GLOBAL_CACHE_DIR": str(self.cache),
            "ZIG_LOCAL_CACHE_DIR": str(self.cache),
        }

    @property
    def compiler(self) -> tuple[str, ...]:
        """The words that compile C for the target."""
        return (str(self.program), *self.words("cc"))

    def words(self, language: str) -> tuple[str, ...]:
        """The words behind zig's own name that compile ``cc`` or ``c++`` for the target.

        zig links a program of musl statically unless told, as those are that a ``configure`` tries
        things with, and compiles the whole of that C library first.
        """
        dynamic = ("-dynamic",) if "-musl" in self.triple else ()
        return (language, "-target", self.triple, *dynamic)

    @property
    def archiver(self) -> tuple[str, ...]:
        """The words that make a static archive."""
        return (str(self.program), "ar")

    def warm(self, room: Path) -> None:
        """Link a module of nothing: what zig makes once for a target is then in its cache."""
        room.mkdir(parents=True, exist_ok=True)
        source = room / "nothing.c"
        source.write_text("int nothing(void) { return 0; }\n", encoding="ascii")
        run(
            [*self.compiler, *AS_MODULE, source.name, "-o", "nothing.so"],
            timeout=_WARM_SECONDS,
            env=clean_environment({**self.environment(), "TMPDIR": str(room)}),
            cwd=room,
        )

    def musl_words(self, folder: Path) -> tuple[str, ...]:
        """The words that let a linked module name musl as its distributions do; none elsewhere.

        zig's C library is ``libc.so``, a name that musl's loader knows and the readers of wheels
        take for no libc at all: they look for ``libc.musl-x86_64.so.1`` (PEP 656, auditwheel's
        ``lddtree.py``). An empty library of that name in ``folder`` is linked before it. Raises
        :class:`AcquireError`.
        """
        arch, _, system = self.triple.partition("-")
        if not system.startswith("linux-musl"):
            return ()
        folder.mkdir(parents=True, exist_ok=True)
        name = f"libc.musl-{_MUSL_ARCHITECTURES.get(arch, arch)}.so.1"
        (folder / "empty.c").write_text("typedef int nothing;\n", encoding="ascii")
        words = ["-shared", "-nostdlib", *_QUIET, f"-Wl,-soname,{name}", "empty.c", "-o", name]
        done = run(
            [*self.compiler, *words],
            timeout=_WARM_SECONDS,
            env=clean_environment({**self.environment(), "TMPDIR": str(folder)}),
            cwd=folder,
        )
        if not done.ok:
            raise AcquireError(f"{name} could not be linked", why=done.tail(4))
        return ("-Wl,--no-as-needed", str(folder / name), "-Wl,--as-needed")


def _script(path: Path, text: str) -> Path:
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(0o755)
    return path


def write_compilers(zig: Zig, folder: Path, *, last: Sequence[str] = ()) -> Mapping[str, Path]:
    """``cc``, ``c++``, ``ar`` and ``ranlib`` as programs; by name. ``last`` ends every command.

    They are scripts of ``/bin/sh`` whose every word is quoted: builds call compilers by path, and a
    path inside a package can be too long, or have a space in it, for a build's own splitting.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tail = shlex.join([*_QUIET, *_LAST, *last])
    scripts = {}
    for name, language in (("cc", "cc"), ("c++", "c++")):
        words = shlex.join([str(zig.program), *zig.words(language)])
        scripts[name] = _script(
            folder / name,
            "left=$#\n"
            'while [ "$left" -gt 0 ]; do\n'
            "  word=$1; shift; left=$((left - 1))\n"
            f'  case "$word" in {_DROPPED}) ;; *) set -- "$@" "$word" ;; esac\n'
            "done\n"
            f'exec {words} "$@" {tail}\n',
        )
    for name in ("ar", "ranlib"):
        words = shlex.join([str(zig.program), name])
        scripts[name] = _script(folder / name, f'exec {words} "$@"\n')
    return scripts


def write_wrapper(compiler: str, folder: Path) -> Path:
    """The machine's own compiler as a program that undefines what must not be compiled in."""
    folder.mkdir(parents=True, exist_ok=True)
    return _script(folder / "cc", f'exec {shlex.join([compiler])} "$@" {shlex.join(_LAST)}\n')


def write_config_tool(path: Path, answers: Mapping[str, str]) -> Path:
    """A program such as ``mariadb_config`` that prints what is known: option to answer."""
    cases = "\n".join(
        f"    {shlex.quote('--' + option)}) printf '%s\\n' {shlex.quote(answer)} ;;"
        for option, answer in sorted(answers.items())
    )
    return _script(
        path,
        f'for option in "$@"; do\n  case "$option" in\n{cases}\n    *) exit 1 ;;\n  esac\ndone\n',
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PkgConfigAnswer:
    """What a ``.pc`` file says, paths already the build's own."""

    version: str
    cflags: tuple[str, ...]
    libs: tuple[str, ...]


def write_pkg_config(path: Path, answers: Mapping[str, PkgConfigAnswer]) -> Path:
    """A ``pkg-config`` that knows these names only, and ends with 1 for any other."""
    cases = "\n".join(
        f"    {shlex.quote(name)}) found=1; version={shlex.quote(answer.version)}; "
        f"cflags={shlex.quote(shlex.join(answer.cflags))}; "
        f"libs={shlex.quote(shlex.join(answer.libs))} ;;"
        for name, answer in sorted(answers.items())
    )
    return _script(
        path,
        "found=; want=\n"
        'for word in "$@"; do\n'
        '  case "$word" in\n'
        '    --modversion) want="$want version" ;;\n'
        '    --cflags*) want="$want cflags" ;;\n'
        '    --libs*) want="$want libs" ;;\n'
        "    --version) echo 1.8.1; exit 0 ;;\n"
        "    -*|[0-9]*|'>='|'<='|'='|'>'|'<') ;;\n"
        f"{cases}\n"
        '    *) echo "Package $word was not found in the pkg-config search path" >&2; exit 1 ;;\n'
        "  esac\n"
        "done\n"
        '[ -n "$found" ] || exit 1\n'
        "line=\n"
        "for item in $want; do\n"
        '  case "$item" in\n'
        '    version) line="$line $version" ;;\n'
        '    cflags) line="$line $cflags" ;;\n'
        '    libs) line="$line $libs" ;;\n'
        "  esac\n"
        "done\n"
        "printf '%s\\n' \"${line# }\"\n",
    )


def quoted(words: Sequence[str | Path]) -> str:
    """A command for an environment variable that a build splits as a shell would."""
    return shlex.join(str(word) for word in words)
