"""Which way to the client library is tried, in which order, and which error ends the search."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildtools.acquire.linking import may_be_refused, may_go_on, ways
from buildtools.acquire.request import AcquireError, LibraryWay
from buildtools.acquire.toolchain import zig_toolchain
from buildtools.acquire.tools import Tools
from buildtools.findings import Cause
from buildtools.recipes import BuildRecipe, load_recipes
from tests.unit.acquire.values import request


def needs(driver: str = "mysqlclient") -> BuildRecipe:
    build = load_recipes()[driver].build
    assert build is not None
    return build


@pytest.mark.parametrize(
    ("target", "wanted", "expected"),
    [
        ("linux/x86_64/glibc2.28", "auto", ["packages", "source"]),
        ("linux/aarch64/glibc2.28", "source", ["source"]),
        ("linux/aarch64/glibc2.36", "packages", ["packages"]),
        ("linux/x86_64/musl", "auto", ["source"]),
        ("linux/x86_64/musl", "packages", []),
        ("darwin/arm64/macos11", "auto", ["source"]),
        ("darwin/x86_64", "packages", []),
    ],
)
def test_packages_come_first_where_a_distribution_has_them(
    target: str, wanted: str, expected: list[str]
) -> None:
    asked = request(target, libraries=wanted)
    assert [way.value for way in ways(asked, needs())] == expected


def test_a_recipe_that_names_no_libraries_has_no_source_way() -> None:
    asked = request("linux/x86_64/musl")
    bare = BuildRecipe(
        environment={},
        config_tools=(),
        config_tool_variables={},
        pkg_config=(),
        link=("demo",),
        sources=(),
        libraries={},
        packages={},
        plugins=None,
        requires=(),
    )
    assert ways(asked, bare) == ()


@pytest.mark.parametrize(
    ("driver", "target", "wanted", "refused"),
    [
        ("mysqlclient", "linux/x86_64/glibc2.28", "packages", True),
        ("mysqlclient", "linux/aarch64/glibc2.36", "packages", False),
        ("mysqlclient", "linux/x86_64/glibc2.28", "auto", False),
        ("mysqlclient", "linux/s390x/glibc2.28", "auto", True),
        ("mysqlclient", "linux/s390x/glibc2.36", "auto", False),
        ("mysqlclient", "linux/s390x/glibc2.36", "source", True),
        ("mysqlclient", "linux/x86_64/musl", "packages", True),
        ("pysqlite3", "linux/x86_64/glibc2.17", "packages", False),
    ],
)
def test_no_compiler_is_fetched_ahead_for_what_may_be_refused(
    driver: str, target: str, wanted: str, *, refused: bool
) -> None:
    asked = request(target, libraries=wanted)
    assert may_be_refused(asked, needs(driver)) is refused


@pytest.mark.parametrize(
    ("target", "wanted", "said"),
    [
        ("linux/s390x/glibc2.36", "source", "its recipe knows darwin/arm64"),
        ("linux/x86_64/musl", "packages", "distribution packages are of Linux with glibc"),
    ],
)
def test_a_target_that_no_way_leads_to_is_refused_first(
    target: str, wanted: str, said: str, tmp_path: Path
) -> None:
    events: list[str] = []
    tools = Tools(cache=tmp_path / "cache", on_event=lambda *said: events.append(said[0]))
    with pytest.raises(AcquireError) as caught:
        zig_toolchain(
            request(target, libraries=wanted), load_recipes()["mysqlclient"], tools, tmp_path
        )
    assert said in caught.value.why
    assert events == []
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("cause", "goes_on"),
    [
        (Cause.LIBC_TOO_OLD, True),
        (Cause.MISSING_CLIENT_HEADERS, True),
        (Cause.INDEX_UNREACHABLE, True),
        (Cause.HASH_MISMATCH, False),
        (Cause.NO_SPACE, False),
    ],
)
def test_a_wrong_hash_and_a_full_disk_end_the_search(cause: Cause, *, goes_on: bool) -> None:
    error = AcquireError("no", cause=cause)
    assert may_go_on(LibraryWay.PACKAGES, error) is goes_on
    assert may_go_on(LibraryWay.SOURCE, error) is False
