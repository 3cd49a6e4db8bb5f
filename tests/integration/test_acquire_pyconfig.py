"""A derived ``pyconfig.h`` says of the target what the target's own would."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from buildtools.acquire import Tools
from buildtools.acquire.cross import Zig
from buildtools.acquire.pyconfig import derive, real_pyconfig
from buildtools.acquire.sysroot import make_sysroot
from buildtools.host import interpreter_facts
from buildtools.recipes import PackageSet
from tests.interpreters import INTERPRETERS

pytestmark = pytest.mark.network

MACOS_ARM64 = {"SIZEOF_LONG": "8", "SIZEOF_LONG_DOUBLE": "8", "SIZEOF_WCHAR_T": "4"}
"""Apple's ABI: a long double of arm64 is a double."""


@pytest.fixture(scope="module")
def template() -> str:
    """A Linux x86_64 ``pyconfig.h`` of this machine."""
    for path in INTERPRETERS:
        include = interpreter_facts(path).include
        if include is not None:
            return real_pyconfig(include).read_text()
    pytest.fail("no Python of this machine has its headers")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return Tools(cache=tmp_path_factory.mktemp("cache"))


def sizes(text: str) -> dict[str, str]:
    return dict(re.findall(r"^#define (SIZEOF_\w+) (\d+)", text, re.MULTILINE))


def test_debians_own_for_another_architecture_agrees(
    template: str, tools: Tools, tmp_path: Path
) -> None:
    packages = PackageSet(build=("libpython3.11-dev",), runtime=())
    sysroot = make_sysroot(tools, "aarch64", packages, release="bookworm")
    own = (sysroot.include / "aarch64-linux-gnu/python3.11/pyconfig.h").read_text()
    zig = Zig(program=tools.zig(), triple="aarch64-linux-gnu.2.36", cache=tools.cache / "zig")
    derived = sizes(derive(template, zig, tmp_path))
    assert len(derived) > 15
    assert derived == {name: size for name, size in sizes(own).items() if name in derived}


def test_macos_has_its_own_sizes_and_functions(template: str, tools: Tools, tmp_path: Path) -> None:
    zig = Zig(program=tools.zig(), triple="aarch64-macos.11.0", cache=tools.cache / "zig")
    derived = derive(template, zig, tmp_path)
    assert MACOS_ARM64.items() <= sizes(derived).items()
    assert "#define HAVE_KQUEUE 1" in derived
    assert "#define HAVE_SYS_EPOLL_H 1" not in derived
    assert "#define HAVE_SYS_EPOLL_H 1" in template


def test_musl_has_not_what_is_glibcs_alone(template: str, tools: Tools, tmp_path: Path) -> None:
    zig = Zig(program=tools.zig(), triple="x86_64-linux-musl", cache=tools.cache / "zig")
    derived = derive(template, zig, tmp_path)
    assert sizes(derived) == sizes(template)
    assert "#define HAVE_EPOLL 1" in derived
    assert "#define HAVE_LCHMOD 1" in derived
    assert "#define HAVE_GETWD 1" not in derived
