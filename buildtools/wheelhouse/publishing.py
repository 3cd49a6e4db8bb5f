"""The page of a store's cells: what it holds, joined with what is known of each cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from buildtools.errors import CannotLookError
from buildtools.wheelhouse.cells import MISSING, CellRecord, is_log, read_cells
from buildtools.wheelhouse.page import Shown, render_page
from buildtools.wheelhouse.store import StoredWheel, Wheelhouse
from buildtools.writing import write_whole


def write_page(house: Wheelhouse, *, summaries: Mapping[str, str], tool: str) -> Path:
    """Write ``index.html`` into the store's folder; gives its path.

    ``summaries`` says in a line what each driver is, ``tool`` is this release's version. Raises
    :class:`CannotLookError`.
    """
    path = house.root / "index.html"
    text = render_page(shown_cells(house), summaries=summaries, tool=tool)
    try:
        house.root.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode("utf-8"))
    except OSError as error:
        raise CannotLookError(
            "the page could not be written", where=str(path), why=error.strerror or str(error)
        ) from error
    return path


def shown_cells(house: Wheelhouse) -> Iterator[Shown]:
    """Every cell with its links.

    A wheel that no cell speaks for is shown as its provenance has it; a cell whose wheel was
    removed says so.
    """
    stored = {one.sha256: one for one in house.wheels()}
    spoken_for: set[str] = set()
    for record in read_cells(house.root):
        wheel = stored.get(record.sha256)
        if wheel is not None:
            spoken_for.add(wheel.sha256)
            yield _linked(house.root, record, wheel)
        elif record.state == MISSING:
            log = record.log if is_log(record.log) else ""
            yield Shown(record=record, log=log if log and (house.root / log).is_file() else "")
        else:
            yield Shown(
                record=replace(record, state=MISSING, how="", reason="its wheel was removed")
            )
    for sha256, wheel in stored.items():
        made_of = _from_provenance(wheel)
        if sha256 not in spoken_for and made_of is not None:
            yield _linked(house.root, made_of, wheel)


def _linked(root: Path, record: CellRecord, wheel: StoredWheel) -> Shown:
    log = wheel.log.relative_to(root).as_posix() if wheel.log.is_file() else ""
    return Shown(record=record, wheel=wheel.path.relative_to(root).as_posix(), log=log)


def _from_provenance(stored: StoredWheel) -> CellRecord | None:
    """What is known of a wheel that came without a cell; None when its target is not known."""
    known = stored.provenance
    target, slash, python = known.target.rpartition("/")
    if not slash or not python.startswith("cp"):
        return None
    return CellRecord(
        driver=known.driver,
        target=target,
        python=python,
        state="executed" if known.proven else "static",
        version=stored.version,
        how=f"on {known.proven[0]}" if known.proven else "it was read when it was taken in",
        sha256=stored.sha256,
        filename=stored.path.name,
        backend=known.backend,
        bundled=known.bundled,
        created=known.created,
    )
