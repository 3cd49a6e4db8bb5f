"""Whether a distribution tells the truth about its files and its tags."""

import base64
import hashlib
import os
from pathlib import Path

import pytest

from buildtools.archives import DiskFiles
from buildtools.doctor.records import record_findings, tag_finding, tag_fits
from buildtools.environment import Distribution
from buildtools.findings import Cause, Severity
from buildtools.targets import Target, parse_target


def target(text: str) -> Target:
    return parse_target(text, {})


HOST = target("linux/x86_64/glibc2.36/cp311")


@pytest.mark.parametrize(
    ("tag", "where", "fits"),
    [
        ("cp311-cp311-manylinux_2_28_x86_64", "linux/x86_64/glibc2.28/cp311", True),
        ("cp311-cp311-manylinux_2_28_x86_64", "linux/x86_64/glibc2.17/cp311", False),
        ("cp311-cp311-manylinux_2_28_x86_64", "linux/aarch64/glibc2.28/cp311", False),
        ("cp311-cp311-manylinux_2_28_x86_64", "linux/x86_64/musl/cp311", False),
        ("cp311-cp311-manylinux2014_x86_64", "linux/x86_64/glibc2.17/cp311", True),
        ("cp311-cp311-manylinux1_x86_64", "linux/x86_64/glibc2.28/cp311", True),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "linux/x86_64/cp311", True),
        ("cp311-cp311-musllinux_1_2_x86_64", "linux/x86_64/musl/cp311", True),
        ("cp311-cp311-musllinux_1_2_x86_64", "linux/x86_64/cp311", False),
        ("cp311-cp311-linux_x86_64", "linux/x86_64/cp311", True),
        ("cp310-cp310-linux_x86_64", "linux/x86_64/cp311", False),
        ("cp312-cp312-linux_x86_64", "linux/x86_64/cp311", False),
        ("cp38-abi3-linux_x86_64", "linux/x86_64/cp311", True),
        ("cp312-abi3-linux_x86_64", "linux/x86_64/cp311", False),
        ("cp38-abi3-linux_x86_64", "linux/x86_64/cp313t", False),
        ("cp313-cp313t-linux_x86_64", "linux/x86_64/cp313t", True),
        ("cp313-cp313-linux_x86_64", "linux/x86_64/cp313t", False),
        ("py3-none-any", "linux/x86_64/cp311", True),
        ("py2-none-any", "linux/x86_64/cp311", False),
        ("py2.py3-none-any", "darwin/arm64/cp311", True),
        ("py3-none-manylinux_2_17_x86_64", "linux/x86_64/glibc2.28/cp311", True),
        ("py312-none-any", "linux/x86_64/cp311", False),
        ("cp311-none-linux_x86_64", "linux/x86_64/cp311", True),
        ("cp310-none-linux_x86_64", "linux/x86_64/cp311", False),
        ("cp311-cp311-macosx_11_0_arm64", "darwin/arm64/macos11/cp311", True),
        ("cp311-cp311-macosx_14_0_arm64", "darwin/arm64/macos11/cp311", False),
        ("cp311-cp311-macosx_10_9_universal2", "darwin/arm64/macos11/cp311", True),
        ("cp311-cp311-macosx_10_9_x86_64", "darwin/arm64/macos11/cp311", False),
        ("cp311-cp311-win_amd64", "linux/x86_64/cp311", False),
        ("nonsense", "linux/x86_64/cp311", False),
    ],
)
def test_a_tag_fits_where_an_installer_would_take_it(*, tag: str, where: str, fits: bool) -> None:
    assert tag_fits(tag, target(where)) is fits


def installed(site: Path, content: bytes, row: str, *tags: str) -> Distribution:
    info = site / "thing-1.dist-info"
    info.mkdir(parents=True)
    (site / "mod.so").write_bytes(content)
    (info / "WHEEL").write_text("".join(f"Tag: {tag}\n" for tag in tags))
    (info / "RECORD").write_text(f"mod.so,{row}\n")
    return Distribution(
        name="thing", version="1", site=str(site), info=str(info), files=DiskFiles()
    )


def digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def touch(path: Path, later: float) -> None:
    now = path.stat().st_mtime + later
    os.utime(path, (now, now))


def test_a_file_as_recorded_is_no_finding(tmp_path: Path) -> None:
    one = installed(tmp_path, b"code", f"sha256={digest(b'code')},4")
    touch(tmp_path / "mod.so", 3600)
    assert record_findings(one, DiskFiles(), "") == []


def test_another_size_is_told(tmp_path: Path) -> None:
    one = installed(tmp_path, b"other", f"sha256={digest(b'code')},4")
    (finding,) = record_findings(one, DiskFiles(), "site/")
    assert finding.cause is Cause.RECORD_MISMATCH
    assert finding.severity is Severity.WARNING
    assert finding.path == "site/mod.so"
    assert finding.evidence == "found 5 bytes; RECORD lists 4"


def test_another_hash_is_told_of_a_file_that_was_touched(tmp_path: Path) -> None:
    one = installed(tmp_path, b"evil", f"sha256={digest(b'code')},4")
    assert record_findings(one, DiskFiles(), "") == []  # as old as RECORD: not read
    touch(tmp_path / "mod.so", 3600)
    (finding,) = record_findings(one, DiskFiles(), "")
    assert "sha256=" in finding.evidence


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    one = installed(tmp_path, b"code", f"sha256={digest(b'code')},4")
    (tmp_path / "mod.so").unlink()
    (finding,) = record_findings(one, DiskFiles(), "")
    assert finding.evidence == "found nothing; RECORD lists 4 bytes"


def test_tags_of_another_place_are_a_warning_and_info_where_the_modules_say_so(
    tmp_path: Path,
) -> None:
    one = installed(tmp_path, b"", ",0", "cp311-cp311-macosx_11_0_arm64")
    alone = tag_finding(one, HOST, "", broken=False, installed=True)
    assert alone is not None
    assert (alone.cause, alone.severity) == (Cause.WHEEL_TAG_MISMATCH, Severity.WARNING)
    beside = tag_finding(one, HOST, "", broken=True, installed=True)
    assert beside is not None
    assert beside.severity is Severity.INFO


def test_one_fitting_tag_is_enough_and_no_tags_say_nothing(tmp_path: Path) -> None:
    two = installed(tmp_path / "a", b"", ",0", "cp310-cp310-any", "cp311-cp311-linux_x86_64")
    none = installed(tmp_path / "b", b"", ",0")
    assert tag_finding(two, HOST, "", broken=False, installed=True) is None
    assert tag_finding(none, HOST, "", broken=False, installed=True) is None
