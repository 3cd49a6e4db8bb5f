"""What became of each cell is written down, and a later failure does not undo a wheel."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from buildtools.errors import CannotLookError
from buildtools.wheelhouse import (
    MISSING,
    CellRecord,
    Provenance,
    Wheelhouse,
    merge_cells,
    note_cell,
    read_cells,
)
from tests.unit.wheels.making import Making

CELL = CellRecord(
    driver="sample",
    target="linux/x86_64/glibc2.28",
    python="cp311",
    state="executed",
    version="1.0",
    how="here, by Python 3.11.7",
    bundled=("libmariadb.so.3",),
)
EMPTY = CellRecord(
    driver="sample",
    target="linux/x86_64/glibc2.28",
    python="cp311",
    state=MISSING,
    reason="no compiler",
)


def test_a_cell_comes_back_as_it_was_written(tmp_path: Path) -> None:
    noted = note_cell(tmp_path, CELL)
    assert noted.created > 0
    assert list(read_cells(tmp_path)) == [noted]
    assert replace(noted, created=0) == CELL


def test_each_driver_target_and_python_has_a_file_of_its_own(tmp_path: Path) -> None:
    others = [CELL, replace(CELL, python="cp312"), replace(CELL, target="linux/x86_64/musl1.2")]
    others.append(replace(CELL, driver="../../etc/x"))
    for one in others:
        note_cell(tmp_path, one)
    assert len(list(read_cells(tmp_path))) == 4
    assert {path.parent for path in tmp_path.rglob("*.json")} == {tmp_path / "cells"}


def test_a_failure_does_not_empty_a_cell_whose_wheel_is_there(tmp_path: Path) -> None:
    house = Wheelhouse(tmp_path / "house")
    provenance = Provenance(driver="sample", target="", python="", backend="zig", source="sdist")
    stored = house.add(Making().write(tmp_path / "in"), provenance)
    kept = note_cell(house.root, replace(CELL, sha256=stored.sha256))
    assert note_cell(house.root, EMPTY) == kept
    for path in stored.path.parent.iterdir():
        path.unlink()
    stored.path.parent.rmdir()
    assert note_cell(house.root, EMPTY).state == MISSING


def test_the_log_of_a_failure_is_kept_beside_it(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    log.write_text("cc: not found\n")
    noted = note_cell(tmp_path / "house", EMPTY, log=log)
    assert (tmp_path / "house" / noted.log).read_text() == "cc: not found\n"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "\x00"])
def test_a_damaged_document_is_passed_over(text: str, tmp_path: Path) -> None:
    note_cell(tmp_path, CELL)
    (tmp_path / "cells" / "other.json").write_text(text)
    assert [one.driver for one in read_cells(tmp_path)] == ["sample"]
    json.loads((tmp_path / "cells" / f"{CELL.name}.json").read_text())


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "cells").write_text("in the way")
    with pytest.raises(CannotLookError, match="could not be written down"):
        note_cell(tmp_path, CELL)


def test_of_two_records_of_a_cell_the_one_that_says_more_is_kept(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    read = replace(CELL, state="static", reason="no Mac here", sha256="ab" * 32)
    note_cell(here, read)
    note_cell(there, replace(read, state="runner", runner="prove on macos-26", reason=""))
    assert merge_cells(here, there) == 1
    assert [one.state for one in read_cells(here)] == ["runner"]
    assert merge_cells(there, here) == 0
    note_cell(there, read)
    assert merge_cells(here, there) == 0


def test_a_log_of_another_store_is_taken_by_its_own_name_only(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    secret = tmp_path / "secret.log"
    secret.write_text("secret")
    for index, name in enumerate(("../secret.log", f"{secret}", "cells/../../secret.log")):
        note_cell(there, replace(EMPTY, log=name, python=f"cp31{index}"))
    assert merge_cells(here, there) == 3
    assert [one.log for one in read_cells(here)] == ["", "", ""]
    assert not list(here.rglob("*.log"))
