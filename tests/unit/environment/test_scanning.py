"""Folders, virtual environments, wheels and archives become one kind of tree."""

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from buildtools.archives import DiskFiles
from buildtools.binaries.modulenames import module_name
from buildtools.environment import PlaceKind, Tree, TreeKind, is_native_name, scan
from buildtools.environment.layout import pth_folders, python_of_path
from buildtools.environment.scanning import dotted_name
from buildtools.errors import CannotLookError
from buildtools.host import Interpreter, interpreter_facts

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "binaries"
SUFFIX = ".cpython-311-x86_64-linux-gnu.so"


def put(path: Path, name: str = "elf-x86_64-glibc2.17.so") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(CORPUS / name, path)
    return path


def distribution(site: Path, name: str, version: str, *files: str, record: bool = True) -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "WHEEL").write_text("Root-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\n")
    if record:
        (info / "RECORD").write_text("".join(f"{file},sha256=abc,7\n" for file in files))


def venv(root: Path, *, system: bool = False) -> Path:
    """A virtual environment's bones; its site folder."""
    site = root / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (root / "pyvenv.cfg").write_text(
        f"home = {root.parent}/base/bin\ninclude-system-site-packages = {str(system).lower()}\n"
        "version = 3.11.7\n"
    )
    return site


def names(tree: Tree) -> dict[str, str]:
    return {module.shown: module.dotted for module in tree.modules}


@pytest.mark.parametrize(
    ("name", "native"),
    [
        ("a.so", True), ("liba.so.3", True), ("liba-1.2.so.3.4.5", True), ("a.pyd", True),
        ("a.dylib", True), ("a.node", True), ("a.abi3.so", True), (f"a{SUFFIX}", True),
        ("a.so.txt", False), ("a.so.hmac", False), ("a.py", False), ("so", False), (".so", False),
        ("a.sol", False), ("a.nodes", False),
    ],
)  # fmt: skip
def test_native_names(*, name: str, native: bool) -> None:
    assert is_native_name(name) is native


@pytest.mark.parametrize(
    ("relative", "dotted"),
    [
        (f"pkg/_mod{SUFFIX}", "pkg._mod"),
        (f"pkg/__init__{SUFFIX}", "pkg"),
        ("mod.abi3.so", "mod"),
        ("mod.so", "mod"),
        ("pkg.libs/libssl.so.3", ""),
        ("pkg/libfoo.so", ""),
        ("pkg/addon.node", ""),
        (f"not-a-package/mod{SUFFIX}", ""),
        ("pkg/lib.dylib", ""),
    ],
)
def test_the_name_under_which_a_file_is_imported(relative: str, dotted: str) -> None:
    assert dotted_name(relative, module_name(relative.rpartition("/")[2])) == dotted


@pytest.mark.parametrize(
    ("path", "abi"),
    [
        ("/venv/lib/python3.11/site-packages", "cp311"),
        ("lib64/python3.13t/site-packages", "cp313t"),
        ("/a/lib/python3.12/lib/python3.14/site-packages", "cp314"),
        ("/usr/lib/python3/dist-packages", None),
    ],
)
def test_the_python_of_a_path(path: str, abi: str | None) -> None:
    python = python_of_path(path)
    assert (python.abi if python else None) == abi


def test_a_venv_is_read_as_it_lies_there(tmp_path: Path) -> None:
    site = venv(tmp_path / "venv")
    put(site / "pkg" / f"_mod{SUFFIX}")
    put(site / "pkg.libs" / "libx.so.1")
    distribution(site, "My_Pkg", "1.2", f"pkg/_mod{SUFFIX}", "pkg.libs/libx.so.1")
    (tmp_path / "venv" / "lib64").symlink_to("lib")
    tree = scan(tmp_path / "venv")
    assert tree.kind is TreeKind.VENV
    assert tree.python is not None
    assert tree.python.abi == "cp311"
    prefix = "lib/python3.11/site-packages/"
    assert names(tree) == {
        f"{prefix}pkg/_mod{SUFFIX}": "pkg._mod",
        f"{prefix}pkg.libs/libx.so.1": "",
    }
    assert {module.distribution.key for module in tree.modules if module.distribution} == {"my-pkg"}
    (one,) = tree.distributions
    assert (one.name, one.version, one.tags) == ("My_Pkg", "1.2", ("cp311-cp311-linux_x86_64",))


