"""The real loader as the oracle: what is judged unfit does not import here, what is fit does."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from buildtools.binaries import module_name, read_binary
from buildtools.compatibility import Judgement, Resolved, ResolvedLibrary, judge, judge_libraries
from buildtools.findings import Severity
from buildtools.host import host_target
from buildtools.processes import Completed, run
from buildtools.targets import OperatingSystem, Target

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "binaries"
NO_MODULES = re.compile(r".*(libsample|node-addon|private-glibc).*")
"""Libraries, what needs them (tested below), and what would fail for another reason."""
MODULES = sorted(path.name for path in CORPUS.iterdir() if not NO_MODULES.fullmatch(path.name))


@pytest.fixture(scope="module")
def host() -> Target:
    return host_target()


def imported(folder: Path) -> Completed:
    """``import _sample`` in a child that sees only that folder."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import _sample"
    return run([sys.executable, "-I", "-c", code], timeout=60)


def errors(judgements: tuple[Judgement, ...]) -> list[Judgement]:
    return [judgement for judgement in judgements if judgement.severity is Severity.ERROR]


@pytest.mark.parametrize("name", MODULES)
def test_an_import_fails_exactly_where_the_judgement_says_so(
    name: str, tmp_path: Path, host: Target
) -> None:
    shutil.copyfile(CORPUS / name, tmp_path / "_sample.so")
    with (CORPUS / name).open("rb", buffering=0) as stream:
        found = errors(judge(read_binary(stream), module_name("_sample.so"), host))
    done = imported(tmp_path)
    assert done.ok == (not found), (found, done.tail())
    for judgement in found:
        for quoted in re.findall(r"“(.+?)”", judgement.evidence):
            assert quoted in done.stderr


PAIRS = [
    (module, library)
    for module in ("elf-needs-libsample-runpath.so", "elf-needs-libsample-unversioned.so")
    for library in (
        "elf-libsample-1.1.so.1",
        "elf-libsample-1.0.so.1",
        "elf-libsample-unversioned.so.1",
        "elf-libsample-unversioned-old.so.1",
        None,
    )
]


@pytest.mark.parametrize(("module", "library"), PAIRS)
def test_a_library_is_too_old_exactly_where_the_loader_says_so(
    module: str, library: str | None, tmp_path: Path, host: Target
) -> None:
    folder, libraries = tmp_path / "package", tmp_path / "sample.libs"
    folder.mkdir()
    libraries.mkdir()
    shutil.copyfile(CORPUS / module, folder / "_sample.so")
    with (CORPUS / module).open("rb", buffering=0) as stream:
        binary = read_binary(stream, symbols=True)
    found = errors(judge(binary, module_name("_sample.so"), host))
    needs = Resolved(module=binary.slices[0], missing=(("libsample.so.1", "_sample.so"),))
    if library is not None:
        shutil.copyfile(CORPUS / library, libraries / "libsample.so.1")
        with (CORPUS / library).open("rb", buffering=0) as stream:
            (facts,) = read_binary(stream, symbols=True).slices
        needs = Resolved(
            module=binary.slices[0],
            libraries=(ResolvedLibrary(name="libsample.so.1", facts=facts, how="runpath"),),
        )
    if host.os is OperatingSystem.LINUX:
        found += errors(judge_libraries(needs, host))
    done = imported(folder)
    assert done.ok == (not found), (found, done.tail())
