"""The reader of git's index, on indexes made here byte by byte, whole and damaged."""

import hashlib
import struct
from pathlib import Path

import pytest

from buildtools.deploy.gitindex import read_index, repository_of

NAMES = ("a.py", "shop/__init__.py", "shop/mod.so", "shop/" + "n" * 70 + ".py", "späte.txt")


def index(names: tuple[str, ...] = NAMES, version: int = 2, extension: bytes = b"") -> bytes:
    """An index of zeroed entries, as git's documentation lays it out."""
    body = b"DIRC" + struct.pack(">II", version, len(names))
    before = b""
    for number, name in enumerate(names):
        raw = name.encode()
        extended = version == 3 and number % 2 == 1
        flags = min(len(raw), 0xFFF) | (0x4000 if extended else 0)
        entry = bytes(60) + struct.pack(">H", flags) + (bytes(2) if extended else b"")
        if version == 4:
            common = len(raw) - len(raw.removeprefix(before))
            if not raw.startswith(before):
                common = next(
                    at
                    for at in range(len(raw) + 1)
                    if raw[: at + 1] != before[: at + 1] or at == len(raw)
                )
            body += entry + bytes([len(before) - common]) + raw[common:] + b"\0"
        else:
            entry += raw
            body += entry + bytes(8 - len(entry) % 8)
        before = raw
    body += extension
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


@pytest.mark.parametrize("version", [2, 3, 4])
def test_every_version_gives_its_names(version: int) -> None:
    assert read_index(index(version=version)) == NAMES


def test_an_extension_behind_the_names_is_passed_over_and_a_split_index_refused() -> None:
    assert read_index(index(extension=b"TREE" + struct.pack(">I", 0))) == NAMES
    with pytest.raises(ValueError, match="split"):
        read_index(index(extension=b"link" + struct.pack(">I", 0)))


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_damaged_index_is_refused_wherever_it_is_cut(version: int) -> None:
    whole = index(version=version)
    for length in range(0, len(whole) - 24, 7):
        with pytest.raises(ValueError, match=r"cut off|no index"):
            read_index(whole[:length])


def test_what_is_no_index_or_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="no index"):
        read_index(b"PK\x03\x04" + bytes(60))
    with pytest.raises(ValueError, match="version 9"):
        read_index(b"DIRC" + struct.pack(">II", 9, 0) + bytes(20))


def repository(top: Path) -> None:
    (top / ".git").mkdir(parents=True)
    (top / ".git" / "index").write_bytes(index())


def test_a_folder_of_a_repository_sees_its_own_paths(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / "shop").mkdir()
    whole, part = repository_of(tmp_path), repository_of(tmp_path / "shop")
    assert whole is not None
    assert whole.tracked == frozenset(NAMES)
    assert whole.tracks("shop")
    assert not whole.tracks("sho")
    assert part is not None
    assert "mod.so" in part.tracked
    assert "a.py" not in part.tracked


def test_a_work_tree_points_at_its_folder(tmp_path: Path) -> None:
    repository(tmp_path / "main")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / ".git").write_text("gitdir: ../main/.git\n")
    found = repository_of(tree)
    assert found is not None
    assert found.tracks("shop/mod.so")


def test_a_new_repository_tracks_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    found = repository_of(tmp_path)
    assert found is not None
    assert not found.tracked
