"""Our build identifiers are cibuildwheel's own, and without an engine it is said at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildtools.targets import build_identifier, parse_python_tag, parse_target

pytestmark = pytest.mark.network

PLATFORMS = {
    "linux": ("linux/x86_64", "linux/aarch64", "linux/x86_64/musl", "linux/aarch64/musl"),
    "macos": ("darwin/arm64", "darwin/x86_64"),
}


def test_every_identifier_is_one_that_cibuildwheel_prints(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\n")
    for system, specs in PLATFORMS.items():
        printed = subprocess.run(
            [
                *(sys.executable, "-m", "cibuildwheel", "--print-build-identifiers"),
                *("--platform", system, "--archs", "all", str(tmp_path)),
            ],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "CIBW_ENABLE": "all"},
        ).stdout.split()
        for spec in specs:
            for abi in ("cp311", "cp312", "cp313", "cp314"):
                name = build_identifier(parse_target(spec, {}), parse_python_tag(abi))
                assert name in printed


def test_without_an_engine_the_way_out_is_named(tmp_path: Path) -> None:
    words = ["wheel", "pysqlite3", "--backend", "cibuildwheel", "--wheelhouse", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "buildtools", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"},
    )
    assert done.returncode == 4
    assert "container engine" in done.stderr
    assert "--backend zig" in done.stderr
