"""Which drivers a run is about, each with its recipe and the versions that are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from buildtools.binaries import module_name
from buildtools.configuration import Configuration
from buildtools.environment import Distribution, Tree, normalized
from buildtools.environment.scanning import dotted_name
from buildtools.errors import UsageError
from buildtools.rebuild.requirements import Requirements
from buildtools.recipes import Recipe, derived_recipe, find_recipe
from buildtools.wheels import OpenWheel

_ASKED = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?P<versions>[<>=!~].*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One driver that a run is about; ``versions`` is the specifier in force, empty for any."""

    recipe: Recipe
    versions: str = ""

    @property
    def name(self) -> str:
        """The driver's name."""
        return self.recipe.driver

    @property
    def distribution(self) -> str:
        """The distribution's name as PEP 503 compares it; empty for the standard library."""
        return normalized(self.recipe.distribution) if self.recipe.distribution else ""


def select(
    asked: Sequence[str],
    configuration: Configuration,
    recipes: Mapping[str, Recipe],
    tree: Callable[[], Tree],
    requirements: Requirements,
) -> tuple[Wanted, ...]:
    """The drivers that were asked for; else the configured ones; else those that are to be found.

    Found are the drivers with a recipe that are installed or required, and what is installed with
    native modules and is required. ``tree`` looks through the environment, and is only called where
    that decides. Raises :class:`UsageError` for what is no driver's name.
    """
    names = list(asked) or list(configuration.drivers)
    names = names or list(_found(recipes, tree(), requirements))
    wanted: dict[str, Wanted] = {}
    for text in names:
        match = _ASKED.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                f"{text!r} is no driver's name",
                next_step=f"name one of {', '.join(recipes)}, or any distribution with native code",
            )
        recipe = find_recipe(recipes, match["name"]) or derive(match["name"], tree())
        given = requirements.specifiers.get(normalized(recipe.distribution or ""), "")
        parts = (_specifier(match["versions"] or "", text), given)
        one = Wanted(recipe=recipe, versions=",".join(part for part in parts if part))
        wanted.setdefault(one.name, one)
    return tuple(wanted.values())


def derive(name: str, tree: Tree) -> Recipe:
    """A recipe for a distribution without one, from what is installed of it."""
    key = normalized(name)
    modules = [m for m in tree.modules if m.distribution is not None and m.distribution.key == key]
    dotted = sorted({module.dotted for module in modules if module.dotted})
    installed = next((one for one in tree.distributions if one.key == key), None)
    return derived_recipe(
        installed.name if installed else name,
        imports=_imports(dotted, installed),
        native=dotted,
    )


def derive_from_wheel(name: str, opened: OpenWheel) -> Recipe:
    """A recipe for a distribution without one, from its wheel."""
    placed = [
        path for _, scheme, path in opened.placed() if scheme in {"site", "platlib", "purelib"}
    ]
    natives = [dotted_name(path, module_name(path.rpartition("/")[2])) for path in placed]
    packages = {
        path.partition("/")[0]
        for path in placed
        if path.count("/") == 1 and path.endswith("/__init__.py")
    }
    dotted = sorted({native for native in natives if native})
    tops = packages | {one.partition(".")[0] for one in dotted if "." not in one}
    return derived_recipe(name, imports=sorted(tops), native=dotted)


def _imports(dotted: Iterable[str], installed: Distribution | None) -> tuple[str, ...]:
    tops = {name.partition(".")[0] for name in dotted}
    if not tops and installed is not None:
        tops = set(installed.top_level)
    return tuple(sorted(tops))


def _found(recipes: Mapping[str, Recipe], tree: Tree, requirements: Requirements) -> Iterator[str]:
    installed = {one.key for one in tree.distributions}
    native = {module.distribution.key for module in tree.modules if module.distribution}
    known = set()
    for recipe in recipes.values():
        if recipe.distribution is None:
            continue
        key = normalized(recipe.distribution)
        known.add(key)
        if key in installed or key in requirements.specifiers:
            yield recipe.driver
    for key in sorted(native - known):
        if key in requirements.specifiers:
            yield key


def _specifier(text: str, asked: str) -> str:
    if not text:
        return ""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier as error:
        raise UsageError(
            f"{asked!r} asks for no version", why=str(error), next_step="write it as name==1.2.3"
        ) from error
