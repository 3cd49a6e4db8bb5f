"""What every part of one examination shares: tree, target, caches, and how things are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from buildtools.archives import Files
from buildtools.doctor.drivers import recipe_of, site_prefix
from buildtools.doctor.facts import FactsCache
from buildtools.doctor.systems import Program, program_of, system_for
from buildtools.environment import Distribution, Place, Tree
from buildtools.host import Interpreter
from buildtools.loader import Loader
from buildtools.recipes import Recipe
from buildtools.targets import PythonAbi, Target, extension_suffixes


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is installed together with a tree: the other wheels of a set.

    ``files`` are the names of their native files, ``distributions`` their own, normalised.
    """

    files: frozenset[str] = frozenset()
    distributions: frozenset[str] = frozenset()


ALONE = Beside()
"""Nothing is."""


class Context:
    """One examination's ground: built once, asked by all of its parts.

    ``errors`` are the paths of the files that were found not to load.
    """

    def __init__(
        self,
        tree: Tree,
        target: Target,
        recipes: Mapping[str, Recipe],
        *,
        host: Interpreter | None,
        library_path: str,
        again: str,
        beside: Beside,
    ) -> None:
        self.tree = tree
        self.target = target
        self.recipes = recipes
        self.beside = beside
        self.errors: set[str] = set()
        self.facts = FactsCache(target)
        system = system_for(tree, target, host=host, library_path=library_path)
        self.on_host = system.files is not None
        self.program = Program(program_of(tree, target, host), system, self.facts)
        self.loader = Loader(
            artefact=tree.files,
            system=self.program.system,
            read=self.facts.candidate,
            inside=tuple(place.path for place in tree.places if place.judged),
        )
        self._again = again
        self._targets: dict[PythonAbi | None, Target] = {}
        self._sites: dict[str, str] = {}
        self._recipes: dict[str, Recipe | None] = {}

    def target_of(self, python: PythonAbi | None) -> Target:
        """The target with the Python that a place belongs to, where the target names none."""
        if python not in self._targets:
            target = self.target
            if target.python is None and python is not None:
                target = target.with_python(python)
            if target.python is not None and not target.python.ext_suffixes:
                suffixes = extension_suffixes(target, target.python)
                target = target.with_python(replace(target.python, ext_suffixes=suffixes))
            self._targets[python] = target
        return self._targets[python]

    def suffixes_of(self, place: Place) -> tuple[str, ...]:
        """The suffixes of extension modules that an import from a place takes, best first."""
        python = self.target_of(place.python).python
        return python.ext_suffixes if python is not None else (".so",)

    def recipe_of(self, distribution: Distribution | None) -> Recipe | None:
        """The recipe of a distribution, remembered; None when there is none."""
        if distribution is None:
            return None
        if distribution.key not in self._recipes:
            self._recipes[distribution.key] = recipe_of(distribution, self.recipes)
        return self._recipes[distribution.key]

    def command(self, distribution: Distribution | None) -> str:
        """The command of this tool that mends a distribution; empty where none would."""
        if distribution is None:
            return ""
        recipe = self.recipe_of(distribution)
        return self.command_for(recipe.driver if recipe else distribution.name)

    def command_for(self, driver: str) -> str:
        """The command of this tool that mends a driver on this target."""
        if self.on_host:
            return f"buildtools rebuild {driver}{self._again}"
        command = f"buildtools wheel {driver} --target {_word(self.target)}"
        if self.target.python is None and self.tree.python is not None:
            command += f" --python {self.tree.python.abi}"
        return command

    def site_prefix(self, site: str) -> str:
        """A site folder as it is shown, remembered."""
        if site not in self._sites:
            self._sites[site] = site_prefix(self.tree, site)
        return self._sites[site]

    def files_of(self, path: str) -> Files | None:
        """The files in which a resolved library lies: the artefact's, or the system's."""
        if self.tree.files.on_disk or not path.startswith("/"):
            return self.tree.files
        return self.program.system.files


def _word(target: Target) -> str:
    """The target as a command line takes it: a name has a Python of its own, or none."""
    if target.name and "/" not in target.name and target.python is not None:
        return f"{target.name}/{target.python.abi}"
    return target.name or target.spec
