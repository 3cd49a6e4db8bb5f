"""An environment's folders, wheels for it, and what lies there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from buildtools.install import Installation, Scheme
from tests.unit.wheels.making import Making


def make_scheme(root: Path) -> Scheme:
    site = root / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (root / "bin").mkdir()
    return Scheme(
        executable=root / "bin" / "python",
        prefix=root,
        site=site,
        purelib=site,
        scripts=root / "bin",
        headers=root / "include",
    )


def pure(name: str, version: str, files: Mapping[str, bytes], **more: str) -> Making:
    """A wheel of plain files: the install does not mind what they are."""
    return Making(
        name=name,
        version=version,
        files=files,
        tag="py3-none-any",
        entry_points=more.get("entry_points", ""),
    )


def install(scheme: Scheme, making: Making, folder: Path) -> None:
    """Stage, commit and finish, as a rebuild does."""
    with Installation(scheme) as installation:
        installation.recover()
        with installation.stage(making.write(folder), name=making.name) as staged:
            staged.commit()
            staged.finish()


def listing(scheme: Scheme) -> dict[str, bytes]:
    """Every file of the environment with its content, but for the tool's own folder."""
    found = {}
    for path in sorted(scheme.prefix.rglob("*")):
        if ".buildtools" not in path.parts and (path.is_file() or path.is_symlink()):
            found[path.relative_to(scheme.prefix).as_posix()] = path.read_bytes()
    return found


def packages(scheme: Scheme) -> dict[str, bytes]:
    """The files of the site folder, without metadata."""
    start = "lib/python3.11/site-packages/"
    return {
        path.removeprefix(start): content
        for path, content in listing(scheme).items()
        if path.startswith(start) and ".dist-info" not in path
    }
