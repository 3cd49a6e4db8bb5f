"""Runs what recipes know over a tree: native parts, SQLite's version, MySQL's login plugins."""

from __future__ import annotations

from collections.abc import Iterator

from buildtools.archives import Files
from buildtools.archives.files import join
from buildtools.binaries import BinaryInvalid
from buildtools.doctor.context import Context
from buildtools.doctor.drivers import (
    installed_drivers,
    native_part_findings,
    plugin_finding,
)
from buildtools.doctor.sqlite import OLDEST, sqlite_version
from buildtools.environment import NativeFile, PlaceKind
from buildtools.errors import CannotLookError
from buildtools.findings import Cause, Finding, Severity

_LIBRARY_BYTES = 64 << 20


class DriverChecks:
    """The checks of one examination."""

    def __init__(self, context: Context) -> None:
        self._of = context
        self._drivers = installed_drivers(context.tree, context.recipes)

    def imports(self) -> list[str]:
        """The top-level names of the installed drivers, and of the standard library's own."""
        names = [name.partition(".")[0] for one in self._drivers for name in one.recipe.imports]
        if any(place.kind is PlaceKind.STDLIB for place in self._of.tree.places):
            names += [
                name.partition(".")[0]
                for recipe in self._of.recipes.values()
                if recipe.distribution is None
                for name in recipe.imports
            ]
        return names

    def findings(self) -> list[Finding]:
        """Everything that is wrong with the drivers beyond their files."""
        found: list[Finding] = []
        if self._drivers:
            found += self._native_parts()
        if self._of.tree.interpreter is not None:
            found += self._standard_library()
        for module in self._of.tree.modules:
            if not module.dotted or not module.place.judged or module.path in self._of.errors:
                continue
            linked = self._linked(module)
            if "sqlite3" in linked:
                found += self._sqlite(module)
            elif "mariadb" in linked:
                found += self._mysql(module)
        return found

    def _linked(self, module: NativeFile) -> tuple[str, ...]:
        """The client libraries that a driver's main module is linked to, by its recipe."""
        if module.place.kind is PlaceKind.STDLIB:
            return ("sqlite3",) if module.dotted == "_sqlite3" else ()
        recipe = self._of.recipe_of(module.distribution)
        if recipe is None or recipe.build is None:
            return ()
        required = any(one.required and one.module == module.dotted for one in recipe.native)
        return recipe.build.link if required else ()

    def _native_parts(self) -> list[Finding]:
        modules: dict[tuple[str, str], list[NativeFile]] = {}
        for module in self._of.tree.modules:
            if module.dotted:
                modules.setdefault((module.place.path, module.dotted), []).append(module)
        places = {place.path: place for place in self._of.tree.places if place.judged}
        found: list[Finding] = []
        for driver in self._drivers:
            place = places.get(driver.site)
            if place is not None:
                found += native_part_findings(
                    driver,
                    modules,
                    self._of.target_of(place.python),
                    self._of.site_prefix(driver.site),
                    self._of.command_for(driver.recipe.driver),
                )
        return found

    def _standard_library(self) -> list[Finding]:
        """Parts that an interpreter was built without: neither files nor compiled into it."""
        tree = self._of.tree
        there = {one.dotted for one in tree.modules if one.place.kind is PlaceKind.STDLIB}
        folders = [place for place in tree.places if place.kind is PlaceKind.STDLIB]
        return [
            Finding(
                cause=Cause.MISSING_NATIVE_MODULE,
                severity=Severity.WARNING,
                path=join(folders[-1].path, native.module),
                evidence=f"found no {native.module} in this Python; import {recipe.imports[0]} "
                "requires it",
                remedy=f"It was built without {recipe.driver}: use a driver that brings its own.",
                command=self._of.command_for("pysqlite3") if recipe.family == "sqlite" else "",
            )
            for recipe in self._of.recipes.values()
            for native in recipe.native
            if recipe.distribution is None and native.required and folders
            if native.module not in there and not self._of.program.has_built_in(native.module)
        ]

    def _sqlite(self, module: NativeFile) -> list[Finding]:
        """The SQLite that a module brings, or the library's that it would load."""
        for files, path in self._carriers(module, "libsqlite3"):
            try:
                with files.open(path) as stream:
                    version = sqlite_version(stream)
            except (OSError, CannotLookError):
                continue
            if version is None:
                continue
            if version >= OLDEST:
                return []
            return [
                Finding(
                    cause=Cause.SQLITE_TOO_OLD,
                    severity=Severity.WARNING,
                    path=module.shown,
                    distribution=module.distribution.name if module.distribution else "",
                    evidence=(
                        f"found SQLite {'.'.join(map(str, version))} in {path}; "
                        f"current frameworks require {'.'.join(map(str, OLDEST))}"
                    ),
                    remedy="Use a driver that brings its own SQLite, such as pysqlite3 or apsw.",
                    command=self._of.command_for("pysqlite3"),
                )
            ]
        return []

    def _mysql(self, module: NativeFile) -> list[Finding]:
        for files, path in self._carriers(module, "libmariadb"):
            try:
                with files.open(path) as stream:
                    content = stream.read(_LIBRARY_BYTES)
            except (OSError, CannotLookError):
                continue
            finding = plugin_finding(
                module,
                path,
                content,
                self._of.tree,
                on_host=self._of.on_host,
                command=self._of.command(module.distribution),
            )
            return [finding] if finding is not None else []
        return []

    def _carriers(self, module: NativeFile, library: str) -> Iterator[tuple[Files, str]]:
        """The libraries of that name that the module would load, then the module itself."""
        tree = self._of.tree
        binary = self._of.facts.scanned(tree.files, module.path)
        if isinstance(binary, BinaryInvalid):
            return
        resolved = self._of.loader.resolve(module.path, self._of.facts.slice(binary))
        for found in resolved.libraries:
            if library in found.name and found.path is not None:
                files = self._of.files_of(found.path)
                if files is not None:
                    yield files, found.path
        yield tree.files, module.path
