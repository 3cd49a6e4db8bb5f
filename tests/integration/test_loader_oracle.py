"""The loader finds the very files that the system's own loader finds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from buildtools.archives import DiskFiles, Files
from buildtools.binaries import BinaryFacts, BinaryInvalid, read_binary
from buildtools.environment import scan
from buildtools.host import host_target, interpreter_facts
from buildtools.loader import Loader, host_system
from tests.planting import install, make_venv

PACKAGES = ("numpy", "scipy", "confluent-kafka", "mysql-connector-python", "asyncmy", "Pillow")
_LINE = re.compile(r"^\s*(?P<name>\S+)(?: => (?P<path>/\S+|not found))?")


def read(files: Files, path: str) -> BinaryFacts | None:
    with files.open(path) as stream:
        try:
            return read_binary(stream).slices[0]
        except BinaryInvalid:
            return None


def by_ldd(path: str) -> tuple[set[str], set[str]]:
    """Real paths of the libraries that ``ldd`` finds, and names that it does not find."""
    answer = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    if "statically linked" in answer.stdout:
        return set(), set()
    paths, missing = set(), set()
    for line in answer.stdout.splitlines():
        match = _LINE.match(line)
        if match is None or "vdso" in line:
            continue
        if match["path"] == "not found":
            missing.add(match["name"])
        else:
            paths.add(str(Path(match["path"] or match["name"]).resolve()))
    return paths, missing


def check(modules: list[str]) -> int:
    files = DiskFiles()
    loader = Loader(artefact=files, system=host_system(host_target()), read=read)
    for path in modules:
        facts = read(files, path)
        assert facts is not None
        resolved = loader.resolve(path, facts)
        ours = {str(Path(one.path).resolve()) for one in resolved.libraries if one.path}
        paths, missing = by_ldd(path)
        # ldd loads the loader itself whether or not a library names it.
        assert {one for one in ours if "/ld-linux" not in one} == {
            one for one in paths if "/ld-linux" not in one
        }, path
        assert {name for name, _ in resolved.missing} == missing, path
    return len(modules)


@pytest.mark.skipif(sys.platform != "linux", reason="ldd is glibc's")
def test_the_standard_librarys_modules_load_the_same_files_by_ldd() -> None:
    tree = scan(interpreter_facts())
    modules = [one.path for one in tree.modules if one.place.path.endswith("lib-dynload")]
    assert check(modules) > 50


@pytest.mark.network
@pytest.mark.skipif(sys.platform != "linux", reason="ldd is glibc's")
def test_modules_of_real_wheels_load_the_same_files_by_ldd(tmp_path: Path) -> None:
    venv = make_venv(tmp_path)
    for package in PACKAGES:
        install(venv, package, "--only-binary=:all:")
    modules = [one.path for one in scan(venv.root).modules if one.place.judged and one.dotted]
    modules += [str(path) for path in venv.site.glob("*.libs/*.so*")]
    assert check(modules) > 100