def test_a_venvs_base_is_mentioned_and_not_judged(tmp_path: Path) -> None:
    site = venv(tmp_path / "venv", system=True)
    put(site / f"own{SUFFIX}")
    base = tmp_path / "base" / "lib" / "python3.11"
    put(base / "lib-dynload" / f"_sqlite3{SUFFIX}")
    put(base / "site-packages" / f"shared{SUFFIX}")
    tree = scan(tmp_path / "venv")
    assert [(place.kind, place.judged) for place in tree.places] == [
        (PlaceKind.STDLIB, False), (PlaceKind.STDLIB, False), (PlaceKind.SITE, True),
        (PlaceKind.SYSTEM_SITE, False),
    ]  # fmt: skip
    assert all(place.judged for place in scan(tmp_path / "venv", outside=False).places)


def test_a_file_that_record_does_not_list_belongs_to_its_folders_owner(tmp_path: Path) -> None:
    site = venv(tmp_path / "venv")
    put(site / "pkg" / "sub" / f"listed{SUFFIX}")
    put(site / "pkg" / "sub" / "stray.so")
    put(site / "pkg" / "stray.so")
    put(site / "other" / "stray.so")
    distribution(site, "thing", "1", f"pkg/sub/listed{SUFFIX}")
    owned = {
        module.relative: module.distribution is not None
        for module in scan(tmp_path / "venv").modules
    }
    assert owned == {
        f"pkg/sub/listed{SUFFIX}": True, "pkg/sub/stray.so": True, "pkg/stray.so": True,
        "other/stray.so": False,
    }  # fmt: skip


def test_without_record_the_top_level_name_owns(tmp_path: Path) -> None:
    site = venv(tmp_path / "venv")
    put(site / f"_mysql{SUFFIX}")
    put(site / "MySQLdb" / f"x{SUFFIX}")
    info = site / "mysqlclient-2.2.egg-info"
    info.mkdir()
    (info / "top_level.txt").write_text("MySQLdb\n_mysql\n")
    owners = {module.relative: module.distribution for module in scan(tmp_path / "venv").modules}
    assert [owner.key if owner else "" for owner in owners.values()] == ["mysqlclient"] * 2


def test_a_folder_finds_committed_venvs_and_site_folders_and_skips_git(tmp_path: Path) -> None:
    site = venv(tmp_path / "app" / ".venv")
    put(site / f"mod{SUFFIX}")
    put(tmp_path / "app" / "vendor" / "addon.node")
    put(tmp_path / "app" / ".git" / "x.so")
    put(tmp_path / "app" / "src" / "__pycache__" / "x.so")
    distribution(tmp_path / "app" / "python", "layered", "1")
    put(tmp_path / "app" / "python" / f"layer{SUFFIX}")
    tree = scan(tmp_path / "app")
    assert tree.kind is TreeKind.FOLDER
    assert tree.committed_venvs == (str(tmp_path / "app" / ".venv"),)
    assert names(tree) == {
        f".venv/lib/python3.11/site-packages/mod{SUFFIX}": "mod",
        "vendor/addon.node": "",
        f"python/layer{SUFFIX}": "layer",
    }
    assert tree.python is not None
    assert tree.python.abi == "cp311"


