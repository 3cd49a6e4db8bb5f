"""Locks of uv, Poetry and PEP 751: what the target would have to compile."""

import json
from pathlib import Path

import pytest

from buildtools.cli import run_command_line
from buildtools.deploy.foreign_locks import Lacking, lacking
from buildtools.targets import marker_environment, parse_target

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


UV_EXTRAS = """\
requires-python = ">=3.12"

[[package]]
name = "app"
version = "0"
source = { editable = "." }
dependencies = [
    { name = "driver", extra = ["binary"] },
    { name = "forked", version = "1.0", marker = "sys_platform == 'win32'" },
    { name = "forked", version = "2.0", marker = "sys_platform != 'win32'" },
]

[package.optional-dependencies]
gpu = [{ name = "asked-for-by-nobody" }]

[package.dev-dependencies]
dev = [{ name = "for-tests" }]
docs = [{ name = "for-docs" }]

[[package]]
name = "driver"
version = "1.0"

[package.optional-dependencies]
binary = [{ name = "driver-binary" }]
pool = [{ name = "asked-for-by-nobody" }]

[[package]]
name = "forked"
version = "1.0"
resolution-markers = ["sys_platform == 'win32'"]
wheels = [{ url = "forked-1.0-cp312-cp312-win_amd64.whl" }]

[[package]]
name = "forked"
version = "2.0"
resolution-markers = ["python_version < '3'", "sys_platform != 'win32'"]
wheels = [{ url = "forked-2.0-cp312-cp312-manylinux_2_17_x86_64.whl" }]

""" + "\n".join(
    f'[[package]]\nname = "{name}"\nversion = "1.0"\n'
    f'wheels = [{{ url = "{name}-1.0-cp312-cp312-macosx_11_0_arm64.whl" }}]\n'
    for name in ("driver-binary", "asked-for-by-nobody", "for-tests", "for-docs")
)
POETRY_EXTRAS = """\
[[package]]
name = "driver"
version = "1.0"
optional = false

[package.dependencies]
driver-binary = {version = "1.0", optional = true, markers = "extra == \\"b\\""}

[[package]]
name = "driver-binary"
version = "1.0"
optional = false
files = [{file = "driver_binary-1.0-cp312-cp312-macosx_11_0_arm64.whl", hash = "sha256:0"}]

[[package]]
name = "asked-for-by-nobody"
version = "1.0"
optional = true
files = [{file = "asked_for_by_nobody-1.0-cp312-cp312-win_amd64.whl", hash = "sha256:0"}]

[[package]]
name = "elsewhere"
version = "1.0"
groups = ["main", "dev"]
markers = {main = "sys_platform == 'win32'", dev = "python_version < '3'"}
files = [{file = "elsewhere-1.0-cp312-cp312-win_amd64.whl", hash = "sha256:0"}]
"""
PYLOCK_GROUPS = """\
lock-version = "1.0"
default-groups = ["web"]

""" + "\n".join(
    f'[[packages]]\nname = "{name}"\nversion = "1.0"\nmarker = "{marker}"\n'
    f'wheels = [{{ name = "{name}-1.0-cp312-cp312-macosx_11_0_arm64.whl" }}]\n'
    for name, marker in (("web", "'web' in dependency_groups"), ("gpu", "'gpu' in extras"))
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (UV_EXTRAS, ["driver-binary", "for-tests"]),
        (POETRY_EXTRAS, ["driver-binary"]),
        (PYLOCK_GROUPS, ["web"]),
    ],
    ids=["uv", "poetry", "pylock"],
)
def test_extras_and_groups_count_where_something_asks_for_them(text: str, names: list[str]) -> None:
    assert [one.name for one in lacking(text, TARGET, ENVIRONMENT)] == names


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("uv.lock", 'requires-python = ">=3.13"\n' + UV, 1),
        ("uv.lock", 'requires-python = ">=3.12.1, <3.13"\n', 0),
        ("pylock.api.toml", 'requires-python = "==3.11.*"\npackages = []\n', 1),
        ("poetry.lock", '[metadata]\npython-versions = "^3.13"\n', 1),
        ("poetry.lock", '[metadata]\npython-versions = ">=3.10,<4.0"\n', 0),
        ("poetry.lock", '[metadata]\npython-versions = "~3.12"\n', 0),
        ("poetry.lock", '[metadata]\npython-versions = "~3.11"\n', 1),
        ("poetry.lock", '[metadata]\npython-versions = "^3.8 || ^3.13"\n', 0),
        ("Pipfile.lock", '{"_meta": {"requires": {"python_version": "3.11"}}}', 1),
        ("Pipfile.lock", '{"_meta": {"requires": {"python_full_version": "3.12.4"}}}', 0),
        ("pyproject.toml", '[project]\nname = "a"\nrequires-python = ">=3.13"\n', 1),
        ("pyproject.toml", '[project]\nname = "a"\nrequires-python = ">=3.9"\n', 0),
    ],
)
def test_a_lock_for_other_pythons_is_told_once(
    tmp_path: Path, name: str, text: str, wrong: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text)
    words = ["doctor", str(tmp_path), "--target", "linux/x86_64/glibc2.31/cp312", "--json"]
    assert run_command_line(words) == 0
    document = json.loads(capsys.readouterr().out)
    found = [(one["severity"], one["path"]) for one in document["findings"]]
    assert [path for severity, path in found if severity != "info"] == [name] * wrong
