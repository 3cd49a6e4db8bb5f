"""A store's worth of cells in every state, for tests of the page."""

from __future__ import annotations

from dataclasses import replace

from buildtools.wheelhouse import CellRecord
from buildtools.wheelhouse.page import Shown

TARGETS = (
    "linux/x86_64/glibc2.28",
    "linux/aarch64/glibc2.28",
    "linux/x86_64/musl1.2",
    "linux/aarch64/musl1.2",
    "darwin/arm64/macos11",
)
PYTHONS = ("cp311", "cp312", "cp313", "cp314")
SUMMARIES = {
    "mysqlclient": "MySQLdb, over the MariaDB or MySQL client library",
    "mysql-connector-python": "MySQL's own driver; pure Python with a C extension",
}
NO_SOURCE = (
    "no release of this machine's archive carries Python 3.12, and its source is not to be had"
)


def cell(driver: str, target: str, python: str) -> CellRecord:
    """A cell whose state follows from where it is, as in a real store."""
    base = CellRecord(driver=driver, target=target, python=python, state="missing")
    if driver == "mysql-connector-python" and "musl" in target:
        return replace(
            base,
            reason=f"mysql-connector-python has no wheel for {target}; the index has "
            "py2.py3-none-any alone, which is without the compiled module that the recipe demands",
        )
    version = "2.3.1" if driver == "mysqlclient" else "9.7.0"
    filled = replace(base, version=version, backend="zig")
    if target.startswith("darwin"):
        state = "runner" if python == "cp313" else "static"
        return replace(
            filled,
            state=state,
            how="here, by Python 3.13.9" if state == "runner" else "every module was read",
            reason="" if state == "runner" else "nothing on this machine runs macOS binaries",
            runner="prove on macos-26 in .github/workflows/architectures.yml",
        )
    if python == "cp312" and "aarch64" in target:
        return replace(filled, state="static", how="every module was read", reason=NO_SOURCE)
    how = "here, by Python 3.13.0"
    if "aarch64" in target:
        how = "under qemu-aarch64, by Debian trixie's python3.13"
    elif "musl" in target:
        how = "under its own loader, by CPython 3.13.5 compiled for musl"
    return replace(filled, state="executed", how=how)


def sample() -> list[Shown]:
    """Two drivers on every target with every Python; one cell was never asked for."""
    shown = [
        Shown(record=cell(driver, target, python), wheel="sha256/ab/cd/x.whl", log="x.log")
        for driver in SUMMARIES
        for target in TARGETS
        for python in PYTHONS
    ]
    return [
        Shown(record=one.record) if one.record.state == "missing" else one for one in shown[:-1]
    ]
