"""Way A: the machine's own compiler, headers and client libraries, when it really has them all.

Nothing is assumed: a small program that includes the headers is compiled, and linked to the
libraries, before a build is started with them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from buildtools.acquire.cross import PkgConfigAnswer, write_wrapper
from buildtools.acquire.licences import Bundled, debian_purl
from buildtools.acquire.repair import Libraries
from buildtools.acquire.request import AcquireError, WheelRequest
from buildtools.acquire.toolchain import Toolchain, filled, header_folder
from buildtools.acquire.tools import Tools
from buildtools.findings import Cause
from buildtools.processes import Completed, clean_environment, run
from buildtools.recipes import BuildRecipe, Recipe

_SECONDS = 60.0


def machine_toolchain(request: WheelRequest, recipe: Recipe, tools: Tools, room: Path) -> Toolchain:
    """The machine's own toolchain for this driver.

    Raises :class:`AcquireError` naming the first thing that the machine does not have.
    """
    if not request.at_home:
        raise _lacks(
            Cause.MISSING_COMPILER,
            f"this machine is {request.python.target.spec}, the target {request.place.spec}",
            next_step="use --backend zig, which compiles for any target",
        )
    needs = recipe.build
    if needs is not None and needs.sources:
        raise _lacks(
            Cause.MISSING_CLIENT_HEADERS,
            f"{', '.join(needs.sources)} is compiled in, which the zig way does once per target",
        )
    compiler = _compiler()
    include = request.python.include
    if include is None:
        raise _lacks(Cause.MISSING_PYTHON_HEADERS, f"{request.python.executable} has no Python.h")
    flags = _client(needs) if needs is not None and needs.link else None
    _prove(compiler, include, flags, room)
    tools.on_event("build", f"using this machine's {compiler}", None)
    return Toolchain(
        name="native",
        environment=_environment(write_wrapper(compiler, room / "bin"), needs, flags),
        libraries=Libraries(
            folders=_folders(flags),
            system=True,
            plugins=_plugins(needs, flags),
            owners=_owners(_folders(flags), needs),
        ),
        summary=f"{compiler}; {include}; {' '.join(flags.libs) if flags else 'no client library'}",
    )


def _lacks(cause: Cause, why: str, next_step: str = "") -> AcquireError:
    return AcquireError(
        "this machine cannot build it by itself", cause=cause, why=why, next_step=next_step
    )


def _compiler() -> str:
    for name in ("cc", "gcc", "clang"):
        found = shutil.which(name)
        if found is not None:
            return found
    raise _lacks(Cause.MISSING_COMPILER, "no cc, gcc or clang is on PATH")


def _say(words: Sequence[str]) -> Completed:
    return run(words, timeout=_SECONDS)


def _client(needs: BuildRecipe) -> PkgConfigAnswer:
    """What pkg-config or a config tool says of the client library, the first that knows it."""
    pkg_config = shutil.which("pkg-config")
    for name in needs.pkg_config if pkg_config else ():
        version = _say([str(pkg_config), "--modversion", name])
        if version.ok:
            return PkgConfigAnswer(
                version=version.stdout.strip(),
                cflags=tuple(shlex.split(_say([str(pkg_config), "--cflags", name]).stdout)),
                libs=tuple(shlex.split(_say([str(pkg_config), "--libs", name]).stdout)),
            )
    for tool in needs.config_tools:
        found = shutil.which(tool)
        if found is not None and (libs := _say([found, "--libs"])).ok:
            return PkgConfigAnswer(
                version=_say([found, "--version"]).stdout.strip(),
                cflags=tuple(shlex.split(_say([found, "--include"]).stdout)),
                libs=tuple(shlex.split(libs.stdout)),
            )
    cause = Cause.MISSING_CLIENT_HEADERS if pkg_config else Cause.MISSING_PKG_CONFIG
    raise _lacks(cause, f"no development files of {', '.join(needs.link)} are here")


def _prove(compiler: str, include: Path, flags: PkgConfigAnswer | None, room: Path) -> None:
    """Compile and link a module that does nothing; raises when that does not work."""
    source = room / "prove.c"
    header = "#include <mysql.h>\n" if flags and _has_mysql(flags) else ""
    source.write_text(f"#include <Python.h>\n{header}int proven(void) {{ return 0; }}\n")
    words = [
        compiler,
        "-shared",
        "-fPIC",
        f"-I{include}",
        *(flags.cflags if flags else ()),
        str(source),
        "-o",
        str(room / "prove.so"),
        *(flags.libs if flags else ()),
    ]
    done = run(words, timeout=_SECONDS, env=clean_environment({"TMPDIR": str(room)}))
    if done.ok:
        return
    text = done.stderr
    if "Python.h" in text or "pyconfig.h" in text:
        cause = Cause.MISSING_PYTHON_HEADERS
    elif re.search(r"cannot find -l|library not found|undefined reference", text):
        cause = Cause.MISSING_LINK_LIBRARY
    elif "No such file" in text:
        cause = Cause.MISSING_CLIENT_HEADERS
    else:
        cause = Cause.MISSING_COMPILER
    raise _lacks(cause, done.tail(4))


def _has_mysql(flags: PkgConfigAnswer) -> bool:
    return any(re.fullmatch(r"-l(mariadb|mysqlclient|perconaserverclient)", w) for w in flags.libs)


def _environment(
    compiler: Path, needs: BuildRecipe | None, flags: PkgConfigAnswer | None
) -> Mapping[str, str]:
    """The recipe's variables filled with what the machine said, no debug sections, one time."""
    environment = {
        "CC": shlex.join([str(compiler)]),
        "CFLAGS": "-O2 -g0",
        "LDFLAGS": "" if _darwin() else "-Wl,--strip-all",
        "SOURCE_DATE_EPOCH": "315532800",
    }
    if needs is None or flags is None:
        return environment
    includes = [word[2:] for word in flags.cflags if word.startswith("-I")]
    folder = Path(includes[0]) if includes else header_folder(Path("/usr/include"), needs.link)
    libs = _folders(flags)
    places = {
        "{include}": str(folder),
        "{lib}": str(libs[0]) if libs else "/usr/lib",
        "{link}": " ".join(f"-l{name}" for name in needs.link),
        "{prefix}": str(folder.parent.parent),
        "{sysroot}": "/",
    }
    for name, template in needs.environment.items():
        environment[name] = filled(template, places)
    for variable, tool in needs.config_tool_variables.items():
        found = shutil.which(tool)
        if found is not None:
            environment[variable] = found
    return environment


