"""What ``doctor`` looks at: the paths as written, a folder of artefacts as those that it holds.

Of several, one that cannot be read does not keep the others from being judged: it is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.archives import DiskFiles
from buildtools.doctor import Beside, Report, Scanned
from buildtools.environment import Tree, TreeKind, scan
from buildtools.errors import CannotLookError
from buildtools.findings import Cause, Finding, Severity
from buildtools.targets import Target

_NO_WHEEL_SET = ("pyvenv.cfg", "pyproject.toml", "setup.py")
"""With one of these beside them, wheels are part of something else."""

_ARCHIVES = (".whl", ".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One thing to look at; ``path`` is None for the interpreter's own environment.

    ``of_several``: it is one of a set, of which the others are judged whatever this one is.
    """

    path: Path | None
    of_several: bool = False

    @property
    def is_wheel(self) -> bool:
        """Whether it is installed together with the other wheels."""
        return self.path is not None and self.path.name.endswith(".whl") and self.path.is_file()


def sources_of(words: Sequence[str]) -> tuple[Source, ...]:
    """What the words on the command line stand for; the interpreter where there are none.

    A folder with wheels in it stands for its archives, and so does one that holds nothing else.
    """
    paths: list[tuple[Path, bool]] = []
    for path in map(Path, words):
        held = _artefacts(path)
        paths += [(one, True) for one in held] or [(path, len(words) > 1)]
    if not paths:
        return (Source(path=None),)
    return tuple(Source(path=path, of_several=several) for path, several in paths)


def _artefacts(folder: Path) -> list[Path]:
    """The archives of a folder of artefacts; empty where it is another kind of folder."""
    if not folder.is_dir() or any((folder / name).exists() for name in _NO_WHEEL_SET):
        return []
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []  # the scan says why
    archives = [entry for entry in entries if entry.name.lower().endswith(_ARCHIVES)]
    archives = [entry for entry in archives if not entry.is_dir()]
    visible = [entry for entry in entries if not entry.name.startswith(".")]
    wheels = any(entry.name.endswith(".whl") for entry in archives)
    return archives if wheels or len(archives) == len(visible) else []


def installed_together(sources: Iterable[Source]) -> Beside:
    """The wheels of a set: one may bring the library that another needs."""
    wheels = [source.path for source in sources if source.is_wheel and source.path is not None]
    files: set[str] = set()
    distributions: set[str] = set()
    for wheel in wheels if len(wheels) > 1 else ():
        try:
            tree = scan(wheel)
        except CannotLookError:
            continue  # told when its turn comes
        files.update(module.filename for module in tree.modules)
        distributions.update(one.key for one in tree.distributions)
        tree.files.close()
    return Beside(files=frozenset(files), distributions=frozenset(distributions))


def unread(path: Path, error: CannotLookError, target: Target) -> tuple[Tree, Report]:
    """The report of an artefact that cannot be looked into: no installer would take it either."""
    tree = Tree(
        kind=TreeKind.FILE,
        root=str(path.absolute()),
        files=DiskFiles(),
        places=(),
        modules=(),
        distributions=(),
    )
    finding = Finding(
        cause=Cause.CORRUPT_BINARY,
        severity=Severity.ERROR,
        path=tree.root,
        evidence=f"could not look: {error.what}{f' ({error.why})' if error.why else ''}",
        remedy="Make or download the file again; the others were judged without it.",
    )
    nothing = Scanned(modules=0, bytes=0, seconds=0.0)
    return tree, Report(target=target, scanned=nothing, findings=(finding,), providers=())
