"""Locks of uv, Poetry and PEP 751: what the target would have to compile."""

from pathlib import Path

import pytest

from buildtools.cli import run_command_line
from buildtools.deploy.foreign_locks import Lacking, lacking
from buildtools.deploy.locks import marker_environment
from buildtools.targets import parse_target

TARGET = parse_target("linux/x86_64/glibc2.31/cp312", {})
ENVIRONMENT = marker_environment(TARGET, "3.12.99")

UV = """\
version = 1

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "fits" },
    { name = "lacks" },
    { name = "only-windows", marker = "sys_platform == 'win32'" },
    { name = "pure" },
    { name = "wheels-alone" },
]

[[package]]
name = "fits"
version = "1.0"
wheels = [{ url = "fits-1.0-cp312-cp312-manylinux_2_17_x86_64.whl" }]

[[package]]
name = "lacks"
version = "2.0"
sdist = { url = "lacks-2.0.tar.gz" }
wheels = [
    { url = "lacks-2.0-cp312-cp312-macosx_11_0_arm64.whl" },
    { url = "lacks-2.0-cp312-cp312-manylinux_2_34_x86_64.whl" },
]

[[package]]
name = "only-windows"
version = "3.0"
dependencies = [{ name = "below-windows" }]
wheels = [{ url = "only_windows-3.0-cp312-cp312-win_amd64.whl" }]

[[package]]
name = "below-windows"
version = "3.1"
wheels = [{ url = "below_windows-3.1-cp312-cp312-win_amd64.whl" }]

[[package]]
name = "pure"
version = "4.0"
wheels = [{ url = "pure-4.0-py3-none-any.whl" }]

[[package]]
name = "wheels-alone"
version = "5.0"
wheels = [{ url = "wheels_alone-5.0-cp312-cp312-manylinux_2_17_aarch64.whl#x" }]
"""
POETRY = """\
[[package]]
name = "lacks"
version = "2.0"
groups = ["main"]
files = [
    {file = "lacks-2.0-cp312-cp312-macosx_11_0_arm64.whl", hash = "sha256:0"},
    {file = "lacks-2.0.tar.gz", hash = "sha256:0"},
]

[package.dependencies]
colour = {version = "*", markers = "sys_platform == \\"win32\\""}
Fits = ">=1"

[[package]]
name = "colour"
version = "1.0"
files = [{file = "colour-1.0-cp312-cp312-win_amd64.whl", hash = "sha256:0"}]

[[package]]
name = "fits"
version = "1.0"
files = [{file = "fits-1.0-cp312-abi3-manylinux2014_x86_64.whl", hash = "sha256:0"}]
"""
PYLOCK = """\
lock-version = "1.0"

[[packages]]
name = "lacks"
version = "2.0"
wheels = [{ name = "lacks-2.0-cp312-cp312-musllinux_1_2_x86_64.whl" }]
sdist = { name = "lacks-2.0.tar.gz" }

[[packages]]
name = "elsewhere"
version = "1.0"
marker = "python_version < '3.12'"
wheels = [{ name = "elsewhere-1.0-cp311-cp311-manylinux_2_17_x86_64.whl" }]
"""
LACKS = Lacking(name="lacks", version="2.0", sdist=True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (UV, (LACKS, Lacking(name="wheels-alone", version="5.0", sdist=False))),
        (POETRY, (LACKS,)),
        (PYLOCK, (LACKS,)),
        ("not = [toml", ()),
        ("package = 3", ()),
        ("", ()),
    ],
    ids=["uv", "poetry", "pylock", "broken", "odd", "empty"],
)
def test_a_lock_tells_what_has_no_wheel_for_the_target(
    text: str, found: tuple[Lacking, ...]
) -> None:
    assert lacking(text, TARGET, ENVIRONMENT) == found


def test_the_look_before_the_push_reads_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "uv.lock").write_text(UV)
    (tmp_path / "Pipfile.lock").write_text("{}")
    (tmp_path / ".python-version").write_text("# pyenv's\n3.12.4   # as production\n")
    assert run_command_line(["doctor", str(tmp_path), "--target", "render", "--json"]) == 1
    said = capsys.readouterr().out
    assert "lacks 2.0 is locked without a wheel for linux/x86_64/glibc2.31/cp312" in said
    assert "wheels-alone 5.0" in said
    assert "Pipfile.lock names no files" in said
    assert "only-windows" not in said
    assert "below-windows" not in said
