"""What a recipe knows of a driver, held against what is installed of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from buildtools.archives.files import join
from buildtools.environment import Distribution, NativeFile, Tree, normalized
from buildtools.findings import Cause, Finding, Severity
from buildtools.recipes import NativeModule, PureKind, Recipe
from buildtools.targets import Target

_LOGIN_PLUGIN = "caching_sha2_password.so"
_PLUGINS = frozenset(
    f"{name}.so"
    for name in (
        "caching_sha2_password",
        "client_ed25519",
        "dialog",
        "mysql_clear_password",
        "sha256_password",
    )
)
"""The login plugins of MariaDB Connector/C, which it loads by these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A driver as it lies in a tree: its recipe and its distribution."""

    recipe: Recipe
    distribution: Distribution
    site: str


def installed_drivers(tree: Tree, recipes: Mapping[str, Recipe]) -> list[Installed]:
    """Every installed distribution that a recipe is about, in each place where it lies."""
    by_key = {
        normalized(recipe.distribution): recipe
        for recipe in recipes.values()
        if recipe.distribution
    }
    return [
        Installed(recipe=by_key[one.key], distribution=one, site=one.site)
        for one in tree.distributions
        if one.key in by_key
    ]


def recipe_of(distribution: Distribution | None, recipes: Mapping[str, Recipe]) -> Recipe | None:
    """The recipe of a distribution; None when there is none."""
    if distribution is None:
        return None
    for recipe in recipes.values():
        if recipe.distribution and normalized(recipe.distribution) == distribution.key:
            return recipe
    return None


def native_part_findings(
    driver: Installed,
    modules: Mapping[tuple[str, str], Iterable[NativeFile]],
    target: Target,
    shown: str,
    command: str,
) -> list[Finding]:
    """The required native modules that are absent, or there for another interpreter only.

    ``modules`` are the native files by place and dotted name. A distribution that works without
    its native part and came as a pure wheel is a ``pure-fallback``.
    """
    recipe = driver.recipe
    required = [module for module in recipe.native if module.required]
    if not required or recipe.pure is PureKind.ALWAYS:
        return []
    lacking: list[tuple[NativeModule, list[NativeFile]]] = []
    for module in required:
        there = list(modules.get((driver.site, module.module), ()))
        if not any(_visible(file, target) for file in there):
            lacking.append((module, there))
    if not lacking:
        return []
    nothing_there = all(not there for _, there in lacking)
    # mariadb 2 is published as a pure wheel: what was published so works so.
    if nothing_there and (recipe.pure is PureKind.OPTIONAL or driver.distribution.pure_tags):
        return [_pure_fallback(driver, lacking[0][0], shown, command)]
    return [_missing(driver, module, there, shown, command) for module, there in lacking]


def _visible(file: NativeFile, target: Target) -> bool:
    if target.python is None or file.name is None:
        return True
    return file.name.suffix in target.python.ext_suffixes


def _pure_fallback(driver: Installed, module: NativeModule, shown: str, command: str) -> Finding:
    distribution = driver.distribution
    tags = ", ".join(distribution.tags) or "no tags"
    return Finding(
        cause=Cause.PURE_FALLBACK,
        severity=Severity.WARNING,
        path=shown + distribution.info.rpartition("/")[2],
        distribution=distribution.name,
        evidence=(
            f"found {distribution.name} {distribution.version} from a wheel tagged {tags}, "
            f"without {module.module}; requires a wheel with its native part"
        ),
        remedy="It works, but in pure Python and slower: install the wheel with the extension.",
        command=command,
    )


def _missing(
    driver: Installed, module: NativeModule, there: list[NativeFile], shown: str, command: str
) -> Finding:
    found = ", ".join(file.filename for file in there) or "no file of that name"
    return Finding(
        cause=Cause.MISSING_NATIVE_MODULE,
        severity=Severity.ERROR,
        path=shown + module.module.replace(".", "/"),
        distribution=driver.distribution.name,
        evidence=f"found {found}; {driver.recipe.driver} requires {module.module}",
        remedy="The driver's compiled part is not there for this interpreter: install it again.",
        command=command,
    )


def plugin_finding(
    file: NativeFile, library: str, content: bytes, tree: Tree, *, on_host: bool, command: str
) -> Finding | None:
    """Whether a client library can log in with MySQL 8's default way, ``caching_sha2_password``.

    ``library`` is the path of the libmariadb that the module would load, ``content`` its bytes. The
    plugin may be compiled in (its name then stands in the library); else it is a file in the
    folder compiled into the library, or in one that travels with the package. Only a library whose
    folder can be looked at is judged: on this machine, or inside the tree.
    """
    if b"caching_sha2_password" in content or b"MARIADB_PLUGIN_DIR" not in content:
        return None
    travelling = _travelling_plugins(file, tree)
    if _LOGIN_PLUGIN in {module.filename for module in travelling}:
        return None
    folder = travelling[0].shown.rpartition("/")[0] if travelling else plugin_folder(content)
    if folder and not travelling and on_host and _LOGIN_PLUGIN in tree.files.names(folder):
        return None
    looked = folder or "a folder that the library does not tell"
    return Finding(
        cause=Cause.AUTH_PLUGIN_MISSING,
        severity=Severity.WARNING,
        path=file.shown,
        distribution=file.distribution.name if file.distribution else "",
        evidence=(
            f"{library.rpartition('/')[2]} loads its login plugins from {looked}, "
            "where caching_sha2_password.so is not; MySQL 8 asks for it (error 2059)"
        ),
        remedy="Install a build that brings its plugins along, or has them compiled in.",
        command=command,
    )


def plugin_folder(content: bytes) -> str:
    """The plugin folder compiled into a libmariadb; empty when none is found."""
    at = content.find(b"/plugin\0")
    while at >= 0:
        start = content.rfind(b"\0", 0, at) + 1
        text = content[start : at + len(b"/plugin")]
        if text.startswith(b"/") and text.isascii() and len(text) < 400:  # noqa: PLR2004 - PATH_MAX
            return text.decode()
        at = content.find(b"/plugin\0", at + 1)
    return ""


def _travelling_plugins(file: NativeFile, tree: Tree) -> list[NativeFile]:
    """The login plugins that travel with the module's package: then the client uses no others."""
    return [
        module
        for module in tree.modules
        if module.filename in _PLUGINS and module.place.path == file.place.path
    ]


def site_prefix(tree: Tree, site: str) -> str:
    """A site folder as it is shown: relative to what was scanned, with a ``/``, or empty."""
    root = tree.root.rstrip("/")
    if tree.interpreter is not None:
        root = tree.files.real(str(tree.interpreter.prefix))
    if site == root or not site:
        return ""
    return join(site, "").removeprefix(f"{root}/")