def make_wheel(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        content = (CORPUS / "elf-x86_64-glibc2.17.so").read_bytes()
        archive.writestr(f"pkg/_mod{SUFFIX}", content)
        archive.writestr(f"thing-1.data/platlib/top{SUFFIX}", content)
        archive.writestr("thing-1.dist-info/WHEEL", "Tag: cp311-cp311-linux_x86_64\n")
        archive.writestr("thing-1.dist-info/RECORD", f"pkg/_mod{SUFFIX},sha256=x,3\n")
    return path


def test_a_wheel_is_read_as_it_will_be_installed(tmp_path: Path) -> None:
    tree = scan(make_wheel(tmp_path / "thing-1-cp311-cp311-linux_x86_64.whl"))
    assert tree.kind is TreeKind.WHEEL
    assert tree.python is not None
    assert tree.python.abi == "cp311"
    assert names(tree) == {f"pkg/_mod{SUFFIX}": "pkg._mod", f"top{SUFFIX}": "top"}
    with tree.files.open(tree.modules[0].path) as stream:
        assert stream.read(4) == b"\x7fELF"
    tree.files.close()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_is_a_tree_as_well(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "image.tar"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        content = (CORPUS / "elf-x86_64-glibc2.17.so").read_bytes()
        info = tarfile.TarInfo(f"./opt/venv/lib/python3.12/site-packages/m{SUFFIX}")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    tree = scan(path)
    assert names(tree) == {f"opt/venv/lib/python3.12/site-packages/m{SUFFIX}": "m"}
    assert tree.python is not None
    assert tree.python.abi == "cp312"
    tree.files.close()


def test_a_single_module_is_a_tree_of_one(tmp_path: Path) -> None:
    tree = scan(put(tmp_path / f"mod{SUFFIX}"))
    assert tree.kind is TreeKind.FILE
    assert names(tree) == {f"mod{SUFFIX}": "mod"}


def test_what_is_not_there_or_is_no_artefact_cannot_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError, match="nothing at this path"):
        scan(tmp_path / "absent")
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(CannotLookError, match="no artefact"):
        scan(text)


def test_pth_files_add_folders_and_their_code_is_left_alone(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "extra").mkdir()
    (site / "x").mkdir()
    (tmp_path / "extra" / "file").touch()
    (site / "x" / "file").touch()
    (site / "b.pth").write_text(f"# no\n{tmp_path}/extra\nimport os; os.abort()\n/absent\n")
    (site / "a.pth").write_text("x\n")
    assert list(pth_folders(str(site), DiskFiles())) == [f"{site}/x", f"{tmp_path}/extra"]


def test_without_the_outside_a_venvs_pth_files_lead_nowhere_else(tmp_path: Path) -> None:
    site = venv(tmp_path / "venv")
    put(tmp_path / "elsewhere" / "mod.abi3.so")
    (site / "x.pth").write_text(f"{tmp_path}/elsewhere\n")
    assert [module.dotted for module in scan(tmp_path / "venv").modules] == ["mod"]
    assert scan(tmp_path / "venv", outside=False).modules == ()


def fake_interpreter(root: Path, *sys_path: Path) -> Interpreter:
    """This interpreter's facts with folders of the test's own."""
    from dataclasses import replace

    stdlib = root / "lib" / "python3.11"
    return replace(
        interpreter_facts(),
        prefix=root,
        base_prefix=root,
        stdlib=stdlib,
        purelib=stdlib / "site-packages",
        platlib=stdlib / "site-packages",
        user_site=root / "user",
        sys_path=tuple(map(str, sys_path)),
    )


def test_an_interpreters_places_keep_the_order_of_its_path_and_say_why(tmp_path: Path) -> None:
    stdlib = tmp_path / "lib" / "python3.11"
    folders = [
        tmp_path / "first", stdlib, stdlib / "lib-dynload", tmp_path / "user",
        stdlib / "site-packages", tmp_path / "editable",
    ]  # fmt: skip
    for folder in folders:
        put(folder / f"mod{SUFFIX}")
    tree = scan(fake_interpreter(tmp_path, *folders, tmp_path / "absent.zip", folders[0]))
    assert [(place.path, place.kind) for place in tree.places] == list(
        zip(
            map(str, folders),
            [
                PlaceKind.PYTHONPATH, PlaceKind.STDLIB, PlaceKind.STDLIB, PlaceKind.USER_SITE,
                PlaceKind.SITE, PlaceKind.PTH,
            ],
            strict=True,
        )
    )  # fmt: skip


def test_of_a_checkout_on_the_path_only_packages_are_walked(tmp_path: Path) -> None:
    stdlib = tmp_path / "lib" / "python3.11"
    checkout = tmp_path / "checkout"
    put(stdlib / "lib-dynload" / f"_x{SUFFIX}")
    put(checkout / "pkg" / f"_mod{SUFFIX}")
    (checkout / "pkg" / "__init__.py").touch()
    put(checkout / "tests" / "corpus" / "broken.so")
    put(checkout / ".venv" / "lib" / "x.so")
    tree = scan(fake_interpreter(tmp_path, stdlib, stdlib / "lib-dynload", checkout))
    assert sorted(module.dotted for module in tree.modules) == ["_x", "pkg._mod"]
