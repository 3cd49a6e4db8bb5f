import importlib.machinery

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildtools.binaries import ModuleKind, module_name


@pytest.mark.parametrize(
    ("filename", "python", "flags", "platform"),
    [
        ("_x.cpython-311-aarch64-linux-gnu.so", "cp311", "", "aarch64-linux-gnu"),
        ("_x.cpython-313t-x86_64-linux-musl.so", "cp313", "t", "x86_64-linux-musl"),
        ("_x.cpython-312d-darwin.so", "cp312", "d", "darwin"),
        ("_x.cpython-314td-darwin.so", "cp314", "td", "darwin"),
        ("_x.cpython-37m-x86_64-linux-gnu.so", "cp37", "", "x86_64-linux-gnu"),
        ("_x.cpython-311.so", "cp311", "", None),
        ("_x.abi3.so", None, "3", None),
        ("_x.abi3t.so", None, "3t", None),
        ("_x.so", None, "", None),
        ("_x.cp312-win_amd64.pyd", "cp312", "", "win_amd64"),
        ("_x.cp314t-win_arm64.pyd", "cp314", "t", "win_arm64"),
        ("_x_d.cp312-win_amd64.pyd", "cp312", "d", "win_amd64"),
        ("_x.pyd", None, "", None),
        ("_x.pypy310-pp73-x86_64-linux-gnu.so", "pp310", "", "x86_64-linux-gnu"),
        ("_x.graalpy240-311-native-x86_64-linux.so", "graalpy311", "", "x86_64-linux"),
    ],
)
def test_an_extension_promises_what_its_suffix_says(
    filename: str, python: str | None, flags: str, platform: str | None
) -> None:
    name = module_name(filename)
    assert name is not None
    assert name.kind is ModuleKind.EXTENSION
    assert name.stem == "_x"
    assert name.stem + name.suffix == filename
    assert (name.python, name.platform) == (python, platform)
    assert (name.abi3, name.free_threaded, name.debug) == ("3" in flags, "t" in flags, "d" in flags)


@pytest.mark.parametrize(
    ("filename", "stem", "kind"),
    [
        ("libfoo.so", "libfoo", ModuleKind.LIBRARY),
        ("libfoo.so.3", "libfoo", ModuleKind.LIBRARY),
        ("libcrypto-1a2b3c4d.so.1.1", "libcrypto-1a2b3c4d", ModuleKind.LIBRARY),
        ("libsqlite3.0.dylib", "libsqlite3", ModuleKind.LIBRARY),
        ("libfoo.dylib", "libfoo", ModuleKind.LIBRARY),
        ("zlib1.dll", "zlib1", ModuleKind.LIBRARY),
        ("better_sqlite3.node", "better_sqlite3", ModuleKind.NODE),
    ],
)
def test_libraries_and_addons_are_told_apart(filename: str, stem: str, kind: ModuleKind) -> None:
    name = module_name(filename)
    assert name is not None
    assert (name.stem, name.kind, name.python) == (stem, kind, None)


@pytest.mark.parametrize(
    "filename",
    ["module.py", "module.pyc", ".so", "so", "", "notes.so.txt", "a/b.so", "a\\b.so", "x.so.old"],
)
def test_other_files_have_no_such_name(filename: str) -> None:
    assert module_name(filename) is None


def test_this_interpreters_own_suffixes_are_known() -> None:
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        name = module_name("_x" + suffix)
        assert name is not None
        assert (name.stem, name.suffix) == ("_x", suffix)


STEMS = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,20}\Z")


@given(
    stem=STEMS,
    minor=st.integers(0, 99),
    free_threaded=st.booleans(),
    debug=st.booleans(),
    platform=st.sampled_from(["x86_64-linux-gnu", "arm-linux-gnueabihf", "darwin", "iphoneos"]),
)
def test_what_cpython_names_a_module_is_read_back(
    stem: str,
    minor: int,
    free_threaded: bool,  # noqa: FBT001
    debug: bool,  # noqa: FBT001
    platform: str,
) -> None:
    flags = f"{'t' if free_threaded else ''}{'d' if debug else ''}"
    name = module_name(f"{stem}.cpython-3{minor}{flags}-{platform}.so")
    assert name is not None
    assert (name.stem, name.python, name.platform) == (stem, f"cp3{minor}", platform)
    assert (name.free_threaded, name.debug) == (free_threaded, debug)


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_none(filename: str) -> None:
    name = module_name(filename)
    assert name is None or name.stem + name.suffix == filename
