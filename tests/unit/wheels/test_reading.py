"""What a wheel says of itself is read whole, and what contradicts itself is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from buildtools.errors import CannotLookError
from buildtools.wheels import OpenWheel, WheelInvalidError, read_wheel
from buildtools.wheels.metadata import read_headers
from tests.unit.wheels.making import SUFFIX, TAG, Making, row


def test_a_wheel_is_read(tmp_path: Path) -> None:
    path = Making(
        requires_python=">=3.11",
        entry_points="[console_scripts]\nsample-run = sample.cli:main\n[other]\nx = y\n",
        files={"sample/__init__.py": b"", "sample-1.0.data/scripts/tool": b"#!python\n"},
        executable=("sample-1.0.data/scripts/tool",),
    ).write(tmp_path)
    wheel = read_wheel(path)
    assert (wheel.name, wheel.version, wheel.tags) == ("sample", "1.0", (TAG,))
    assert wheel.requires_python == ">=3.11"
    assert [(s.name, s.module, s.attribute) for s in wheel.scripts] == [
        ("sample-run", "sample.cli", "main")
    ]
    assert wheel.executable == {"sample-1.0.data/scripts/tool"}
    assert wheel.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert wheel.size == path.stat().st_size


def test_files_have_their_places(tmp_path: Path) -> None:
    files = {
        "sample/__init__.py": b"",
        "sample-1.0.data/platlib/extra.py": b"",
        "sample-1.0.data/scripts/tool": b"",
        "sample-1.0.data/headers/sample.h": b"",
    }
    with OpenWheel(Making(files=files).write(tmp_path)) as opened:
        placed = {(scheme, path) for _, scheme, path in opened.placed()}
    assert {
        ("site", "sample/__init__.py"),
        ("platlib", "extra.py"),
        ("scripts", "tool"),
        ("headers", "sample.h"),
    } <= placed
    assert not any(path.endswith("RECORD") for _, path in placed)


@pytest.mark.parametrize(
    ("making", "words"),
    [
        (Making(record={"sample/__init__.py": ""}), "has no hash"),
        (Making(record={"sample/__init__.py": "sample/__init__.py,,"}), "has no hash"),
        (Making(record={"x": "sample/other.py,sha256=AAAA,1"}), "in RECORD only"),
        (Making(without=("sample/__init__.py",)), "in RECORD only"),
        (Making(record={"x": "sample/__init__.py,md5=AAAA,1"}), "proves nothing"),
        (Making(record={"x": "sample/__init__.py,sha256=AAAA,many"}), "cannot be read"),
        (Making(without=("sample-1.0.dist-info/WHEEL",)), "lacks"),
        (Making(without=("sample-1.0.dist-info/RECORD",)), "lacks"),
        (Making(metadata_name="other"), "METADATA differ"),
        (Making(format="2.0"), "version of the wheel format"),
        (Making(files={"sample-1.0.data/secrets/x": b""}), "no place"),
        (Making(entry_points="[console_scripts]\n../x = a:b\n"), "cannot become a command"),
        (Making(entry_points="[console_scripts]\nx = a:b;import os\n"), "cannot become a command"),
        (Making(entry_points="[console_scripts\n"), "cannot be read"),
    ],
)
def test_a_wheel_that_contradicts_itself_is_refused(
    making: Making, words: str, tmp_path: Path
) -> None:
    with pytest.raises(WheelInvalidError, match=words):
        read_wheel(making.write(tmp_path))


def test_the_file_name_must_be_the_dist_infos(tmp_path: Path) -> None:
    path = Making().write(tmp_path)
    renamed = path.rename(tmp_path / path.name.replace("sample-1.0", "sample-2.0"))
    with pytest.raises(WheelInvalidError, match=r"\.dist-info folder differ"):
        read_wheel(renamed)


@pytest.mark.parametrize("name", ["/etc/passwd", "../evil.py", "sample/../../evil.py", "C:\\x.py"])
def test_a_file_outside_of_the_wheel_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CannotLookError, match="refused"):
        read_wheel(Making(files={name: b""}).write(tmp_path))


def test_a_cut_wheel_is_refused(tmp_path: Path) -> None:
    path = Making().write(tmp_path)
    whole = path.read_bytes()
    for part in range(20):
        path.write_bytes(whole[: len(whole) * part // 20])
        with pytest.raises(CannotLookError):
            read_wheel(path)


def test_a_content_that_recorded_otherwise_is_refused(tmp_path: Path) -> None:
    making = Making(record={"sample/__init__.py": row("sample/__init__.py", b"value = 2\n")})
    with OpenWheel(making.write(tmp_path)) as opened:
        with pytest.raises(WheelInvalidError, match="not what its RECORD says"):
            opened.proven("sample/__init__.py")
        assert opened.proven(f"sample/_sample{SUFFIX}").startswith(b"\x7fELF")


def test_headers_keep_their_order_and_fold_continuations() -> None:
    text = "Name: a\nClassifier: one\n  more\nclassifier: two\n\nName: not this\n"
    assert read_headers(text) == {"name": ("a",), "classifier": ("one\nmore", "two")}


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError, match="cannot be read"):
        read_wheel(tmp_path / "sample-1.0-py3-none-any.whl")


def test_a_wheel_of_a_huge_entry_is_refused_as_a_bomb(tmp_path: Path) -> None:
    path = Making(files={"sample/zeros.bin": bytes(65 << 20)}, packed=True).write(tmp_path)
    with pytest.raises(CannotLookError, match="refused"):
        read_wheel(path)
