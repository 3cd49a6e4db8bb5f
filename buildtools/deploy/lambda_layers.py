"""Where AWS Lambda looks for packages: a zip's root, and in a layer ``python/`` and one below.

Source: AWS's pages on packaging layers and .zip archives for Python. A layer is unpacked into
``/opt``; ``/opt/python`` and ``/opt/python/lib/python3.X/site-packages`` are on the path, with the
version of the function's own Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from buildtools.archives import Files
from buildtools.archives.files import join
from buildtools.environment import Tree, TreeKind
from buildtools.findings import Cause, Finding, Severity
from buildtools.targets import PythonAbi

NAME = "lambda"
"""The target that is meant."""

_LIBRARY = "python/lib"
_OF_A_LAYER = frozenset({"python", "lib", "bin", "extensions"})


def layer_findings(tree: Tree, python: PythonAbi | None) -> Iterator[Finding]:
    """Folders of packages that the function's Python does not look into."""
    files, root = tree.files, tree.root if tree.files.on_disk else ""
    if python is not None:
        yield from _other_pythons(files, root, python)
    if tree.kind is TreeKind.ARCHIVE:
        yield from _wrapped(files)


def _other_pythons(files: Files, root: str, python: PythonAbi) -> Iterator[Finding]:
    for name in sorted(files.names(join(root, _LIBRARY))):
        if re.fullmatch(r"python3\.\d+", name) and name != f"python{python.version}":
            yield Finding(
                cause=Cause.ABI_MISMATCH,
                severity=Severity.ERROR,
                path=f"{_LIBRARY}/{name}",
                evidence=f"found packages in {_LIBRARY}/{name}; a function with Python"
                f" {python.version} looks into python/ and {_LIBRARY}/python{python.version}",
                remedy="Make the layer for that Python, or put the packages into python/.",
            )


def _wrapped(files: Files) -> Iterator[Finding]:
    """A zip that was made of a folder, not of what it holds."""
    top = files.names("")
    folder = next(iter(top)) if len(top) == 1 else ""
    if not folder or folder in _OF_A_LAYER:
        return
    if any(name.endswith(".dist-info") for name in files.names(folder)):
        yield Finding(
            cause=Cause.ABI_MISMATCH,
            severity=Severity.WARNING,
            path=folder,
            evidence=f"found packages in {folder}/; a function imports from the zip's root, and"
            " of a layer from python/",
            remedy="Pack what the folder holds, not the folder.",
        )
