"""What may be asked for, and how pip is told."""

from __future__ import annotations

import pytest

from buildtools.acquire.fetch import target_flags
from buildtools.errors import UsageError
from tests.unit.acquire.values import request


@pytest.mark.parametrize(
    "name", ["", "-r", "--index-url=x", "a b", "a;b", "../a", "a/", "$(x)", "a\n", "-e."]
)
def test_a_name_that_pip_would_take_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        request(distribution=name)


@pytest.mark.parametrize("fields", [{"version": "1; x"}, {"version": ""}, {"specifier": "--x"}])
def test_a_version_that_is_none_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        request(**fields)


def test_a_requirement_is_one_word() -> None:
    assert request(version="2.3.1").requirement == "mysqlclient==2.3.1"
    assert request(specifier=">=2.2, <3").requirement == "mysqlclient>=2.2,<3"


def test_a_recipes_versions_bound_only_an_open_request() -> None:
    assert request().bounded_by(">=2.2").requirement == "mysqlclient>=2.2"
    assert request(version="2.1").bounded_by(">=2.2").requirement == "mysqlclient==2.1"
    assert request(specifier="<3").bounded_by(">=2.2").requirement == "mysqlclient<3"


def test_pip_needs_no_flags_for_its_own_place() -> None:
    assert request().at_home
    assert target_flags(request()) == ()


@pytest.mark.parametrize(
    "target",
    ["linux/x86_64/glibc2.28/cp311", "linux/x86_64/glibc2.36/cp312", "linux/x86_64/musl/cp311"],
)
def test_another_floor_python_or_libc_is_another_place(target: str) -> None:
    assert not request(target).at_home


def test_every_platform_tag_is_named_best_first() -> None:
    flags = target_flags(request("linux/aarch64/glibc2.28/cp312"))
    platforms = [flags[i + 1] for i, flag in enumerate(flags) if flag == "--platform"]
    newest, oldest = "manylinux_2_28_aarch64", "manylinux_2_17_aarch64"
    assert platforms.index(newest) < platforms.index(oldest)
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(platforms)
    assert "manylinux_2_34_aarch64" not in platforms
    assert flags[flags.index("--python-version") + 1] == "312"
    abis = [flags[i + 1] for i, flag in enumerate(flags) if flag == "--abi"]
    assert abis == ["cp312", "abi3", "none"]


def test_a_free_threaded_python_takes_no_abi3() -> None:
    flags = target_flags(request("linux/x86_64/glibc2.28/cp313t"))
    abis = [flags[i + 1] for i, flag in enumerate(flags) if flag == "--abi"]
    assert abis == ["cp313t", "none"]


def test_a_debug_python_is_offered_wheels_of_the_release_build_too() -> None:
    flags = target_flags(request("linux/x86_64/glibc2.28/cp312d"))
    abis = [flags[i + 1] for i, flag in enumerate(flags) if flag == "--abi"]
    assert abis == ["cp312d", "cp312", "abi3", "none"]


def test_a_foreign_place_imports_its_own_suffixes() -> None:
    python = request("linux/x86_64/musl").place.python
    assert python is not None
    assert python.ext_suffixes[0] == ".cpython-311-x86_64-linux-musl.so"
