"""The programs that compile a library are had without root where the machine lacks them."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest import mock

import pytest

from buildtools.acquire import AcquireError, Tools, programs
from buildtools.findings import Cause
from buildtools.processes import run

pytestmark = pytest.mark.network

ABSENT = frozenset({"perl", "make", "gmake", "patch", "cmake", "ninja"})
which = shutil.which


def bare(name: str) -> str | None:
    """What a machine without any of them would find."""
    return None if name in ABSENT else which(name)


def test_what_a_bare_machine_lacks_is_unpacked_and_runs(tmp_path: Path) -> None:
    tools = Tools(cache=tmp_path / "cache")
    with mock.patch("shutil.which", side_effect=bare):
        perl = programs.perl_program(tools)
        found = [perl.path, programs.make_program(tools), programs.patch_program(tools)]
        found.append(programs.ninja_program(tools))
    assert all(path.is_relative_to(tools.cache) for path in found)
    for path in found:
        assert run([path, "--version"], timeout=60).ok, path
    words: list[str | Path] = [
        perl.path,
        "-MIPC::Cmd",
        "-MFindBin",
        "-MTime::Piece",
        "-e",
        "print 6 * 7",
    ]
    assert run(words, timeout=60, env=perl.environment).stdout == "42"


def test_offline_a_missing_program_is_named(tmp_path: Path) -> None:
    tools = Tools(cache=tmp_path / "cache", offline=True)
    with (
        mock.patch("shutil.which", side_effect=bare),
        pytest.raises(AcquireError, match="make is needed") as caught,
    ):
        programs.make_program(tools)
    assert caught.value.cause is Cause.MISSING_COMPILER
    assert "install make" in caught.value.next_step
