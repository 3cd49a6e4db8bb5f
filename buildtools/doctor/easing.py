"""What looks like a fault of a package and is none, by the kinds that healthy packages show.

Each rule makes a finding less, never none: what is known stands in the evidence.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import replace

from buildtools.binaries import BinaryFacts, BinaryFormat, BinaryInvalid
from buildtools.compatibility import Judgement, Resolved
from buildtools.doctor.context import Context
from buildtools.doctor.records import tag_fits
from buildtools.environment import Distribution, NativeFile, TreeKind
from buildtools.findings import Cause, Severity
from buildtools.targets import Target

_OWN_FOLDER = ("$ORIGIN", "${ORIGIN}", "@loader_path")
_SHOWN = 3
_ONE_SYSTEM = 1


class Easing:
    """The rules for one examination."""

    def __init__(self, context: Context) -> None:
        self._of = context
        self._assorted: dict[str, bool] = {}
        self._absent: dict[str, tuple[str, ...]] = {}

    def own(
        self,
        module: NativeFile,
        judgements: Iterable[Judgement],
        target: Target,
        *,
        mere: Callable[[NativeFile], bool],
    ) -> tuple[Judgement, ...]:
        """What a file itself tells, less where its distribution promises to do without it."""
        distribution = module.distribution
        if distribution is None:
            return tuple(judgements)
        return tuple(self._own(module, one, target, distribution, mere) for one in judgements)

    def _own(
        self,
        module: NativeFile,
        judgement: Judgement,
        target: Target,
        distribution: Distribution,
        mere: Callable[[NativeFile], bool],
    ) -> Judgement:
        if judgement.severity is not Severity.ERROR:
            return judgement
        if judgement.cause is Cause.MACOS_TOO_OLD:
            # dyld loads a library that names a newer macOS than it runs on; what it may lack are
            # symbols. A wheel that is tagged for the older one was made to do without them.
            if any(tag_fits(tag, target) for tag in distribution.tags):
                evidence = f"{judgement.evidence}; its wheel is tagged for that"
                return replace(judgement, severity=Severity.WARNING, evidence=evidence)
        elif distribution.pure_tags and self._is_assorted(distribution):
            if judgement.cause in {Cause.FOREIGN_FORMAT, Cause.FOREIGN_ARCH, Cause.ABI_MISMATCH}:
                return replace(judgement, severity=Severity.INFO)
            if mere(module):
                return replace(judgement, severity=Severity.WARNING)
        return judgement

    def _is_assorted(self, distribution: Distribution) -> bool:
        """Whether a wheel for any system carries files of several: each system takes its own.

        One with the files of a single system is tagged wrong.
        """
        known = self._assorted.get(distribution.info)
        if known is None:
            formats: set[BinaryFormat] = set()
            for module in self._of.tree.modules:
                if module.distribution is distribution:
                    binary = self._of.facts.scanned(self._of.tree.files, module.path)
                    if not isinstance(binary, BinaryInvalid):
                        formats.add(binary.format)
            known = self._assorted[distribution.info] = len(formats) > _ONE_SYSTEM
        return known

    def brought(
        self, module: NativeFile, judgement: Judgement, resolved: Resolved
    ) -> Judgement | None:
        """The judgement of a library that another wheel brings; None where nothing says so.

        Qt lies in a wheel of its own, and so do CUDA's libraries: the search path of what needs
        them leads into a folder beside it that its own wheel does not have, and its metadata
        requires distributions that are not among those that are looked at.
        """
        if self._of.tree.kind is not TreeKind.WHEEL or module.distribution is None:
            return None
        absent = self._requires(module.distribution)
        wanting = judgement.evidence.partition(" needs ")[0]
        if not absent or not self._leads_out(module, wanting, resolved):
            return None
        names = ", ".join(absent[:_SHOWN]) + (", …" if len(absent) > _SHOWN else "")
        return replace(
            judgement,
            severity=Severity.INFO,
            evidence=f"{judgement.evidence}; its wheel requires {names}, which may bring it",
            remedy="Look at the wheels together: put them into one folder.",
        )

    def _requires(self, distribution: Distribution) -> tuple[str, ...]:
        known = self._absent.get(distribution.info)
        if known is None:
            there = self._of.beside.distributions | {distribution.key}
            known = tuple(name for name in distribution.requires if name not in there)
            self._absent[distribution.info] = known
        return known

    def _leads_out(self, module: NativeFile, wanting: str, resolved: Resolved) -> bool:
        files = self._of.tree.files
        at: list[tuple[str, BinaryFacts]] = [(module.path, resolved.module)]
        at += [
            (library.path, library.facts)
            for library in resolved.libraries
            if library.path is not None and library.facts is not None
        ]
        for path, facts in at:
            folder, _, name = path.rpartition("/")
            if name != wanting:
                continue
            for entry in (*facts.rpath, *facts.runpath):
                mark = next((one for one in _OWN_FOLDER if entry.startswith(one)), None)
                if mark is None:
                    continue
                led = posixpath.normpath(f"{folder}/{entry.removeprefix(mark)}")
                if not led.startswith("..") and not files.names(led):
                    return True
        return False