def _darwin() -> bool:
    import sys

    return sys.platform == "darwin"


def _folders(flags: PkgConfigAnswer | None) -> tuple[Path, ...]:
    """Where the client library stands: what it names, else the compiler's usual folders."""
    if flags is None:
        return ()
    named = [Path(word[2:]) for word in flags.libs if word.startswith("-L")]
    usual = [*sorted(Path("/usr/lib").glob("*-linux-gnu*")), Path("/usr/lib64"), Path("/usr/lib")]
    names = [word[2:] for word in flags.libs if word.startswith("-l")]
    for folder in (*named, *usual):
        if any(
            (folder / f"lib{name}{end}").exists() for name in names for end in (".so", ".dylib")
        ):
            return (folder,)
    return tuple(named)


def _plugins(needs: BuildRecipe | None, flags: PkgConfigAnswer | None) -> Path | None:
    """The folder of the client library's loadable plugins, where it has one."""
    if needs is None or needs.plugins is None:
        return None
    for folder in _folders(flags):
        candidate = folder / needs.plugins.directory
        if candidate.is_dir():
            return candidate
    return None


def _owners(folders: Iterable[Path], needs: BuildRecipe | None) -> tuple[Bundled, ...]:
    """The Debian package behind every library of these folders, from dpkg's own file lists."""
    info = Path("/var/lib/dpkg/info")
    if not info.is_dir():
        return ()
    versions = _installed()
    wanted = {os.path.realpath(folder) for folder in folders}
    if needs is not None and needs.plugins is not None:
        wanted |= {f"{folder}/{needs.plugins.directory}" for folder in tuple(wanted)}
    wanted |= {folder.removeprefix("/usr") for folder in tuple(wanted)}
    owners = []
    for listing in sorted(info.glob("lib*.list")) + sorted(info.glob("zlib*.list")):
        package, _, architecture = listing.stem.partition(":")
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            folder, _, name = line.rpartition("/")
            if ".so" not in name or folder not in wanted:
                continue
            version = versions.get(package, "unknown")
            licence = Path("/usr/share/doc") / package / "copyright"
            owners.append(
                Bundled(
                    soname=name,
                    name=package,
                    version=version,
                    purl=debian_purl("debian", package, version, architecture or "all", "host"),
                    licence_file=licence if licence.is_file() else None,
                )
            )
    return tuple(owners)


def _installed() -> Mapping[str, str]:
    """Package to version, from dpkg's status file; nothing when it cannot be read."""
    versions = {}
    name = ""
    try:
        with Path("/var/lib/dpkg/status").open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if line.startswith("Package: "):
                    name = line[9:].strip()
                elif line.startswith("Version: "):
                    versions[name] = line[9:].strip()
    except OSError:
        return {}
    return versions
