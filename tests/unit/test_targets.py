"""Targets: the grammar, its errors, suffixes and wheel tags."""

import contextlib
import importlib.machinery
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import sys_tags

from buildtools.errors import UsageError
from buildtools.host import host_target
from buildtools.targets import (
    ARCHITECTURES,
    OperatingSystem,
    Target,
    Version,
    extension_suffixes,
    parse_python_tag,
    parse_target,
    wheel_tags,
)


def floors(system: OperatingSystem) -> st.SearchStrategy[str]:
    if system is OperatingSystem.DARWIN:
        return st.tuples(st.integers(11, 40), st.integers(1, 99)).map(
            lambda v: f"macos{v[0]}.{v[1]}"
        )
    glibc = st.integers(27, 60).map(lambda minor: f"glibc2.{minor}")
    return glibc | st.integers(1, 9).map(lambda minor: f"musl1.{minor}")


@st.composite
def specs(draw: st.DrawFn) -> str:
    system = draw(st.sampled_from(OperatingSystem))
    parts = [system.value, draw(st.sampled_from(ARCHITECTURES[system])), draw(floors(system))]
    if draw(st.booleans()):
        flags = draw(st.sampled_from(["", "t", "d", "td"]))
        parts.append(f"cp3{draw(st.integers(11, 20))}{flags}")
    return "/".join(parts)


@given(specs())
def test_a_whole_spec_is_read_and_written_back_alike(spec: str) -> None:
    assert parse_target(spec, {}).spec == spec


@given(st.text(alphabet="linuxdarwi/_64gcp3.1t", max_size=40))
def test_any_text_is_a_target_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(parse_target(text, {}), Target)


def test_defaults_are_filled_in() -> None:
    assert parse_target("linux/x86_64", {}).spec == "linux/x86_64/glibc2.28"
    assert parse_target("linux/aarch64/musl", {}).spec == "linux/aarch64/musl1.2"
    assert parse_target("darwin/arm64", {}).spec == "darwin/arm64/macos11"


def test_a_bogus_architecture_is_refused_with_the_good_ones() -> None:
    with pytest.raises(UsageError, match="not a target") as caught:
        parse_target("linux/arm65", {"render": parse_target("linux/x86_64", {})})
    assert "linux/aarch64" in caught.value.why
    assert "host, render" in caught.value.next_step


@pytest.mark.parametrize(
    "text",
    ["", "/", "linux", "linux/", "linux/x86_64/macos11", "darwin/arm64/glibc2.28", "windows/amd64",
     "linux/x86_64/cp27", "linux/x86_64/cp311x", "render/linux"],
)  # fmt: skip
def test_what_is_wrong_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_target(text, {"render": parse_target("linux/x86_64", {})})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("linux/x86_64/glibc9", "there is no glibc 9.0"),
        ("linux/x86_64/glibc2.1", "glibc for x86_64 begins at 2.2"),
        ("linux/aarch64/glibc2.12", "glibc for aarch64 begins at 2.17"),
        ("linux/x86_64/musl2.0", "there is no musl 2.0"),
        ("darwin/arm64/macos10.9", "macos for arm64 begins at 11.0"),
        ("darwin/x86_64/macos10.6", "macos for x86_64 begins at 10.9"),
        ("darwin/x86_64/macos99", "there is no macos 99.0"),
        ("linux/x86_64/macos11", "no floor of linux, but of macOS"),
    ],
)
def test_a_floor_that_no_machine_has_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text, {})
    assert why in caught.value.why


def test_the_oldest_floors_are_taken() -> None:
    for spec in ("linux/x86_64/glibc2.2", "linux/aarch64/glibc2.17", "darwin/x86_64/macos10.9"):
        assert parse_target(spec, {}).spec == spec


def test_a_named_target_takes_a_python() -> None:
    named = {"render": parse_target("linux/x86_64/glibc2.31", {})}
    assert parse_target("render/cp312", named).spec == "linux/x86_64/glibc2.31/cp312"


def test_this_interpreters_suffixes_are_what_the_rule_gives() -> None:
    target = host_target()
    assert target.python is not None
    assert extension_suffixes(target, target.python) == tuple(
        importlib.machinery.EXTENSION_SUFFIXES
    )


def test_this_interpreters_wheel_tags_are_those_of_packaging() -> None:
    ours = ["-".join(tag) for tag in wheel_tags(host_target())]
    theirs = [str(tag) for tag in sys_tags()]
    assert ours == theirs, f"on {sys.version}"


def test_since_3_15_there_are_abi3t_and_platforms_behind_it() -> None:
    def suffixes(spec: str) -> tuple[str, ...]:
        python = parse_target(spec, {}).python
        assert python is not None
        return python.ext_suffixes

    assert suffixes("linux/x86_64/cp315") == (
        ".cpython-315-x86_64-linux-gnu.so",
        ".abi3-x86_64-linux-gnu.so",
        ".abi3.so",
        ".abi3t-x86_64-linux-gnu.so",
        ".abi3t.so",
        ".so",
    )
    assert suffixes("darwin/arm64/cp315t") == (
        ".cpython-315t-darwin.so",
        ".abi3t-darwin.so",
        ".abi3t.so",
        ".so",
    )
    assert suffixes("linux/x86_64/cp314") == (".cpython-314-x86_64-linux-gnu.so", ".abi3.so", ".so")


def test_a_free_threaded_python_takes_no_abi3() -> None:
    target = parse_target("linux/x86_64/cp313t", {})
    assert target.python is not None
    assert ".abi3.so" not in target.python.ext_suffixes
    assert all(abi != "abi3" for _, abi, _ in wheel_tags(target))


@pytest.mark.parametrize(
    ("python", "suffixes", "abis"),
    [
        ("cp311d", (".cpython-311d-", ".cpython-311-", ".abi3.so", ".so"), ["cp311d", "cp311"]),
        ("cp313td", (".cpython-313td-", ".cpython-313t-", ".so"), ["cp313td", "cp313t"]),
    ],
)
def test_a_debug_build_takes_what_was_compiled_for_the_release_build(
    python: str, suffixes: tuple[str, ...], abis: list[str]
) -> None:
    """As a python3.11-dbg of Debian answered; pip's tags on it are in this order too."""
    target = parse_target(f"linux/x86_64/{python}", {})
    assert target.python is not None
    found = target.python.ext_suffixes
    assert len(found) == len(suffixes)
    assert all(one.startswith(start) for one, start in zip(found, suffixes, strict=True))
    tags = [abi for _, abi, _ in wheel_tags(target) if abi.startswith("cp")]
    assert list(dict.fromkeys(tags)) == abis


def test_wheel_tags_need_a_python() -> None:
    with pytest.raises(ValueError, match="linux/x86_64"):
        list(wheel_tags(parse_target("linux/x86_64", {})))


@pytest.mark.parametrize("text", ["cp27", "py3", "cp3", "cp311x", "311", ""])
def test_a_bad_python_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_python_tag(text)


def test_versions_are_ordered_as_numbers() -> None:
    assert Version.parse("2.4") < Version.parse("2.17")
    assert Version.parse("11") == Version(major=11, minor=0)
