import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from buildtools.acquire import dependencies
from buildtools.acquire.dependencies import requirements_of, unpack_with_dependencies
from buildtools.acquire.tools import Tools
from buildtools.host import interpreter_facts
from buildtools.targets import marker_environment, parse_target

METADATA = """Metadata-Version: 2.1
Name: demo
Version: 1
Requires-Dist: packaging>=20
Requires-Dist: tomli; python_version < "3.12"
Requires-Dist: gnureadline; sys_platform == "darwin"
Requires-Dist: fast; platform_machine == "aarch64" and implementation_name == "cpython"
Requires-Dist: exact; python_full_version >= "3.13.5"
Requires-Dist: testing; extra == "test"
Requires-Dist: ???
"""


def unpacked(folder: Path) -> Path:
    info = folder / "demo-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("spec", "version", "wanted"),
    [
        ("linux/x86_64/cp311", "3.11.7", ("packaging>=20", "tomli")),
        ("linux/x86_64/cp313", "3.13.5", ("packaging>=20", "exact")),
        ("linux/x86_64/cp313", "3.13.4", ("packaging>=20",)),
        ("linux/aarch64/cp312", "3.12.1", ("packaging>=20", "fast")),
        ("darwin/arm64/cp312", "3.12.1", ("packaging>=20", "gnureadline")),
    ],
)
def test_markers_are_held_against_the_target_not_this_python(
    tmp_path: Path, spec: str, version: str, wanted: tuple[str, ...]
) -> None:
    environment = marker_environment(parse_target(spec, {}), version)
    assert requirements_of(unpacked(tmp_path), environment) == wanted


def test_an_extra_adds_what_it_names(tmp_path: Path) -> None:
    environment = marker_environment(parse_target("linux/x86_64/cp312", {}), "3.12.1")
    assert requirements_of(unpacked(tmp_path), environment, ["test"])[-1] == "testing"


def wheel_of(
    folder: Path, name: str, files: Mapping[str, str], requires: tuple[str, ...] = ()
) -> Path:
    wheel = folder / f"{name}-1-py3-none-any.whl"
    lines = "".join(f"Requires-Dist: {one}\n" for one in requires)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{name}-1.dist-info/METADATA", f"Name: {name}\nVersion: 1\n{lines}")
    return wheel


def test_what_two_wheels_require_is_laid_out_once_as_pip_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One distribution by two spellings, a file that two wheels bring, a wheel with ``.data``."""
    shelf = {
        "left": wheel_of(tmp_path, "left", {"both/__init__.py": "left"}, ("my_own>=1",)),
        "right": wheel_of(tmp_path, "right", {"both/__init__.py": "right"}, ("My-Own",)),
        "my_own>=1": wheel_of(tmp_path, "my_own", {"my_own-1.data/platlib/my_own.py": "mine"}),
    }
    asked: list[str] = []

    def download(requirement: str, *_: object) -> Path:
        asked.append(requirement)
        return shelf[requirement]

    monkeypatch.setattr(dependencies, "_download", download)
    wheel = wheel_of(tmp_path, "main", {"main-1.data/purelib/main/a.py": "main"}, ("left", "right"))
    python = interpreter_facts(Path(sys.executable))
    folder = tmp_path / "laid"
    folder.mkdir()
    unpack_with_dependencies(wheel, folder, python, python, Tools(cache=tmp_path / "cache"))
    assert asked == ["left", "right", "my_own>=1"]
    held = {name: (folder / name).read_text() for name in ("both/__init__.py", "my_own.py")}
    assert held == {"both/__init__.py": "right", "my_own.py": "mine"}
    assert (folder / "main/a.py").read_text() == "main"
