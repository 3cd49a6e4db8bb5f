"""What a tree's client libraries say of themselves: ``.pc`` files and ``mariadb_config``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from buildtools.acquire.cross import PkgConfigAnswer
from buildtools.acquire.sysroot import Sysroot

_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_.]+)\}")
_DEPTH = 8


def connector_version(include: Path) -> str:
    """The version of MariaDB Connector/C that the headers are of; empty when there are none."""
    for header in (include / "mariadb/mariadb_version.h", include / "mariadb_version.h"):
        if header.is_file():
            text = header.read_text(encoding="utf-8", errors="replace")
            match = re.search(r'MARIADB_PACKAGE_VERSION\s+"([0-9.]+)"', text)
            return match[1] if match else ""
    return ""


def config_tool_answers(
    include: Path, lib: Path, link: tuple[str, ...], plugins: str
) -> Mapping[str, str]:
    """What ``mariadb_config`` and ``mysql_config`` would print; ``include`` has ``mysql.h``."""
    libraries = " ".join(shlex.quote(f"-l{name}") for name in link or ("mariadb",))
    version = connector_version(include)
    includes = shlex.quote(f"-I{include}")
    search = shlex.quote(f"-L{lib}")
    return {
        "cflags": includes,
        "include": includes,
        "libs": f"{search} {libraries}",
        "libs_r": f"{search} {libraries}",
        "libs_sys": "",
        "version": version,
        "cc_version": version,
        "plugindir": plugins or "/nonexistent",
        "port": "3306",
        "socket": "/run/mysqld/mysqld.sock",
    }


def pkg_config_answers(sysroot: Sysroot, names: tuple[str, ...]) -> Mapping[str, PkgConfigAnswer]:
    """The ``.pc`` files of these names in the tree, with its own paths in place of ``/usr``."""
    answers = {}
    for name in names:
        for folder in (sysroot.lib / "pkgconfig", sysroot.path / "usr/share/pkgconfig"):
            path = folder / f"{name}.pc"
            if path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                answers[name] = read_pc(text, sysroot.path)
                break
    return answers


def read_pc(text: str, root: Path) -> PkgConfigAnswer:
    """Read a ``.pc`` file; absolute paths that it names are taken from ``root``."""
    variables: dict[str, str] = {}
    fields: dict[str, str] = {}
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        variable = re.match(r"([A-Za-z0-9_.]+)\s*=\s*(.*)", line)
        field = re.match(r"([A-Za-z0-9_.]+)\s*:\s*(.*)", line)
        if field is not None and (variable is None or field.end(1) < variable.end(1)):
            fields[field[1]] = field[2]
        elif variable is not None:
            variables[variable[1]] = variable[2]

    def expand(value: str) -> str:
        for _ in range(_DEPTH):
            value, count = _VARIABLE.subn(lambda found: variables.get(found[1], ""), value)
            if not count:
                break
        return value

    def flags(name: str) -> tuple[str, ...]:
        words = shlex.split(expand(fields.get(name, "")))
        return tuple(_below(word, root) for word in words)

    return PkgConfigAnswer(
        version=expand(fields.get("Version", "")), cflags=flags("Cflags"), libs=flags("Libs")
    )


def _below(word: str, root: Path) -> str:
    for flag in ("-I", "-L"):
        if word.startswith(f"{flag}/"):
            return f"{flag}{root}{word.removeprefix(flag)}"
    return word
