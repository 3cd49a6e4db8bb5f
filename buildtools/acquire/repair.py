"""A freshly built wheel made self-contained: libraries, plugins, licences and a bill inside."""

from __future__ import annotations

import ast
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from buildtools.acquire.elfneeded import drop_needed
from buildtools.acquire.licences import Bundled, write_papers
from buildtools.acquire.request import AcquireError, WheelRequest
from buildtools.acquire.tools import Tools
from buildtools.acquire.wheelfiles import dist_info, native_files, pack, unpack
from buildtools.binaries import read_binary
from buildtools.findings import Cause
from buildtools.processes import clean_environment, run
from buildtools.recipes import Recipe
from buildtools.targets import LibCFamily

PLUGIN_FOLDER = "_client_plugins"
"""Below the driver's own package, so that package and plugins are swapped in as one."""

LOGIN_PLUGINS = frozenset(
    {
        "caching_sha2_password",
        "client_ed25519",
        "dialog",
        "mysql_clear_password",
        "parsec",
        "sha256_password",
    }
)
"""Connector/C's plugins that log a user in and need nothing but a crypto library."""

_ZIGS_MUSL = "libc.so"
_MUSL_LIBC = re.compile(r"libc\.so|libc\.musl-\w+\.so\.1")
_REPAIR_SECONDS = 300.0
_RUN_REPAIRWHEEL = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from repairwheel.__main__ import main; main()"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """Where the libraries that a module was linked to stand.

    ``folders`` are searched for shared ones, ``system`` adds the machine's own; ``plugins`` is the
    folder of loadable client plugins, or None; ``static`` names what was linked in already;
    ``owners`` says which package each library file came with.
    """

    folders: tuple[Path, ...]
    system: bool = False
    plugins: Path | None = None
    static: tuple[Bundled, ...] = ()
    owners: tuple[Bundled, ...] = ()


def repair(
    wheel: Path,
    request: WheelRequest,
    recipe: Recipe,
    libraries: Libraries,
    *,
    tools: Tools,
    room: Path,
) -> Path:
    """Make ``wheel`` self-contained; gives the new wheel, in ``room``, under its truthful tag.

    Raises :class:`AcquireError`.
    """
    tools.on_event("repair", f"bundling what {wheel.name} needs", None)
    tree = room / "unrepaired"
    unpack(wheel, tree)
    if libraries.plugins is not None and recipe.build is not None and recipe.build.plugins:
        _add_plugins(tree, recipe, libraries.plugins, recipe.build.plugins.environment)
    libc = request.target.libc
    if libc is not None and libc.family is LibCFamily.MUSL:
        _name_libc_once(tree)
        final_tree, name = tree, name_for_musl(tree, wheel.name, request)
    else:
        prepared = room / "prepared" / wheel.name
        prepared.parent.mkdir()
        pack(tree, prepared)
        repaired = _run_repairwheel(prepared, request, libraries, tools, room)
        final_tree, name = room / "repaired-tree", repaired.name
        unpack(repaired, final_tree)
    write_papers(final_tree, request, libraries.static, libraries.owners, tools.versions())
    final = room / "final" / name
    final.parent.mkdir()
    pack(final_tree, final)
    return final


def _add_plugins(tree: Path, recipe: Recipe, plugins: Path, environment: str) -> None:
    """Put the login plugins into the driver's package, and say where they are when it is loaded."""
    package = _package_of(tree, recipe)
    if package is None:
        return
    folder = package / PLUGIN_FOLDER
    for source in sorted(plugins.glob("*.so")):
        if source.stem in LOGIN_PLUGINS:
            folder.mkdir(exist_ok=True)
            shutil.copyfile(source, folder / source.name)
            (folder / source.name).chmod(0o755)
    if folder.is_dir():
        init = package / "__init__.py"
        init.write_text(
            with_plugin_folder(init.read_text(encoding="utf-8"), environment), encoding="utf-8"
        )


def _package_of(tree: Path, recipe: Recipe) -> Path | None:
    for module in recipe.native:
        package = tree / module.module.partition(".")[0]
        if (package / "__init__.py").is_file():
            return package
    return None


