"""The cells that ``wheel`` was asked for: every driver, target and Python, or why not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from buildtools.configuration import Configuration
from buildtools.errors import UsageError
from buildtools.host import (
    OLDEST_PYTHON,
    Interpreter,
    interpreter_facts,
    interpreter_of,
    require_supported,
)
from buildtools.recipes import Recipe, derived_recipe, find_recipe, load_recipes
from buildtools.targets import (
    LibCFamily,
    PythonAbi,
    Target,
    Version,
    extension_suffixes,
    parse_python_tag,
    parse_target,
)

NEWEST_PYTHON = Version(major=3, minor=15)
"""The newest CPython that this release knows the file suffixes and tags of."""

_FIRST_FREE_THREADED = Version(major=3, minor=13)
"""PEP 703."""

_ALMOST = 0.88
"""How like a driver's name another one is that must be a slip: what is one letter off on the index
was put there for those who slip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One wheel that is wanted: the driver, and where it must run, its Python included.

    ``python`` is this machine's interpreter with that ABI, which runs the build backend; None when
    there is none here and one has to be unpacked.
    """

    recipe: Recipe
    version: str | None
    target: Target
    python: Interpreter | None

    @property
    def name(self) -> str:
        """The driver, with the version that was asked for."""
        return f"{self.recipe.driver}=={self.version}" if self.version else self.recipe.driver

    @property
    def label(self) -> str:
        """The cell in one line, for progress."""
        return f"{self.name} {self.target.spec}"

    @property
    def abi(self) -> PythonAbi:
        """The Python ABI that the wheel is for."""
        if self.target.python is None:  # pragma: no cover - cells() always sets it
            raise AssertionError(self.target)
        return self.target.python


def cells(
    drivers: Sequence[str],
    targets: Sequence[str],
    pythons: Sequence[str],
    configuration: Configuration,
) -> tuple[Cell, ...]:
    """Every combination that was asked for, once, in an order that keeps several hands busy.

    Raises :class:`UsageError` for what cannot be.
    """
    recipes = load_recipes()
    wanted: dict[tuple[str, str], list[Cell]] = {}
    places = list(_places(targets or ["host"], pythons, configuration))
    for word in drivers:
        name, version = _named(word)
        recipe = find_recipe(recipes, name)
        if recipe is None:
            _refuse_slip(name, version, recipes)
            recipe = derived_recipe(name, imports=(), native=())
        if recipe.distribution is None:
            raise UsageError(
                f"{name} belongs to the standard library",
                why="there is no wheel of it",
                next_step="ask for pysqlite3, the same module as a distribution",
            )
        for target, python in places:
            cell = Cell(recipe=recipe, version=version, target=target, python=python)
            among = wanted.setdefault((cell.name, target.spec), [])
            if not among:
                among.append(cell)
    return tuple(cell for among in wanted.values() for cell in among)


def _named(word: str) -> tuple[str, str | None]:
    """A driver and the version that was asked for; refuses every other requirement."""
    from packaging.version import InvalidVersion
    from packaging.version import Version as ReleaseVersion

    name, equal, version = (part.strip() for part in word.partition("=="))
    why = ""
    if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", name) is None:
        why = f"{name!r} is no name that a distribution can have"
    elif equal:
        try:
            ReleaseVersion(version)
        except InvalidVersion:
            why = f"{version!r} is no version" if version else "no version stands behind =="
    if why:
        raise UsageError(
            f"{word!r} is no driver that can be asked for",
            why=why,
            next_step="write DRIVER or DRIVER==VERSION, such as mysqlclient==2.2.7",
        )
    return name, version or None


def _refuse_slip(name: str, version: str | None, known: Iterable[str]) -> None:
    """Refuse a name without a recipe that is all but a driver's own, unless a version is named."""
    spelled = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), spelled, n=1, cutoff=_ALMOST)
    if close and version is None:
        raise UsageError(
            f"there is no driver {name}",
            why=f"it is almost {spelled[close[0]]}, and may be anybody's on the index",
            next_step=f"write {spelled[close[0]]}; a distribution that really has this name is "
            f"asked for with its version, {name}==VERSION",
        )


