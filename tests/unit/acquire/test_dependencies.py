from pathlib import Path

import pytest

from buildtools.acquire.dependencies import requirements_of
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
