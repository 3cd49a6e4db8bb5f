"""Locks: the target's markers, the names of files, and the gate."""

import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment

from buildtools.deploy.lock_gate import gate
from buildtools.deploy.locks import Pin, full_version, lock_name
from buildtools.errors import UsageError
from buildtools.host import host_target
from buildtools.recipes import load_recipes
from buildtools.targets import Target, marker_environment, parse_python_tag, parse_target

AARCH64 = parse_target("linux/aarch64/glibc2.28/cp312", {})
RECIPES = load_recipes()


def never(_name: str, _version: str, _target: Target) -> bool:
    return False


def pin(*files: str, name: str = "thing", compiled: bool = False) -> Pin:
    return Pin(name=name, version="1.0", files=files, compiled=compiled)


def test_this_machines_markers_are_what_packaging_says() -> None:
    ours = marker_environment(host_target(), platform.python_version())
    theirs = default_environment()
    for name in ("platform_release", "platform_version"):
        assert ours.pop(name) == ""
        theirs.pop(name)  # type: ignore[misc]
    assert ours == theirs


def test_a_mac_is_told_from_a_server() -> None:
    mac = marker_environment(parse_target("darwin/arm64/cp312", {}), "3.12.1")
    server = marker_environment(AARCH64, "3.12.1")
    assert (mac["sys_platform"], mac["platform_machine"]) == ("darwin", "arm64")
    assert (server["sys_platform"], server["platform_machine"]) == ("linux", "aarch64")


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("linux/aarch64/cp312", "linux-aarch64-cp312.txt"),
        ("linux/x86_64/musl/cp311", "linux-x86_64-musl-cp311.txt"),
        ("darwin/arm64/cp313t", "darwin-arm64-cp313t.txt"),
    ],
)
def test_each_target_has_a_lock_of_its_own(spec: str, name: str) -> None:
    assert lock_name(parse_target(spec, {})) == name


def test_a_target_without_python_has_no_lock() -> None:
    with pytest.raises(UsageError, match="names no Python"):
        lock_name(parse_target("linux/aarch64", {}))


def test_a_whole_version_that_the_project_names_is_used() -> None:
    python = parse_python_tag("cp312")
    assert full_version(python, ["3.13.1", "3.12.4", "3.12.9"]) == "3.12.4"
    assert full_version(python, ["3.13.1", "3.12", "", "x"]) == "3.12.99"


def cases() -> Iterator[tuple[str, Pin, bool]]:
    wheel = "thing-1.0-cp312-cp312-manylinux_2_17_aarch64.whl"
    yield "a wheel for the target", pin(wheel, "thing-1.0.tar.gz"), True
    yield "a pure wheel", pin("thing-1.0-py3-none-any.whl"), True
    yield "an older Python's wheel", pin(wheel.replace("cp312-cp312", "cp311-cp311")), False
    yield "a stable-ABI wheel", pin(wheel.replace("cp312-cp312", "cp38-abi3")), True
    yield "another machine's wheel", pin(wheel.replace("aarch64", "x86_64"), "thing-1.0.zip"), False
    yield "a newer libc's wheel", pin(wheel.replace("2_17", "2_34")), False
    yield "a pure sdist", pin("thing-1.0.tar.gz"), True
    yield "a compiled sdist", pin("thing-1.0.tar.gz", compiled=True), False
    yield "a wheel with a broken name", pin("thing-1.0-x.whl", "thing-1.0-a-b-c-d-e-f.whl"), False
    windows = "mysqlclient-1.0-cp312-cp312-win_amd64.whl"
    yield "a recipe that builds", pin(windows, "x.tar.gz", name="mysqlclient"), True


@pytest.mark.parametrize(("given", "good"), [c[1:] for c in cases()], ids=[c[0] for c in cases()])
def test_the_gate(given: Pin, *, good: bool) -> None:
    missing = gate(given, AARCH64, RECIPES, never)
    assert (missing is None) == good
    if missing is not None:
        assert missing.distribution == "thing"
        assert "native/" in missing.reason


def test_a_wheel_in_the_wheelhouse_is_enough() -> None:
    given = pin("thing-1.0.tar.gz", compiled=True)
    assert (
        gate(given, AARCH64, RECIPES, lambda name, version, _: (name, version) == ("thing", "1.0"))
        is None
    )


def test_the_script_is_where_the_parent_looks() -> None:
    from buildtools.deploy import locks

    assert Path(locks.__file__).with_name("lock_script.py").is_file()
