"""Which copy of a driver would be imported, from where, and which copies it hides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from buildtools.archives.files import join
from buildtools.doctor.report import Provider
from buildtools.environment import Distribution, Place, PlaceKind, Tree
from buildtools.findings import Cause, Finding, Severity

_IN_FRONT = frozenset({PlaceKind.PYTHONPATH, PlaceKind.USER_SITE})
"""Places that stand before an environment's own packages though they are no part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One copy of an importable name: ``root`` is its file, or the folder of its package."""

    place: Place
    path: str
    root: str
    version: str
    distribution: str

    def holds(self, path: str) -> bool:
        """Whether a file is part of this copy."""
        return path == self.root or path.startswith(f"{self.root}/")


def copies(
    name: str,
    tree: Tree,
    owners: Mapping[tuple[str, str], Distribution],
    suffixes_of: Callable[[Place], tuple[str, ...]],
) -> list[Copy]:
    """Every copy of a top-level name, in the order of the search; the first is imported.

    As CPython's ``FileFinder``: a package before an extension module before source, and a folder
    without ``__init__`` only when nothing else of the name is found anywhere.
    """
    found: list[Copy] = []
    namespace: list[Copy] = []
    seen: set[str] = set()
    for place in tree.places:
        names = tree.files.names(place.path)
        path = _copy_path(name, place, names, (*suffixes_of(place), ".py", ".pyc"), tree)
        if path is None:
            continue
        real = tree.files.real(path)
        if real in seen:
            continue
        seen.add(real)
        package = name in names and path.startswith(f"{join(place.path, name)}/")
        root = join(place.path, name) if package or path == join(place.path, name) else path
        owner = owners.get((place.path, name))
        copy = Copy(
            place=place,
            path=path,
            root=root,
            version=owner.version if owner else "",
            distribution=owner.name if owner else "",
        )
        (namespace if path == root and not package and _is_folder(path, tree) else found).append(
            copy
        )
    return found or namespace[:1]


def _is_folder(path: str, tree: Tree) -> bool:
    return bool(tree.files.names(path))


def _copy_path(
    name: str, place: Place, names: frozenset[str], suffixes: Iterable[str], tree: Tree
) -> str | None:
    if name in names:
        folder = join(place.path, name)
        inside = tree.files.names(folder)
        for suffix in suffixes:
            if f"__init__{suffix}" in inside:
                return f"{folder}/__init__{suffix}"
    for suffix in suffixes:
        if name + suffix in names:
            return join(place.path, name + suffix)
    if name in names and tree.files.names(join(place.path, name)):
        return join(place.path, name)
    return None


def top_level_owners(tree: Tree) -> dict[tuple[str, str], Distribution]:
    """The distribution that owns a top-level name in a place, as far as native files tell."""
    owners: dict[tuple[str, str], Distribution] = {}
    for module in tree.modules:
        if module.distribution is not None:
            top = module.relative.partition("/")[0].partition(".")[0]
            owners.setdefault((module.place.path, top), module.distribution)
    for distribution in tree.distributions:
        top = distribution.name.replace("-", "_")
        owners.setdefault((distribution.site, top), distribution)
    return owners


def native_imports(tree: Tree) -> list[str]:
    """Top-level names that bring native code with them, outside of the standard library."""
    names: dict[str, None] = {}
    for module in tree.modules:
        if module.dotted and module.place.kind is not PlaceKind.STDLIB:
            names.setdefault(module.dotted.partition(".")[0])
    return sorted(names)


def provider(name: str, found: list[Copy], shown: Mapping[str, str]) -> Provider:
    """What the report says of one import; ``shown`` gives each copy's path as it is to be read."""
    first, *hidden = found
    return Provider(
        name=name,
        path=shown[first.path],
        origin=first.place.kind.value,
        version=first.version,
        hidden=tuple(shown[copy.path] for copy in hidden),
    )


def shadow_finding(
    name: str, found: list[Copy], broken: Mapping[str, int], shown: Mapping[str, str], command: str
) -> Finding | None:
    """What is to be said of a name with more than one copy; None when it has one.

    ``broken`` counts the errors found in each copy, by path. An error when the copy that would be
    imported does not load and a hidden one would; a warning when a copy from outside of the
    environment hides the environment's own; else worth knowing only: a venv hides the system's
    packages by design.
    """
    if len(found) < 2:  # noqa: PLR2004 - one copy hides nothing
        return None
    first, *hidden = found
    healthy = [copy for copy in hidden if not broken[copy.path]]
    if broken[first.path] and healthy:
        severity = Severity.ERROR
    elif first.place.kind in _IN_FRONT or (
        any(copy.place.kind is PlaceKind.PTH for copy in hidden)
        and first.place.kind is PlaceKind.SITE
    ):
        severity = Severity.WARNING
    else:
        severity = Severity.INFO
    better = (healthy or hidden)[0]
    return Finding(
        cause=Cause.SHADOWED,
        severity=severity,
        path=shown[first.path],
        distribution=first.distribution,
        evidence=(
            f"import {name} takes {_said(first, shown, broken)}; "
            f"it hides {'; '.join(_said(copy, shown, broken) for copy in hidden)}"
        ),
        remedy=_remedy(name, first, better, shown),
        command=command,
    )


def _said(copy: Copy, shown: Mapping[str, str], broken: Mapping[str, int]) -> str:
    version = f" {copy.version}" if copy.version else ""
    state = ", which does not load" if broken[copy.path] else ""
    return f"{shown[copy.path]} ({copy.place.kind.value}{version}{state})"


def _remedy(name: str, first: Copy, better: Copy, shown: Mapping[str, str]) -> str:
    where = shown[better.path]
    match first.place.kind:
        case PlaceKind.USER_SITE:
            return (
                f"Remove {name} from the user site, or set PYTHONNOUSERSITE=1, to import {where}."
            )
        case PlaceKind.PYTHONPATH:
            return f"Take {first.place.path} out of PYTHONPATH to import {where}."
        case PlaceKind.PTH:
            return f"Remove the .pth file that names {first.place.path} to import {where}."
        case _:
            return f"Keep one copy of {name}: uninstall the other."
