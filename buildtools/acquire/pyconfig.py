"""``pyconfig.h`` for a target that no package has one of: Linux's, asked again of the compiler.

Of each header, function and size that CPython's ``configure`` records, zig is asked again for the
target; everything else is what CPython's authors call the same everywhere, or nothing that an
extension module looks at. Source: CPython's ``pyconfig.h.in``, whose comments name what was tested.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from buildtools.acquire.caching import made_once, safe_name, workroom
from buildtools.acquire.cross import AS_MODULE, Zig
from buildtools.acquire.request import AcquireError
from buildtools.acquire.tools import Tools
from buildtools.findings import Cause
from buildtools.processes import Completed, clean_environment, run

_SECONDS = 900.0
_SIZES = (1, 2, 4, 8, 10, 12, 16, 24, 32, 40, 48, 56, 64, 128)

_ENTRY = re.compile(
    r"/\*(?P<comment>(?:(?!\*/).)*)\*/\s*\n"
    r"(?P<line>#define (?P<defined>\w+) (?P<value>\S+)|/\* #undef (?P<absent>\w+) \*/)",
    re.DOTALL,
)
_HEADER = re.compile(r"have the <([\w./+-]+)> header file")
_FUNCTION = re.compile(r"have (?:the )?[`'](\w+)(?:\(\))?' function")
_SIZE = re.compile(r"The size of [`']([\w ]+)', as computed by sizeof")
_SIZE_HEADERS = ("stddef.h", "stdint.h", "stdio.h", "sys/types.h", "time.h", "wchar.h", "pthread.h")


def real_pyconfig(folder: Path) -> Path:
    """The ``pyconfig.h`` with the values in it: Debian's is a wrapper that names another one."""
    path = folder / "pyconfig.h"
    if "SIZEOF_LONG" in path.read_text(encoding="utf-8", errors="replace"):
        return path
    for other in sorted(folder.parent.glob(f"*/{folder.name}/pyconfig.h")):
        return other
    return path


def derived_headers(tools: Tools, zig: Zig, folder: Path, pyconfig: Path, tag: str) -> Path:
    """A copy of the headers in ``folder`` with a ``pyconfig.h`` that is the target's; kept.

    Raises :class:`AcquireError` when the compiler cannot be asked.
    """
    text = pyconfig.read_text(encoding="utf-8", errors="replace")
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    place = tools.cache / "headers" / safe_name(f"{tag}-{zig.triple}-{key}")

    def fill(partial: Path) -> None:
        tools.on_event("build", f"deriving pyconfig.h for {zig.triple}", None)
        shutil.copytree(folder, partial, dirs_exist_ok=True)
        with workroom(tools.cache, "pyconfig") as room:
            derived = derive(text, zig, room)
        (partial / "pyconfig.h").write_text(derived, encoding="utf-8")

    return made_once(place, fill)


def derive(text: str, zig: Zig, room: Path) -> str:
    """The text of a ``pyconfig.h`` with each recorded test answered anew for zig's target."""
    headers: dict[str, str] = {}
    functions: dict[str, str] = {}
    sizes: dict[str, str] = {}
    for entry in _ENTRY.finditer(text):
        name = entry["defined"] or entry["absent"]
        comment = " ".join(entry["comment"].split())
        for pattern, found in ((_HEADER, headers), (_FUNCTION, functions), (_SIZE, sizes)):
            match = pattern.search(comment)
            if match is not None:
                found[name] = match[1]
                break
    there = {
        **dict.fromkeys(_present_headers(headers, zig, room), "1"),
        **dict.fromkeys(_present_functions(functions, zig, room), "1"),
        **_known_sizes(sizes, zig, room),
    }
    asked = {*headers, *functions, *sizes}

    def answer(entry: re.Match[str]) -> str:
        name = entry["defined"] or entry["absent"]
        if name not in asked:
            return entry[0]
        line = f"#define {name} {there[name]}" if name in there else f"/* #undef {name} */"
        return f"/*{entry['comment']}*/\n{line}"

    derived = _ENTRY.sub(answer, text)
    if "-macos" in zig.triple:
        derived += "\n#define _DARWIN_C_SOURCE 1\n"
    return derived


def _zig(zig: Zig, room: Path, *words: str) -> Completed:
    return run(
        [*zig.compiler, *words],
        timeout=_SECONDS,
        env=clean_environment({**zig.environment(), "TMPDIR": str(room)}),
        cwd=room,
    )


def _present_headers(wanted: Mapping[str, str], zig: Zig, room: Path) -> set[str]:
    """The names whose header the target has."""
    source = room / "headers.c"
    source.write_text(
        "".join(f"#if __has_include(<{h}>)\nthere {n}\n#endif\n" for n, h in wanted.items())
    )
    done = _zig(zig, room, "-E", "-P", source.name)
    if not done.ok:
        raise _unanswered(done)
    return set(re.findall(r"^there (\w+)$", done.stdout, re.MULTILINE))


def _known_sizes(wanted: Mapping[str, str], zig: Zig, room: Path) -> dict[str, str]:
    """The size in bytes of each type that the target has, by its macro's name."""
    source = room / "sizes.c"
    includes = "".join(f"#if __has_include(<{h}>)\n#include <{h}>\n#endif\n" for h in _SIZE_HEADERS)
    asserts = "".join(
        f'_Static_assert(sizeof({kind}) != {size}, "size {name} {size}");\n'
        for name, kind in wanted.items()
        for size in _SIZES
    )
    source.write_text(includes + asserts)
    done = _zig(zig, room, "-c", "-ferror-limit=0", "-w", source.name, "-o", "sizes.o")
    return dict(re.findall(r"size (\w+) (\d+)", done.stderr))


def _present_functions(wanted: Mapping[str, str], zig: Zig, room: Path) -> set[str]:
    """The names whose function the target's C library exports, found by linking."""
    left = dict(wanted)
    source = room / "functions.c"
    darwin = "-macos" in zig.triple
    # A module, as the build itself will link one: what zig compiles of its own is then the same. A
    # program of musl would be static, and the whole of that C library compiled for it.
    shape = ("-dynamiclib",) if darwin else ("-Wl,-z,defs",)
    prefix = "_" if darwin else ""
    words = [*AS_MODULE, *shape, "-fno-builtin", "-w", source.name, "-o", "functions.so", "-lm"]
    while True:
        source.write_text(_program(left.values()))
        done = _zig(zig, room, *words)
        if done.ok:
            return set(left)
        missing = set(re.findall(rf"undefined symbol: {prefix}(\w+)", done.stderr))
        kept = {n: f for n, f in left.items() if f not in missing}
        if len(kept) == len(left):
            raise _unanswered(done)
        left = kept


def _program(functions: Iterable[str]) -> str:
    names = sorted(set(functions))
    declared = "".join(f"char {name}();\n" for name in names)
    table = ", ".join(f"(void *) {name}" for name in names)
    return f"{declared}void *table[] = {{{table}}};\n"


def _unanswered(done: Completed) -> AcquireError:
    return AcquireError(
        "the compiler could not say what the target's C library has",
        cause=Cause.MISSING_PYTHON_HEADERS,
        why=done.tail(6),
    )
