"""Reads one ``recipe.yaml``: every mistake in it, with its line and column, or a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildtools.recipes.model import (
    LIBRARY_SYSTEMS,
    PACKAGE_FAMILIES,
    PLACEHOLDERS,
    SOURCE_BUNDLES,
    BuildRecipe,
    NativeModule,
    PackageSet,
    Plugins,
    PureKind,
    Recipe,
)
from buildtools.recipes.nodes import NodeReader, RecipeError, RecipeMistake

if TYPE_CHECKING:
    from yaml import Node

__all__ = ["BUILD_KEYS", "RECIPE_KEYS", "ReadRecipe", "RecipeError", "RecipeMistake", "read_recipe"]

RECIPE_KEYS = (
    "driver", "family", "distribution", "summary", "imports", "native", "pure", "alternative",
    "versions", "build",
)  # fmt: skip
BUILD_KEYS = (
    "environment", "config_tools", "config_tool_variables", "pkg_config", "link", "sources",
    "libraries", "packages", "plugins", "requires", "edit", "follows",
)  # fmt: skip

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_FAMILY = re.compile(r"[a-z][a-z0-9-]{0,31}")
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._@-]{0,127}")
_FLAGS = re.compile(r"[A-Za-z0-9 _./=+,:@%{}-]*")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_RESERVED = ("PATH", "HOME", "SHELL", "IFS", "TMPDIR")
_RESERVED_PREFIXES = ("LD_", "DYLD_", "PYTHON", "PIP_", "BASH")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecipe:
    """A recipe, and where it names its alternative: that is checked when all have been read."""

    recipe: Recipe
    file: Path
    alternative_at: tuple[int, int]
    libraries_at: tuple[int, int]


def read_recipe(file: Path) -> ReadRecipe:
    """Read ``native/<family>/<driver>/recipe.yaml``; raises :class:`RecipeError`."""
    reader = _Reader(file)
    root = reader.root()
    recipe = reader.recipe(root) if root is not None else None
    if reader.mistakes or recipe is None:
        raise RecipeError(file, tuple(sorted(reader.mistakes)))
    return ReadRecipe(
        recipe=recipe,
        file=file,
        alternative_at=reader.alternative_at,
        libraries_at=reader.libraries_at,
    )


@dataclass(slots=True)
class _Reader(NodeReader):
    """A recipe's own keys, each with its check."""

    alternative_at: tuple[int, int] = (1, 1)
    libraries_at: tuple[int, int] = (1, 1)

    def recipe(self, root: Node) -> Recipe:
        required = tuple(key for key in RECIPE_KEYS if key not in {"native", "versions", "build"})
        fields = self.fields(root, RECIPE_KEYS, required, "the recipe")
        get = fields.get
        driver = self.text(get("driver"), "driver", _NAME)
        if driver and driver.lower() != self.file.parent.name.lower():
            self.wrong(get("driver"), f"the folder is named {self.file.parent.name!r}, not so")
        family = self.text(get("family"), "family", _FAMILY)
        if family and family != self.file.parent.parent.name:
            self.wrong(get("family"), f"the folder above is {self.file.parent.parent.name!r}")
        imports = self.texts(get("imports"), "imports", _DOTTED)
        if "imports" in fields and not imports:
            self.wrong(get("imports"), "imports must name a module")
        alternative = None
        if not self.nothing(node := get("alternative")):
            alternative = self.text(node, "alternative", _NAME)
        if node is not None:
            self.alternative_at = (node.start_mark.line + 1, node.start_mark.column + 1)
        probe = self.file.with_name("probe.py")
        return Recipe(
            driver=driver,
            family=family,
            distribution=None
            if self.nothing(get("distribution"))
            else self.text(get("distribution"), "distribution", _NAME),
            summary=self.text(get("summary"), "summary"),
            imports=imports,
            native=(native := self.native(get("native"))),
            pure=self.pure(get("pure"), native),
            alternative=alternative,
            versions=self.versions(get("versions")),
            build=self.build(get("build")),
            probe=probe if probe.is_file() else None,
            derived=False,
        )

    def native(self, node: Node | None) -> tuple[NativeModule, ...]:
        import yaml

        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, "native must be a list")
            return ()
        modules = []
        for item in node.value:
            fields = self.fields(item, ("module", "required"), ("module",), "a native module")
            name = self.text(fields.get("module"), "module", _DOTTED)
            modules.append(
                NativeModule(module=name, required=self.truth(fields.get("required"), "required"))
            )
        return tuple(modules)

    def pure(self, node: Node | None, native: tuple[NativeModule, ...]) -> PureKind:
        value = self.text(node, "pure")
        try:
            kind = PureKind(value)
        except ValueError:
            if value:
                self.wrong(node, f"pure must be one of {', '.join(PureKind)}, not {value!r}")
            return PureKind.NEVER
        if kind is PureKind.ALWAYS and native:
            self.wrong(node, "a driver that is always pure has no native modules")
        if kind is not PureKind.ALWAYS and not native:
            self.wrong(node, f"a driver that is pure {kind} must name its native modules")
        return kind

    def versions(self, node: Node | None) -> str:
        from packaging.specifiers import SpecifierSet

        value = self.text(node, "versions")
        self.parsed(node, value, SpecifierSet)
        return value

    def build(self, node: Node | None) -> BuildRecipe | None:
        if node is None or self.nothing(node):
            return None
        fields = self.fields(node, BUILD_KEYS, (), "build")
        get = fields.get
        tools = self.texts(get("config_tools"), "config_tools", _PROGRAM)
        return BuildRecipe(
            environment=self.environment(get("environment")),
            config_tools=tools,
            config_tool_variables=self.tool_variables(get("config_tool_variables"), tools),
            pkg_config=self.texts(get("pkg_config"), "pkg_config", _PROGRAM),
            link=self.texts(get("link"), "link", _PROGRAM),
            sources=self.sources(get("sources")),
            libraries=self.libraries(get("libraries")),
            packages=self.packages(get("packages")),
            plugins=self.plugins(get("plugins")),
            requires=self.requires(get("requires")),
            edit=self.edit(get("edit")),
            follows="".join(self.bundles(get("follows"), (self.text(get("follows"), "follows"),))),
        )

    def environment(self, node: Node | None) -> Mapping[str, str]:
        values = {}
        for key, (at, value) in self.pairs(node, "environment").items():
            self.variable(at, key)
            flags = self.text(value, key, _FLAGS)
            for name in _PLACEHOLDER.findall(flags):
                if name not in PLACEHOLDERS:
                    known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                    self.wrong(value, f"{{{name}}} is no placeholder; there are {known}")
            if set("{}") & set(_PLACEHOLDER.sub("", flags)):
                self.wrong(value, "a brace stands alone")
            if ".." in re.split(r"[ /=:,]", flags):
                self.wrong(value, "a path must not hold '..'")
            values[key] = flags
        return values

    def variable(self, at: Node, name: str) -> None:
        if not _VARIABLE.fullmatch(name):
            self.wrong(at, f"{name!r} is no name of an environment variable")
        elif name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
            self.wrong(at, f"{name} is not for a recipe to set")

    def tool_variables(self, node: Node | None, tools: tuple[str, ...]) -> Mapping[str, str]:
        values = {}
        for key, (at, value) in self.pairs(node, "config_tool_variables").items():
            self.variable(at, key)
            tool = self.text(value, key, _PROGRAM)
            if tool and tool not in tools:
                self.wrong(value, f"{tool!r} is not among config_tools")
            values[key] = tool
        return values

    def sources(self, node: Node | None) -> tuple[str, ...]:
        return self.bundles(node, self.texts(node, "sources", _NAME))

    def edit(self, node: Node | None) -> Mapping[str, Mapping[str, str]]:
        edits = {}
        for file, (at, changes) in self.pairs(node, "edit").items():
            if not all(_PACKAGE.fullmatch(part) for part in file.split("/")):
                self.wrong(at, f"{file!r} is no file of a source archive")
            pairs = self.pairs(changes, file).items()
            edits[file] = {before: self.text(value, before) for before, (_, value) in pairs}
        return edits

    def bundles(self, node: Node | None, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name and name not in SOURCE_BUNDLES:
                self.wrong(node, f"{name!r} is no source bundle; there is {SOURCE_BUNDLES[0]}")
        return names

    def libraries(self, node: Node | None) -> Mapping[str, tuple[str, ...]]:
        if node is not None:
            self.libraries_at = (node.start_mark.line + 1, node.start_mark.column + 1)
        fields = self.fields(node, LIBRARY_SYSTEMS, (), "libraries")
        return {system: self.texts(value, system, _NAME) for system, value in fields.items()}

    def packages(self, node: Node | None) -> Mapping[str, PackageSet]:
        sets = {}
        for family, value in self.fields(node, PACKAGE_FAMILIES, (), "packages").items():
            fields = self.fields(value, ("build", "runtime"), ("build", "runtime"), family)
            sets[family] = PackageSet(
                build=self.texts(fields.get("build"), "build", _PACKAGE),
                runtime=self.texts(fields.get("runtime"), "runtime", _PACKAGE),
            )
        return sets

    def plugins(self, node: Node | None) -> Plugins | None:
        if node is None or self.nothing(node):
            return None
        keys = ("packages", "directory", "environment")
        fields = self.fields(node, keys, keys, "plugins")
        directory = self.text(fields.get("directory"), "directory")
        parts = directory.split("/")
        if directory and (directory.startswith("/") or {"", ".", ".."} & set(parts)):
            self.wrong(fields["directory"], f"{directory!r} must stay below the library's folder")
        elif not all(_PACKAGE.fullmatch(part) for part in parts if part):
            self.wrong(fields["directory"], f"{directory!r} is no good as directory")
        variable = self.text(fields.get("environment"), "environment")
        if variable:
            self.variable(fields["environment"], variable)
        return Plugins(
            packages=self.texts(fields.get("packages"), "packages", _PACKAGE),
            directory=directory,
            environment=variable,
        )

    def requires(self, node: Node | None) -> tuple[str, ...]:
        from packaging.requirements import Requirement

        values = self.texts(node, "requires")
        for value in values:
            self.parsed(node, value, Requirement)
        return values
