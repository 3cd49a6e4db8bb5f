"""Reads one ``recipe.yaml``: every mistake in it, with its line and column, or a recipe.

The document is composed into nodes and never constructed: no YAML tag makes an object, anchors and
duplicate keys are refused, and every node still knows where it stands. It is long because each key
of a recipe has its own check, and the checks share the nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from buildtools.errors import UsageError
from buildtools.recipes.model import (
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

if TYPE_CHECKING:
    from yaml import MappingNode, Node
    from yaml._yaml import Mark as CompiledMark
    from yaml.error import Mark

LARGEST_RECIPE = 64 << 10
"""Bytes; a recipe is a page of text."""

RECIPE_KEYS = (
    "driver", "family", "distribution", "summary", "imports", "native", "pure", "alternative",
    "versions", "build",
)  # fmt: skip
BUILD_KEYS = (
    "environment", "config_tools", "config_tool_variables", "pkg_config", "link", "sources",
    "packages", "plugins", "requires",
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


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RecipeMistake:
    """One mistake: where it stands (counted from 1) and what is wrong."""

    line: int
    column: int
    reason: str


class RecipeError(UsageError):
    """A recipe is refused; ``mistakes`` are all of them, in the order of the file."""

    def __init__(self, file: Path, mistakes: tuple[RecipeMistake, ...]) -> None:
        first = mistakes[0]
        count = len(mistakes)
        super().__init__(
            f"the recipe has {'a mistake' if count == 1 else f'{count} mistakes'}",
            where=f"{file}:{first.line}:{first.column}",
            why="; ".join(f"line {m.line}, column {m.column}: {m.reason}" for m in mistakes),
            next_step="docs/recipes.md says what each field holds",
        )
        self.file = file
        self.mistakes = mistakes
        self.line = first.line
        self.column = first.column
        self.reason = first.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecipe:
    """A recipe, and where it names its alternative: that is checked when all have been read."""

    recipe: Recipe
    file: Path
    alternative_at: tuple[int, int]


def read_recipe(file: Path) -> ReadRecipe:
    """Read ``native/<family>/<driver>/recipe.yaml``; raises :class:`RecipeError`."""
    reader = _Reader(file)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RecipeError(file, (RecipeMistake(line=1, column=1, reason=str(error)),)) from error
    root = reader.compose(content)
    recipe = reader.recipe(root) if root is not None else None
    if reader.mistakes or recipe is None:
        raise RecipeError(file, tuple(sorted(reader.mistakes)))
    return ReadRecipe(recipe=recipe, file=file, alternative_at=reader.alternative_at)


@dataclass(slots=True)
class _Reader:
    """Turns nodes into values and gathers mistakes; a wrong value reads as an empty one."""

    file: Path
    mistakes: list[RecipeMistake] = field(default_factory=list)
    alternative_at: tuple[int, int] = (1, 1)

    def wrong(self, node: Node | None, reason: str) -> None:
        self.wrong_at(node.start_mark if node is not None else None, reason)

    def wrong_at(self, mark: Mark | CompiledMark | None, reason: str) -> None:
        """Gather a mistake at a mark of PyYAML's, which counts from 0; None is the file's start."""
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.mistakes.append(RecipeMistake(line=line, column=column, reason=reason))

    def compose(self, content: bytes) -> Node | None:
        import yaml

        if len(content) > LARGEST_RECIPE:
            self.wrong(None, f"the file is larger than {LARGEST_RECIPE} bytes")
            return None
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            text = content.decode("utf-8")
            for event in yaml.parse(text, Loader=loader):
                if isinstance(event, yaml.AliasEvent):
                    self.wrong_at(event.start_mark, "aliases are not taken: write the value out")
                    return None
            node: Node | None = yaml.compose(text, Loader=loader)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            self.mistakes.append(RecipeMistake(line=line, column=1, reason="not UTF-8 text"))
            return None
        except (yaml.YAMLError, RecursionError) as error:
            reason = f"not YAML: {getattr(error, 'problem', None) or error}"
            self.wrong_at(getattr(error, "problem_mark", None), reason)
            return None
        if node is None:
            self.wrong(None, "the file is empty")
        return node

    # -- shapes

    def fields(
        self, node: Node | None, known: tuple[str, ...], required: tuple[str, ...], what: str
    ) -> dict[str, Node]:
        """The values of a mapping by key; unknown, doubled and missing keys are mistakes."""
        import yaml

        pairs = self.pairs(node, what)
        for key, (at, _) in pairs.items():
            if key not in known:
                hint = _nearest(key, known)
                self.wrong(at, f"{what} has no {key!r}{hint}")
        missing = [key for key in required if key not in pairs]
        if isinstance(node, yaml.MappingNode):
            for key in missing:
                self.wrong(node, f"{what} lacks {key!r}")
        return {key: value for key, (_, value) in pairs.items() if key in known}

    def pairs(self, node: Node | None, what: str) -> dict[str, tuple[Node, Node]]:
        """Key → (the key's node, the value's node)."""
        import yaml

        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{what} must be a mapping")
            return {}
        pairs: dict[str, tuple[Node, Node]] = {}
        mapping: MappingNode = node
        for key, value in mapping.value:
            if not isinstance(key, yaml.ScalarNode):
                self.wrong(key, f"a key of {what} must be a word")
            elif key.value in pairs:
                self.wrong(key, f"{what} names {key.value!r} twice")
            else:
                pairs[key.value] = (key, value)
        return pairs

    def text(self, node: Node | None, what: str, pattern: re.Pattern[str] | None = None) -> str:
        import yaml

        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            self.wrong(node, f"{what} must be text")
            return ""
        value: str = node.value
        if not value.strip():
            self.wrong(node, f"{what} must not be empty")
        elif any(ord(letter) < 32 or ord(letter) == 127 for letter in value):  # noqa: PLR2004 - ASCII controls
            self.wrong(node, f"{what} must not hold control characters")
        elif pattern is not None and not pattern.fullmatch(value):
            self.wrong(node, f"{value!r} is no good as {what}")
        return value

    def texts(
        self, node: Node | None, what: str, pattern: re.Pattern[str] | None = None
    ) -> tuple[str, ...]:
        import yaml

        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, f"{what} must be a list")
            return ()
        found: list[str] = []
        for item in node.value:
            value = self.text(item, f"each of {what}", pattern)
            if value in found:
                self.wrong(item, f"{what} names {value!r} twice")
            found.append(value)
        return tuple(found)

    def truth(self, node: Node | None, what: str) -> bool:
        if node is None:
            return True
        if node.tag != "tag:yaml.org,2002:bool" or node.value not in {"true", "false"}:
            self.wrong(node, f"{what} must be true or false")
        return bool(node.value == "true")

    def nothing(self, node: Node | None) -> bool:
        """Whether a value is YAML's null."""
        return node is not None and node.tag == "tag:yaml.org,2002:null"

    def parsed(self, node: Node | None, value: str, parse: Callable[[str], object]) -> None:
        """Let ``packaging`` read a value; what it refuses is a mistake."""
        try:
            parse(value)
        except ValueError as error:
            self.wrong(node, " ".join(str(error).split()))

    # -- the recipe

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
            packages=self.packages(get("packages")),
            plugins=self.plugins(get("plugins")),
            requires=self.requires(get("requires")),
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
        names = self.texts(node, "sources", _NAME)
        for name in names:
            if name and name not in SOURCE_BUNDLES:
                self.wrong(node, f"{name!r} is no source bundle; there is {SOURCE_BUNDLES[0]}")
        return names

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


def _nearest(key: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(known)}"
