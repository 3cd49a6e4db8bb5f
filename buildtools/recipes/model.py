"""What is known of one driver: how it is built, what it needs, how it is tried, what stands in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class PureKind(StrEnum):
    """What a driver is without its compiled part.

    ``never``: nothing; ``optional``: it works, slower, and may not say so; ``always``: it has none.
    """

    NEVER = "never"
    OPTIONAL = "optional"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeModule:
    """A compiled module of the driver, by its dotted name; ``required`` when it must be loaded."""

    module: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSet:
    """Names of a distribution's packages: what a build needs, and what the built module needs.

    A C compiler and Python's headers are not named: every build needs them.
    """

    build: tuple[str, ...]
    runtime: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """Plugins that the client library loads at run time and that must travel with it.

    ``packages`` hold them on Debian; ``directory`` is where, below the library's folder;
    ``environment`` is the variable that points the library at another folder.
    """

    packages: tuple[str, ...]
    directory: str
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecipe:
    """How a driver is compiled; ``docs/recipes.md`` says what each field means.

    Values of ``environment`` hold only the placeholders of :data:`PLACEHOLDERS`, in braces.
    ``config_tools`` are programs that the build asks for flags, ``config_tool_variables`` the
    variables that name such a program, ``pkg_config`` the ``.pc`` names that it tries, in order;
    ``link`` the libraries without ``lib`` and suffix; ``sources`` the bundles that are compiled in;
    ``libraries`` names, for each system of :data:`LIBRARY_SYSTEMS`, what the source way compiles in
    place of packages (folders of ``native/libraries``); ``packages`` is keyed by package family;
    ``requires`` are requirements (PEP 508) of the build beyond those that the sdist names.
    ``edit`` changes files of the sdist before it is built, text by text; the source bundles are
    then laid beside its ``setup.py``, which compiles them itself. ``follows`` names the bundle
    whose version a release may not be newer than.
    """

    environment: Mapping[str, str]
    config_tools: tuple[str, ...]
    config_tool_variables: Mapping[str, str]
    pkg_config: tuple[str, ...]
    link: tuple[str, ...]
    sources: tuple[str, ...]
    libraries: Mapping[str, tuple[str, ...]]
    packages: Mapping[str, PackageSet]
    plugins: Plugins | None
    requires: tuple[str, ...]
    edit: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    follows: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One driver.

    ``distribution`` is None for a module of the standard library. ``imports`` are the top-level
    modules that it provides, the one that is used first. ``alternative`` is the driver that can
    stand in where this one cannot be had. ``versions`` is a specifier set, empty for any.
    ``probe`` is the file that tries it, None when importing is all that is tried. ``derived``
    says that no recipe was written for it.
    """

    driver: str
    family: str
    distribution: str | None
    summary: str
    imports: tuple[str, ...]
    native: tuple[NativeModule, ...]
    pure: PureKind
    alternative: str | None
    versions: str
    build: BuildRecipe | None
    probe: Path | None
    derived: bool


PLACEHOLDERS = ("include", "lib", "link", "prefix", "sysroot")
"""``link``: the words that link the client library and, where it is static, all that it needs;
``include``: the folder of the client library's own header (``mysql.h``, ``sqlite3.h``); ``lib``:
the folder of its library; ``prefix``: the folder above both; ``sysroot``: the target's root."""

PACKAGE_FAMILIES = ("debian", "alpine", "fedora", "homebrew")
"""The package managers for which a recipe names packages."""

LIBRARY_SYSTEMS = ("linux", "darwin")
"""The systems for which a recipe names libraries of the source way."""

SOURCE_BUNDLES = ("sqlite-amalgamation",)
"""The source bundles that a build may ask for."""
