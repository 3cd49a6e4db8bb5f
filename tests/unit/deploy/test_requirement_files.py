"""Requirement files that would stop pip on the target: nests, paths, wheels and other systems."""

from pathlib import Path

import pytest

from buildtools.archives import DiskFiles
from buildtools.deploy.requirement_files import requirement_findings
from buildtools.targets import marker_environment, parse_target

TARGET = parse_target("linux/x86_64/glibc2.31/cp312", {})
ENVIRONMENT = marker_environment(TARGET, "3.12.99")


def told(root: Path, *entries: str) -> list[tuple[str, str]]:
    found = requirement_findings(DiskFiles(), str(root), entries, TARGET, ENVIRONMENT)
    return [(one.path, one.cause.value) for one in found]


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "numpy @ file:///Users/me/ci/numpy_1/work",  # pip freeze, under conda
        "numpy@file:///tmp/numpy-1.0.tar.gz",
        "-e /Users/me/src/lib",
        "--editable=/home/me/lib",
        "C:\\Users\\me\\lib-1.0.tar.gz",
        "~/lib",
        "pywin32==308",
        "PyObjC_core>=10",
        "pyobjc-framework-Cocoa==10.0 --hash=sha256:00",
    ],
)
def test_what_only_one_machine_or_system_has_is_an_error(tmp_path: Path, line: str) -> None:
    put(tmp_path / "requirements.txt", f"idna\n\n{line}\n")
    assert told(tmp_path, "requirements.txt") == [
        ("requirements.txt:3", "no-matching-distribution")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "./wheels/drv-1.0-cp312-cp312-macosx_11_0_arm64.whl",
        "drv @ https://example.invalid/drv-1.0%2Bcpu-cp312-cp312-win_amd64.whl#sha256=00",
        "drv @ https://example.invalid/drv-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "/srv/drv-1.0-cp312-cp312-manylinux_2_34_x86_64.whl",
    ],
)
def test_a_wheel_for_another_place_is_an_error(tmp_path: Path, line: str) -> None:
    put(tmp_path / "requirements.txt", line)
    assert told(tmp_path, "requirements.txt") == [("requirements.txt:1", "wheel-tag-mismatch")]


@pytest.mark.parametrize(
    "line",
    [
        "pywin32==308 ; sys_platform == 'win32'",
        "drv @ https://example.invalid/d-1-cp312-cp312-win_amd64.whl ; os_name == 'nt'",
        "./wheels/drv-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        "drv @ https://example.invalid/drv-1.0-py3-none-any.whl",
        "drv @ git+https://example.invalid/drv.git@v1",
        "drv @ file:///${PROJECT_ROOT}/drv",
        "-e .",
        "--index-url https://example.invalid/simple",
        "# -r gone.txt",
        "-r ${PART}.txt",
        "-c https://example.invalid/constraints.txt",
        "pywin32-like-name",
        "not a requirement at all !",
    ],
)
def test_what_pip_takes_is_left_alone(tmp_path: Path, line: str) -> None:
    put(tmp_path / "requirements.txt", f"{line}\n")
    assert told(tmp_path, "requirements.txt") == []


def test_nests_are_followed_from_where_they_stand(tmp_path: Path) -> None:
    put(tmp_path / "requirements.txt", "\ufeff-r requirements/prod.txt\n--constraint=limits.txt\n")
    put(tmp_path / "limits.txt", "-r requirements.txt\n")  # a circle
    put(
        tmp_path / "requirements" / "prod.txt",
        "-rbase.txt\nidna \\\n  --hash=sha256:0\n-r no.txt\n",
    )
    put(tmp_path / "requirements" / "base.txt", "-r ../../shared.txt\npywin32 \\\n    ==308\n")
    assert told(tmp_path, "requirements.txt", "absent.txt") == [
        ("requirements/prod.txt:4", "no-matching-distribution"),
        ("requirements/base.txt:2", "no-matching-distribution"),
    ]
