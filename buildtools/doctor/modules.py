"""Judges one native file after the other: itself, its libraries, and how much it matters."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from buildtools.binaries import Binary, BinaryFacts, BinaryFormat, BinaryInvalid, ModuleKind
from buildtools.compatibility import (
    Judgement,
    LibraryJudge,
    Resolved,
    ResolvedLibrary,
    baseline_libraries,
    judge,
    judge_libraries,
    module_entries,
    takes_any_release,
)
from buildtools.doctor.context import Context
from buildtools.doctor.easing import Easing
from buildtools.doctor.facts import why_unopened
from buildtools.doctor.systems import MOST_EFFORT
from buildtools.environment import NativeFile, PlaceKind, TreeKind
from buildtools.findings import Cause, Finding, Severity
from buildtools.targets import Target

_NOT_HERE = frozenset(
    {Cause.FOREIGN_FORMAT, Cause.FOREIGN_ARCH, Cause.LIBC_MISMATCH, Cause.CORRUPT_BINARY}
)
"""Causes after which the libraries of a file say nothing more."""


_TEST_FOLDERS = frozenset({"test", "tests", "testdata", "fixtures", "__tests__"})

_OPTIONAL_STDLIB = frozenset(
    ["_tkinter", "_dbm", "_gdbm", "_curses", "_curses_panel", "readline", "nis", "_crypt", "_uuid"]
)
"""Modules of the standard library that builds for servers and containers do without."""


class ModuleJudge:
    """Judges the files of one examination."""

    def __init__(self, context: Context) -> None:
        self._of = context
        self._files = context.tree.files
        self._siblings = context.tree.by_folder()
        self._baseline = baseline_libraries(context.target) | (context.target.libraries or set())
        self._healthy: set[tuple[object, ...]] = set()
        self._easing = Easing(context)
        self._judge = LibraryJudge(context.target)
        self._filenames = {
            module.filename for module in context.tree.modules
        } | context.beside.files

    def findings(self, module: NativeFile) -> list[Finding]:
        """What is wrong with a file; its path goes among the errors when it would not load."""
        judgements = self._judgements(module)
        if not judgements:
            return []
        if self._is_test_data(module):
            judgements = tuple(replace(one, severity=Severity.INFO) for one in judgements)
        if any(judgement.severity is Severity.ERROR for judgement in judgements):
            self._of.errors.add(module.path)
        return [
            Finding(
                cause=judgement.cause,
                severity=judgement.severity,
                path=module.shown,
                distribution=module.distribution.name if module.distribution else "",
                evidence=judgement.evidence,
                remedy=judgement.remedy,
                command=self._of.command(module.distribution),
            )
            for judgement in judgements
        ]

    def _is_test_data(self, module: NativeFile) -> bool:
        """Whether a file lies among the tests of a checkout: nothing that is deployed loads it."""
        return (
            self._of.tree.kind is TreeKind.FOLDER
            and module.place.kind is PlaceKind.FOLDER
            and not _TEST_FOLDERS.isdisjoint(module.relative.split("/")[:-1])
        )

    def _judgements(self, module: NativeFile) -> tuple[Judgement, ...]:
        any_release = takes_any_release(module.name)
        binary = self._of.facts.scanned(self._files, module.path, symbols=any_release)
        if isinstance(binary, BinaryInvalid):
            return (_corrupt(why_unopened(self._files, module.path, binary)),)
        target = self._of.target_of(module.place.python)
        facts = self._of.facts.slice(binary)
        resolved = None
        if facts.format is not BinaryFormat.PE and module.name is not None:
            resolved = self._of.loader.resolve(module.path, facts)
        healthy = self._signature(module, facts, resolved)
        if healthy in self._healthy:
            return ()
        judgements = self._own(module, binary, target, resolved)
        if resolved is None or any(one.cause in _NOT_HERE for one in judgements):
            return judgements
        wants_symbols = self._wants_symbols(module, facts, resolved)
        judgements += self._libraries(module, resolved, target, symbols=wants_symbols)
        if not judgements and not wants_symbols and not any_release:
            self._healthy.add(healthy)
        return judgements

    def _signature(
        self, module: NativeFile, facts: BinaryFacts, resolved: Resolved | None
    ) -> tuple[object, ...]:
        """Everything that a verdict depends on but symbols; packages have hundreds of such twins.

        Where nothing is missing the loader keeps and shares the libraries of an ELF file, so their
        identity stands for them.
        """
        name = module.name
        shared = resolved is not None and not resolved.missing and facts.format is BinaryFormat.ELF
        return (
            id(resolved.libraries) if resolved is not None and shared else object(),
            (name.suffix, name.kind) if name is not None else None,
            module.place.python,
            module.dotted != "",
            self._of.recipe_of(module.distribution) is not None,
            (facts.format, facts.arch, facts.bits, facts.little_endian, facts.kind),
            (facts.interpreter, facts.needed, facts.version_needs),
            (facts.min_os, facts.apple_platform, facts.signed),
        )

    def _own(
        self, module: NativeFile, binary: Binary, target: Target, resolved: Resolved | None
    ) -> tuple[Judgement, ...]:
        """What the file itself tells, eased where its import finds something better."""
        known = (
            [library.name for library in resolved.libraries if library.facts is not None]
            if resolved is not None
            else ()
        )
        judgements = judge(binary, module.name, target, resolved=known)
        if not judgements or module.name is None:
            return judgements
        if module.name.suffix == ".so" and any(one.cause in _NOT_HERE for one in judgements):
            # Its symbols tell whether it is an extension at all, or data for ctypes.
            judgements = self._with_own_symbols(module, binary, target, known)
        if any(one.severity is Severity.ERROR for one in judgements):
            eased = self._beside(module, target)
            if eased is not None:
                return tuple(replace(one, severity=eased) for one in judgements)
            judgements = self._easing.own(module, judgements, target, mere=self._is_mere)
        return judgements

    def _with_own_symbols(
        self, module: NativeFile, binary: Binary, target: Target, known: Collection[str]
    ) -> tuple[Judgement, ...]:
        facts = self._of.facts.with_symbols(self._files, module.path)
        if facts is not None:
            binary = Binary(format=binary.format, slices=(facts,))
        return judge(binary, module.name, target, resolved=known)

    def _beside(self, module: NativeFile, target: Target) -> Severity | None:
        """How bad a file is that does not load when its import finds something else beside it.

        ``info`` beside a module with a suffix that this Python takes, ``warning`` beside source
        code of the same name; None when the import has nothing else.
        """
        if module.name is None or target.python is None or not module.dotted:
            return None
        suffixes = target.python.ext_suffixes
        if module.name.suffix in suffixes:
            return None
        stem = module.name.stem
        for other in self._siblings[module.folder]:
            if other.name is not None and other.name.stem == stem and other.name.suffix in suffixes:
                return Severity.INFO
        if f"{stem}.py" in self._files.names(module.folder):
            return Severity.WARNING
        return None

    def _libraries(
        self, module: NativeFile, resolved: Resolved, target: Target, *, symbols: bool
    ) -> tuple[Judgement, ...]:
        judgements: tuple[Judgement, ...] = ()
        if symbols:
            for effort in range(MOST_EFFORT + 1):  # the first is nearly always enough
                told = self._with_symbols(module, resolved, effort)
                judgements = judge_libraries(told, target)
                if all(one.cause is not Cause.MISSING_SYMBOL for one in judgements):
                    break
        else:
            judgements = self._judge.judge(resolved)
        corrupt = [
            _corrupt_library(library) for library in resolved.libraries if library.how == "corrupt"
        ]
        if not judgements and not corrupt:
            return ()
        return (*self._eased(module, judgements, resolved), *corrupt)

    def _wants_symbols(self, module: NativeFile, facts: BinaryFacts, resolved: Resolved) -> bool:
        """Symbols cost time: only where something without versions is asked for them.

        That is where a library of the system is needed that is not of its baseline, and where a
        recipe names the module; and only on this machine, where everything that gives symbols can
        be read: modules use libm without asking for it, because Python has it loaded.
        """
        if facts.format is not BinaryFormat.ELF or resolved.missing or not module.dotted:
            return False
        if not self._of.program.executable:
            return False
        recipe = self._of.recipe_of(module.distribution)
        if recipe is not None:
            return any(native.module == module.dotted for native in recipe.native)
        return any(
            library.path is not None
            and library.name not in self._baseline
            and not self._bundled(library.path)
            for library in resolved.libraries
        )

    def _bundled(self, path: str) -> bool:
        """Whether a library came with the packages: it is what they were linked to."""
        return path.rpartition("/")[0] in self._siblings

    def _with_symbols(self, module: NativeFile, resolved: Resolved, effort: int) -> Resolved:
        read = self._of.facts.with_symbols
        facts = read(self._files, module.path)
        if facts is None:
            return resolved
        # Of what carries versions, the versions tell nearly everything.
        known = {need.library for need in facts.version_needs} if effort < MOST_EFFORT else set()
        libraries: list[ResolvedLibrary] = []
        for library in resolved.libraries:
            symbols = None
            if library.path is not None and library.how != "corrupt" and library.name not in known:
                files = self._of.files_of(library.path)
                symbols = read(files, library.path) if files is not None else None
            libraries.append(replace(library, facts=symbols or library.facts))
        libraries += [
            ResolvedLibrary(name=name, facts=part, how="interpreter")
            for name, part in self._of.program.parts(effort)
        ]
        return Resolved(module=facts, libraries=tuple(libraries), missing=resolved.missing)

    def _is_mere(self, module: NativeFile) -> bool:
        """Whether a file is a library or a plugin and no module, whatever folder it lies in.

        A client library's plugin, ``authentication_kerberos_client.so``, has a module's name and
        lies in a package; what no import can start lacks the symbol ``PyInit_…``.
        """
        if module.name is None or module.name.kind is ModuleKind.LIBRARY:
            return module.name is not None
        if module.name.suffix != ".so":
            return False
        facts = self._of.facts.with_symbols(self._files, module.path)
        if facts is None or facts.defined is None:
            return False
        return not module_entries(module.name.stem) & facts.defined

    def _told_below(self, module: NativeFile, judgement: Judgement, resolved: Resolved) -> bool:
        """Whether a library in the tree lacks something, and so says it itself.

        A module tells of all that its import would stop at; of libraries each tells of its own.
        """
        wanting = judgement.evidence.partition(" needs ")[0]
        if wanting == module.filename or not self._is_mere(module):
            return False
        paths = {one.path.rpartition("/")[2]: one.path for one in resolved.libraries if one.path}
        return wanting in paths and self._bundled(paths[wanting])

    def _eased(
        self, module: NativeFile, judgements: Iterable[Judgement], resolved: Resolved
    ) -> list[Judgement]:
        """A missing library is less certain where the package may load it before, itself.

        Packages do so with ``ctypes``, or by importing another of their modules first: a library
        of that name then lies in the tree, only in no folder that the loader searches. What a mere
        library misses is missed by the modules that need that library, and they say so: plugins
        that nothing loads are no fault. Slim systems leave out what Tk and dbm are linked to.
        """
        lying = {name for name, _ in resolved.missing if name.rpartition("/")[2] in self._filenames}
        eased: list[Judgement] = []
        for judgement in judgements:
            severity = judgement.severity
            if judgement.cause is Cause.MISSING_LIBRARY and self._told_below(
                module, judgement, resolved
            ):
                continue
            if judgement.cause is Cause.MISSING_LIBRARY and severity is Severity.ERROR:
                mere = self._is_mere(module)
                if brought := self._easing.brought(module, judgement, resolved):
                    eased.append(brought)
                    continue
                if any(f" {name}," in judgement.evidence for name in lying):
                    if mere:
                        continue  # loaded by what needs it, with what that brings
                    severity = Severity.INFO
                elif mere or (
                    module.place.kind is PlaceKind.STDLIB and module.dotted in _OPTIONAL_STDLIB
                ):
                    severity = Severity.INFO
            elif judgement.cause is Cause.MISSING_LIBRARY and self._of.on_host and module.dotted:
                severity = Severity.ERROR  # a desktop's library: here it is known to be absent
            eased.append(replace(judgement, severity=severity))
        return eased


def _corrupt(reason: str) -> Judgement:
    return Judgement(
        cause=Cause.CORRUPT_BINARY,
        severity=Severity.ERROR,
        evidence=reason if reason.startswith("the file") else f"found {reason}",
        remedy="Install it again; if it came through git or a download, look how.",
    )


def _corrupt_library(library: ResolvedLibrary) -> Judgement:
    return Judgement(
        cause=Cause.CORRUPT_BINARY,
        severity=Severity.ERROR,
        evidence=f"the loader takes {library.path} for {library.name}, which is no binary",
        remedy=f"Install what brings {library.name} again.",
    )
