"""What a distribution without a recipe provides, told by the list of files that it installed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from buildtools.binaries.modulenames import ModuleKind, module_name

_TESTS = frozenset(("tests", "test", "testing", "_tests", "docs", "examples", "__pycache__"))
_INFO = re.compile(r".*\.(dist-info|egg-info|data|libs)")


def modules_of_files(paths: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The packages to import and the compiled modules among files counted from the site folder.

    Both as dotted names in the order of the alphabet. Private packages are imported only where
    there is no other. A plain ``.so`` counts as a module only where none has a tag in its name:
    beside tagged ones it is something that the distribution loads by itself.
    """
    packages: set[tuple[str, ...]] = set()
    tagged: set[str] = set()
    plain: set[str] = set()
    for path in paths:
        parts = PurePosixPath(path).parts
        if not parts or parts[0] in {"..", "/"} or _INFO.fullmatch(parts[0]):
            continue
        folders, file = parts[:-1], parts[-1]
        if _TESTS & set(parts) or not all(part.isidentifier() for part in folders):
            continue
        if file.endswith(".py"):
            dotted = _dotted(folders, file.removesuffix(".py"))
        elif (name := module_name(file)) is not None and name.kind is ModuleKind.EXTENSION:
            dotted = _dotted(folders, name.stem)
            is_plain = name.python is None and not name.abi3
            (plain if is_plain else tagged).add(".".join(dotted))
        else:
            continue
        if dotted and (file.startswith("__init__.") or not folders):
            packages.add(dotted)
    return _roots(packages), tuple(sorted((tagged or plain) - {""}))


def _dotted(folders: tuple[str, ...], stem: str) -> tuple[str, ...]:
    """A module's name in parts; () for what cannot be imported."""
    parts = folders if stem == "__init__" else (*folders, stem)
    return parts if all(part.isidentifier() for part in parts) else ()


def _roots(packages: set[tuple[str, ...]]) -> tuple[str, ...]:
    """The packages that lie in no other package, public ones before all."""
    roots = {
        package
        for package in packages
        if not any(package[:depth] in packages for depth in range(1, len(package)))
    }
    public = {package for package in roots if not package[0].startswith("_")}
    return tuple(sorted(".".join(package) for package in public or roots))