def interleaved(wanted: Sequence[Cell]) -> tuple[Cell, ...]:
    """The cells in the order to begin them.

    Those of one target are apart: what they share is made once, and waited for. Those of musl come
    first: their proof compiles a Python, and what takes longest must not be left for the end.
    """
    queues: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in sorted(wanted, key=lambda one: not _is_musl(one.target)):
        queues.setdefault(cell.target.same_machine, []).append(cell)
    ordered: list[Cell] = []
    while any(queues.values()):
        ordered += [queue.pop(0) for queue in queues.values() if queue]
    return tuple(ordered)


def _is_musl(target: Target) -> bool:
    return target.libc is not None and target.libc.family is LibCFamily.MUSL


def _places(
    targets: Sequence[str], pythons: Sequence[str], configuration: Configuration
) -> Iterator[tuple[Target, Interpreter | None]]:
    """Every target with every Python; one that names its own Python has that one only."""
    own = interpreter_facts()
    asked = [_asked(word) for word in _listed(pythons)] or [(own.abi, own)]
    for text in targets:
        place = own.target if text == "host" else parse_target(text, configuration.named)
        bare = replace(place, python=None)
        if place.python is not None and text != "host":
            yield place, _here(place.python)
            continue
        for python, interpreter in asked:
            yield _with_python(bare, python, own), interpreter


def _with_python(place: Target, python: PythonAbi, own: Interpreter) -> Target:
    """The place with a Python, and the suffixes that this Python imports there."""
    if place.same_machine == own.target.same_machine and python.ext_suffixes:
        return place.with_python(python)
    bare = replace(python, ext_suffixes=())
    return place.with_python(replace(bare, ext_suffixes=extension_suffixes(place, bare)))


def _listed(words: Sequence[str]) -> Iterator[str]:
    """The Pythons of a list that is parted by spaces or commas."""
    for word in words:
        yield from [word] if "/" in word else filter(None, word.split(","))


def _asked(word: str) -> tuple[PythonAbi, Interpreter | None]:
    """A Python by tag, by version or by its path."""
    plain = re.fullmatch(r"(?:cp|cpython-?)?3\.(\d{1,2})(t?d?)", word)
    tag = f"cp3{plain[1]}{plain[2]}" if plain else word
    if tag.startswith("abi3"):
        raise UsageError(
            f"{word} is no Python",
            why="a wheel of abi3 is made with one Python and serves that one and every later one",
            next_step="name the oldest that it is for, such as cp311",
        )
    if "/" not in tag and tag.startswith("cp"):
        python = parse_python_tag(tag)
        interpreter = _here(python)
        return (interpreter.abi if interpreter else python), interpreter
    if re.fullmatch(r"(?:py)?[\d.]+", word):
        raise _no_such_python(word)
    interpreter = interpreter_facts(word)
    require_supported(interpreter)
    return interpreter.abi, interpreter


def _no_such_python(word: str) -> UsageError:
    return UsageError(
        f"{word} is no Python that wheels are built for",
        why=f"CPython {OLDEST_PYTHON} to {NEWEST_PYTHON} are",
        next_step="write it as cp312, or cp313t for a free-threaded build",
    )


def _here(python: PythonAbi) -> Interpreter | None:
    """This machine's interpreter with that ABI, if it has one; refuses what no CPython is."""
    if not OLDEST_PYTHON <= python.version <= NEWEST_PYTHON:
        raise _no_such_python(python.abi)
    if python.free_threaded and python.version < _FIRST_FREE_THREADED:
        raise UsageError(
            f"there is no {python.abi}",
            why=f"free-threaded builds begin with CPython {_FIRST_FREE_THREADED}",
            next_step=f"write {python.tag}, or cp313t",
        )
    return interpreter_of(python)