def with_plugin_folder(source: str, environment: str) -> str:
    """A package's ``__init__`` that names its plugins' folder before anything else is imported.

    A folder that the user has set stays. The lines go behind the docstring and ``__future__``.
    """
    if re.fullmatch(r"[A-Z][A-Z0-9_]*", environment) is None:
        raise AcquireError(f"{environment!r} is no environment variable")
    line = 0
    for number, statement in enumerate(ast.parse(source).body):
        docstring = (
            number == 0
            and isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str)
        )
        future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        if not (docstring or future):
            break
        line = statement.end_lineno or 0
    lines = source.splitlines(keepends=True)
    if line and lines and not lines[line - 1].endswith("\n"):
        lines[line - 1] += "\n"
    added = (
        "# Added when this wheel was made self-contained: its login plugins travel beside it.\n"
        "import os as _os\n"
        f'_os.environ.setdefault("{environment}", _os.path.join(\n'
        f'    _os.path.dirname(_os.path.abspath(__file__)), "{PLUGIN_FOLDER}"))\n'
        "del _os\n"
    )
    return "".join([*lines[:line], added, *lines[line:]])


def _name_libc_once(tree: Path) -> None:
    """Where a module names musl as its distributions do, take zig's own name for it out.

    Both are one library to musl's loader; to auditwheel, ``libc.so`` is a stranger.
    """
    for path in native_files(tree):
        with path.open("rb") as stream:
            needed = read_binary(stream).slices[0].needed
        if any(soname != _ZIGS_MUSL and _MUSL_LIBC.fullmatch(soname) for soname in needed):
            drop_needed(path, _ZIGS_MUSL)


def name_for_musl(tree: Path, name: str, request: WheelRequest) -> str:
    """Write the musllinux tag into an unpacked wheel; gives the file name that goes with it.

    musl has no symbol versions, so no tool can read a floor out of a module: musl 1.2 is what zig
    links against (PEP 656). Raises :class:`AcquireError` when a module needs more than the libc.
    """
    for path in native_files(tree):
        with path.open("rb") as stream:
            needed = read_binary(stream).slices[0].needed
        foreign = [soname for soname in needed if not _MUSL_LIBC.fullmatch(soname)]
        if foreign:
            raise AcquireError(
                f"{path.name} needs libraries that cannot be bundled for musl yet",
                cause=Cause.MISSING_LINK_LIBRARY,
                where=request.place.spec,
                why=", ".join(foreign),
            )
    plain = f"linux_{request.target.arch}"
    tag = f"musllinux_1_2_{request.target.arch}"
    about = dist_info(tree) / "WHEEL"
    text = about.read_text(encoding="utf-8")
    about.write_text(re.sub(rf"(?m)^(Tag: .*-){plain}$", rf"\1{tag}", text), encoding="utf-8")
    return re.sub(rf"-{plain}\.whl$", f"-{tag}.whl", name)


def _run_repairwheel(
    wheel: Path, request: WheelRequest, libraries: Libraries, tools: Tools, room: Path
) -> Path:
    out = room / "repaired"
    words: list[str | Path] = [
        tools.interpreter.executable,
        "-I",
        "-c",
        _RUN_REPAIRWHEEL,
        tools.repairwheel(),
        wheel,
        "-o",
        out,
    ]
    for folder in libraries.folders:
        words += ["-l", folder]
    if not libraries.system:
        words.append("--no-sys-paths")
    scratch = room / "repair-tmp"
    scratch.mkdir()
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    done = run(
        words,
        timeout=_REPAIR_SECONDS,
        env=clean_environment(
            {
                "SOURCE_DATE_EPOCH": epoch if epoch.isdecimal() else "315532800",
                "TMPDIR": str(scratch),
            }
        ),
        cwd=room,
    )
    found = sorted(out.glob("*.whl")) if out.is_dir() else []
    if not done.ok or len(found) != 1:
        raise AcquireError(
            f"{wheel.name} could not be made self-contained",
            cause=Cause.MISSING_LINK_LIBRARY
            if "not found" in done.stderr or "cannot" in done.stderr.lower()
            else Cause.UNKNOWN,
            where=request.place.spec,
            why=done.tail(6),
        )
    return found[0]
