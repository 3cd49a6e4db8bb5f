"""The wheelhouse: content-addressed, whole or not there, best first."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from buildtools.configuration import Configuration
from buildtools.errors import CannotLookError, UsageError
from buildtools.findings import Cause
from buildtools.wheelhouse import Provenance, Wheelhouse, wheelhouse_root
from buildtools.wheels import WheelInvalidError
from buildtools.writing import write_whole
from tests.unit.wheels.making import Making, corpus, row, target

PROVENANCE = Provenance(
    driver="sample", target="linux/x86_64", python="cp311", backend="zig", source="sdist"
)


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    return Wheelhouse(tmp_path / "house")


def test_a_wheel_lies_under_its_content(house: Wheelhouse, tmp_path: Path) -> None:
    path = Making().write(tmp_path / "in")
    stored = house.add(path, PROVENANCE)
    shard, rest = stored.sha256[:2], stored.sha256[2:]
    assert stored.path == house.root / "sha256" / shard / rest / path.name
    assert stored.path.read_bytes() == path.read_bytes()
    assert stored.metadata.read_bytes().startswith(b"Metadata-Version")
    assert stored.provenance.driver == "sample"
    assert stored.provenance.created > 0
    assert house.add(path, PROVENANCE) == stored
    assert house.wheels() == (stored,)
    assert list((house.root / "tmp").iterdir()) == []


def test_a_wheel_that_lies_about_itself_is_not_taken(house: Wheelhouse, tmp_path: Path) -> None:
    files = {"sample/_sample.cpython-311-x86_64-linux-gnu.so": corpus("elf-aarch64-glibc2.28.so")}
    with pytest.raises(WheelInvalidError, match="not what it says"):
        house.add(Making(files=files).write(tmp_path), PROVENANCE)
    wrong = {"sample/__init__.py": row("sample/__init__.py", b"x")}
    with pytest.raises(WheelInvalidError, match="record-mismatch"):
        house.add(Making(record=wrong).write(tmp_path), PROVENANCE)
    assert house.wheels() == ()


def test_the_best_comes_first(house: Wheelhouse, tmp_path: Path) -> None:
    for version, tag in (
        ("1.0", "cp311-cp311-manylinux_2_17_x86_64"),
        ("1.10", "cp311-cp311-manylinux_2_17_x86_64"),
        ("1.10", "cp311-cp311-manylinux_2_28_x86_64"),
        ("1.9", "cp311-abi3-manylinux_2_17_x86_64"),
        ("2.0", "cp312-cp312-manylinux_2_17_x86_64"),
        ("2.0", "cp311-cp311-manylinux_2_99_x86_64"),
        ("3.0rc1", "cp311-cp311-manylinux_2_17_x86_64"),
    ):
        house.add(Making(version=version, tag=tag).write(tmp_path / "in"), PROVENANCE)
    found = [one.path.name for one in house.find("Sample", target())]
    assert found == [
        "sample-1.10-cp311-cp311-manylinux_2_28_x86_64.whl",
        "sample-1.10-cp311-cp311-manylinux_2_17_x86_64.whl",
        "sample-1.9-cp311-abi3-manylinux_2_17_x86_64.whl",
        "sample-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
    ]
    assert [one.version for one in house.find("sample", target(), "<1.9")] == ["1.0"]
    assert [one.version for one in house.find("sample", target(), ">=3.0rc1")] == ["3.0rc1"]
    assert house.find("other", target()) == ()
    with pytest.raises(UsageError):
        house.find("sample", target(), "newest")


def test_what_lies_damaged_is_found_and_replaced(house: Wheelhouse, tmp_path: Path) -> None:
    path = Making().write(tmp_path)
    stored = house.add(path, PROVENANCE)
    assert house.check() == ()
    stored.path.write_bytes(stored.path.read_bytes()[:-10] + b"0123456789")
    (found,) = house.check()
    assert found.cause in {Cause.HASH_MISMATCH, Cause.CORRUPT_BINARY}
    again = house.add(path, PROVENANCE)
    assert again.path.read_bytes() == path.read_bytes()
    assert house.check() == ()
    stored.path.unlink()
    (found,) = house.check()
    assert found.cause is Cause.CORRUPT_BINARY


def test_what_a_killed_add_left_is_swept(house: Wheelhouse, tmp_path: Path) -> None:
    stored = house.add(Making().write(tmp_path), PROVENANCE)
    half = house.root / "tmp" / "1234-abcdef"
    half.mkdir()
    (half / "sample-1.0-cp311-cp311-manylinux_2_17_x86_64.whl").write_bytes(b"half")
    assert house.wheels() == (stored,)
    collected = house.gc()
    assert collected.removed == ("tmp/1234-abcdef",)
    assert collected.bytes == 4
    assert house.wheels() == (stored,)


def test_old_versions_are_swept_and_the_newest_stay(house: Wheelhouse, tmp_path: Path) -> None:
    for version in ("1.0", "1.2", "1.10"):
        house.add(Making(version=version).write(tmp_path), PROVENANCE)
    other = Making(version="1.0", tag="cp312-cp312-manylinux_2_17_x86_64")
    other.files = {"sample/__init__.py": b""}
    house.add(other.write(tmp_path), PROVENANCE)
    removed = house.gc(keep=2).removed
    assert removed == ("sample-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",)
    assert {one.version for one in house.wheels()} == {"1.0", "1.2", "1.10"}


def test_proof_is_noted_beside_the_wheel(house: Wheelhouse, tmp_path: Path) -> None:
    stored = house.add(Making().write(tmp_path), PROVENANCE)
    house.note_proven(stored, target())
    house.note_proven(stored, target())
    assert stored.provenance.proven == ("linux/x86_64/glibc2.28/cp311",)
    (stored.path.parent / "provenance.json").write_text("{")
    assert stored.provenance.driver == ""


def test_a_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "house").write_text("a file")
    with pytest.raises(CannotLookError, match="could not be stored"):
        Wheelhouse(tmp_path / "house").add(Making().write(tmp_path / "in"), PROVENANCE)


def test_a_half_written_file_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page"
    write_whole(path, b"one")

    def fails(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"two")
    assert path.read_bytes() == b"one"
    assert [one.name for one in tmp_path.iterdir()] == ["page"]


def test_the_folder_is_asked_configured_or_the_caches(tmp_path: Path) -> None:
    plain = Configuration(root=tmp_path, named={}, render={})
    configured = Configuration(root=tmp_path, named={}, render={}, wheelhouse=Path("wheels"))
    cache = {"XDG_CACHE_HOME": "/cache"}
    assert wheelhouse_root(plain, "/asked", cache) == Path("/asked")
    assert wheelhouse_root(configured, None, cache) == tmp_path / "wheels"
    assert wheelhouse_root(plain, None, cache) == Path("/cache/buildtools/wheelhouse")
    assert wheelhouse_root(plain, None, {"XDG_CACHE_HOME": "x"}).is_relative_to(Path.home())


def test_the_index_says_what_the_store_holds(house: Wheelhouse, tmp_path: Path) -> None:
    stored = house.add(Making(requires_python=">=3.11,<4").write(tmp_path), PROVENANCE)
    folder = house.index()
    page = (folder / "sample" / "index.html").read_text()
    assert f"#sha256={stored.sha256}" in page
    assert 'data-requires-python="&gt;=3.11,&lt;4"' in page
    document = json.loads((folder / "sample" / "index.json").read_text())
    (file,) = document["files"]
    assert file["hashes"] == {"sha256": stored.sha256}
    linked = (folder / "sample" / file["url"]).resolve()
    assert linked == stored.path.resolve()
    assert Path(f"{linked}.metadata").exists()
    assert json.loads((folder / "index.json").read_text())["projects"] == [{"name": "sample"}]
    house.gc(keep=1)
    stored.path.unlink()
    house.index()
    assert not (folder / "sample").exists()
