"""What a distribution without a recipe provides, from its list of files."""

import pytest

from buildtools.recipes import NativeModule, PureKind, derived_recipe
from buildtools.recipes.derivation import modules_of_files

GNU = "cpython-311-x86_64-linux-gnu.so"


@pytest.mark.parametrize(
    ("files", "imports", "native"),
    [
        (["msgpack/__init__.py", f"msgpack/_cmsgpack.{GNU}"], ["msgpack"], ["msgpack._cmsgpack"]),
        ([f"hiredis/hiredis.{GNU}", "hiredis/__init__.py"], ["hiredis"], ["hiredis.hiredis"]),
        ([f"_solo.{GNU}"], ["_solo"], ["_solo"]),
        (
            ["cffi/__init__.py", f"_cffi_backend.{GNU}", "cffi/api.py"],
            ["cffi"],
            ["_cffi_backend"],
        ),
        ([f"apsw/__init__.{GNU}", f"apsw/_unicode.{GNU}"], ["apsw"], ["apsw", "apsw._unicode"]),
        (
            ["space/inner/__init__.py", "space/inner/_x.abi3.so"],
            ["space.inner"],
            ["space.inner._x"],
        ),
        (["six.py", "six-1.0.dist-info/RECORD"], ["six"], []),
        (["plain/__init__.py", "plain/_fast.so"], ["plain"], ["plain._fast"]),
        (
            ["both/__init__.py", f"both/_fast.{GNU}", "both/extra/zorder.so"],
            ["both"],
            ["both._fast"],
        ),
    ],
)
def test_imports_and_compiled_modules(
    files: list[str], imports: list[str], native: list[str]
) -> None:
    assert modules_of_files(files) == (tuple(imports), tuple(native))


@pytest.mark.parametrize(
    "file",
    [
        "../../../bin/tool.py",
        "/etc/passwd.py",
        "x.libs/libssl.so.3",
        "pkg/libhelper.so",
        f"pkg/tests/_probe.{GNU}",
        "pkg-1.0.data/scripts/run.py",
        "not-a-name/mod.py",
        f"pkg/not-a-name.{GNU}",
        "pkg/__pycache__/mod.cpython-311.pyc",
        "",
    ],
)
def test_what_is_not_imported_is_left_out(file: str) -> None:
    assert modules_of_files([file]) == ((), ())


def test_a_derived_recipe_says_so_and_demands_nothing() -> None:
    recipe = derived_recipe("hiredis", imports=["hiredis"], native=["hiredis.hiredis"])
    assert recipe.derived
    assert recipe.pure is PureKind.OPTIONAL
    assert recipe.native == (NativeModule(module="hiredis.hiredis", required=False),)
    assert recipe.probe is None
    assert derived_recipe("six", imports=["six"], native=()).pure is PureKind.ALWAYS
