"""Installing: what is written, what goes, what stays."""

from __future__ import annotations

import csv
import hashlib
import os
import stat
from pathlib import Path

import pytest

from buildtools.errors import BusyError, InstallFailedError
from buildtools.install import Installation, Scheme
from buildtools.install.scripts import first_line
from buildtools.wheels import WheelInvalidError, record_hash
from tests.unit.install.making import install, listing, make_scheme, packages, pure
from tests.unit.wheels.making import SUFFIX, Making, corpus, row


@pytest.fixture
def scheme(tmp_path: Path) -> Scheme:
    return make_scheme(tmp_path / "env")


OLD = {"pack/__init__.py": b"old", "pack/gone.py": b"old", "gone/__init__.py": b"old"}
NEW = {"pack/__init__.py": b"new", "pack/more/__init__.py": b"new"}


def test_a_first_install_writes_what_the_wheel_has(scheme: Scheme, tmp_path: Path) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    assert packages(scheme) == OLD
    info = scheme.site / "pack-1.0.dist-info"
    assert (info / "INSTALLER").read_text() == "native-buildtools\n"
    assert not (info / "direct_url.json").exists()


def test_record_lists_every_file_with_its_hash(scheme: Scheme, tmp_path: Path) -> None:
    making = pure("pack", "1.0", OLD, entry_points="[console_scripts]\npack = pack:main\n")
    install(scheme, making, tmp_path)
    text = (scheme.site / "pack-1.0.dist-info" / "RECORD").read_text()
    rows = {name: (hashed, size) for name, hashed, size in csv.reader(text.splitlines())}
    assert rows.pop("pack-1.0.dist-info/RECORD") == ("", "")
    there = {os.path.relpath(scheme.prefix / name, scheme.site) for name in listing(scheme)}
    assert set(rows) == there - {"pack-1.0.dist-info/RECORD"}
    assert "../../../bin/pack" in rows
    for name, (hashed, size) in rows.items():
        content = (scheme.site / name).read_bytes()
        assert hashed == record_hash(hashlib.sha256(content).digest())
        assert size == str(len(content))


def test_another_version_replaces_the_old_one_whole(scheme: Scheme, tmp_path: Path) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    install(scheme, pure("pack", "2.0", NEW), tmp_path)
    assert packages(scheme) == NEW
    assert [path.name for path in scheme.site.glob("*.dist-info")] == ["pack-2.0.dist-info"]
    assert sorted(path.name for path in scheme.hidden.iterdir()) == ["lock"]


def test_the_package_is_exchanged_in_one_step(scheme: Scheme, tmp_path: Path) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    before = (scheme.site / "pack").stat().st_ino
    with Installation(scheme) as installation:
        staged = installation.stage(pure("pack", "2.0", NEW).write(tmp_path), name="pack")
        assert packages(scheme) == OLD, "staging must not be seen"
        waiting = (staged.path / "pack").stat().st_ino
        staged.commit()
        assert (scheme.site / "pack").stat().st_ino == waiting != before
        staged.finish()


def test_rolled_back_everything_is_as_before(scheme: Scheme, tmp_path: Path) -> None:
    scripts = "[console_scripts]\npack = pack:main\nold-pack = pack:main\n"
    install(scheme, pure("pack", "1.0", OLD, entry_points=scripts), tmp_path)
    before = listing(scheme)
    new = pure("pack", "2.0", NEW, entry_points="[console_scripts]\npack = pack:other\n")
    with Installation(scheme) as installation:
        with installation.stage(new.write(tmp_path), name="pack") as staged:
            staged.commit()
            assert packages(scheme) == NEW
            assert not (scheme.scripts / "old-pack").exists()
        assert listing(scheme) == before
    assert sorted(path.name for path in scheme.hidden.iterdir()) == ["lock"]


def test_never_committed_nothing_is_seen(scheme: Scheme, tmp_path: Path) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    before = listing(scheme)
    new = pure("pack", "2.0", NEW, entry_points="[console_scripts]\nnew = pack:main\n")
    with Installation(scheme) as installation, installation.stage(new.write(tmp_path), name="p"):
        pass
    assert listing(scheme) == before


def test_other_distributions_in_the_same_namespace_stay(scheme: Scheme, tmp_path: Path) -> None:
    install(scheme, pure("other", "1.0", {"space/other/__init__.py": b"other"}), tmp_path)
    install(scheme, pure("pack", "1.0", {"space/pack/__init__.py": b"old"}), tmp_path)
    install(scheme, pure("pack", "2.0", {"space/pack/__init__.py": b"new"}), tmp_path)
    assert packages(scheme) == {
        "space/other/__init__.py": b"other",
        "space/pack/__init__.py": b"new",
    }
    install(scheme, pure("pack", "3.0", {"pack/__init__.py": b"moved"}), tmp_path)
    assert packages(scheme) == {
        "space/other/__init__.py": b"other",
        "pack/__init__.py": b"moved",
    }


def test_a_package_that_two_distributions_claim_is_exchanged_whole(
    scheme: Scheme, tmp_path: Path
) -> None:
    """pysqlite3 and pysqlite3-binary both are ``pysqlite3/``."""
    both = {"pack/__init__.py": b"binary", f"pack/_part{SUFFIX}": corpus()}
    install(scheme, Making(name="pack_binary", files=both), tmp_path)
    before = (scheme.site / "pack").stat().st_ino
    new = {"pack/__init__.py": b"new", f"pack/_part{SUFFIX}": corpus()}
    install(scheme, Making(name="pack", version="2.0", files=new), tmp_path)
    assert packages(scheme) == new
    assert (scheme.site / "pack").stat().st_ino != before


def test_a_users_own_file_in_the_package_is_taken_along(scheme: Scheme, tmp_path: Path) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    (scheme.site / "pack" / "settings.ini").write_bytes(b"mine")
    (scheme.site / "pack" / "__pycache__").mkdir()
    (scheme.site / "pack" / "__pycache__" / "gone.cpython-311.pyc").write_bytes(b"")
    install(scheme, pure("pack", "2.0", NEW), tmp_path)
    assert packages(scheme) == {**NEW, "pack/settings.ini": b"mine"}


def test_stale_native_files_go(scheme: Scheme, tmp_path: Path) -> None:
    files = {"pack/__init__.py": b"", f"_pack{SUFFIX}": corpus()}
    install(scheme, Making(name="pack", files=files), tmp_path)
    (scheme.site / "_pack.cpython-310-x86_64-linux-gnu.so").write_bytes(b"left over")
    (scheme.site / "pack" / "_old.cpython-310-x86_64-linux-gnu.so").write_bytes(b"left over")
    (scheme.site / "_others.cpython-310-x86_64-linux-gnu.so").write_bytes(b"not ours")
    install(scheme, Making(name="pack", version="2.0", files=files), tmp_path)
    assert set(packages(scheme)) == {*files, "_others.cpython-310-x86_64-linux-gnu.so"}


def test_bundled_libraries_lie_side_by_side_until_the_swap(scheme: Scheme, tmp_path: Path) -> None:
    old = {"pack/__init__.py": b"old", "pack.libs/libx-1111.so.1": b"1", "pack.libs/liby.so": b"y"}
    new = {"pack/__init__.py": b"new", "pack.libs/libx-2222.so.1": b"2", "pack.libs/liby.so": b"y"}
    install(scheme, pure("pack", "1.0", old), tmp_path)
    with Installation(scheme) as installation:
        staged = installation.stage(pure("pack", "2.0", new).write(tmp_path), name="pack")
        staged.commit()
        moves = [move.target for move in staged._journal.moves]
        staged.finish()
    assert moves.index("pack.libs/libx-2222.so.1") < moves.index("pack")
    assert moves.index("pack") < moves.index("pack.libs/libx-1111.so.1")
    assert "pack.libs/liby.so" not in moves, "the very same file is not touched"
    assert packages(scheme) == new


def test_a_link_in_place_of_the_package_is_replaced_not_followed(
    scheme: Scheme, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "checkout"
    elsewhere.mkdir()
    (elsewhere / "__init__.py").write_bytes(b"precious")
    (scheme.site / "pack").symlink_to(elsewhere)
    install(scheme, pure("pack", "1.0", NEW), tmp_path)
    assert packages(scheme) == NEW
    assert (elsewhere / "__init__.py").read_bytes() == b"precious"


def test_an_installation_without_record_is_replaced(scheme: Scheme, tmp_path: Path) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    info = scheme.site / "pack-1.0.dist-info"
    (info / "RECORD").unlink()
    (info / "top_level.txt").write_text("pack\ngone\n../../evil\n")
    install(scheme, pure("pack", "2.0", NEW), tmp_path)
    assert packages(scheme) == NEW


def test_a_record_that_points_outside_removes_nothing_there(scheme: Scheme, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    record = scheme.site / "pack-1.0.dist-info" / "RECORD"
    relative = os.path.relpath(precious, scheme.site)
    record.write_text(record.read_text() + f"{relative},,\n{precious},,\n")
    install(scheme, pure("pack", "2.0", NEW), tmp_path)
    assert precious.read_bytes() == b"precious"


def test_commands_start_with_the_environments_python(scheme: Scheme, tmp_path: Path) -> None:
    making = pure(
        "pack",
        "1.0",
        {**NEW, "pack-1.0.data/scripts/tool": b"#!python\nprint(1)\n"},
        entry_points="[console_scripts]\npack = pack.cli:main\n",
    )
    install(scheme, making, tmp_path)
    for name in ("pack", "tool"):
        command = scheme.scripts / name
        assert command.read_text().startswith(f"#!{scheme.executable}\n")
        assert command.stat().st_mode & stat.S_IXUSR
    assert "from pack.cli import main\n" in (scheme.scripts / "pack").read_text()


@pytest.mark.parametrize("folder", ["with space", "x" * 150])
def test_a_path_that_the_kernel_would_cut_goes_through_the_shell(folder: str) -> None:
    text = first_line(Path("/opt") / folder / "python").decode()
    first, second, third, _ = text.split("\n")
    assert first == "#!/bin/sh"
    assert second.startswith("'''exec' \"/opt/")
    assert third == "' '''"
    compile(text, "script", "exec")


@pytest.mark.parametrize("sign", ['"', "'", "$", "`", "\\", "\n"])
def test_a_path_that_a_shell_would_read_is_refused(sign: str) -> None:
    with pytest.raises(InstallFailedError):
        first_line(Path(f"/opt/a{sign}b/python"))


def test_a_wheel_whose_content_was_changed_is_not_installed(scheme: Scheme, tmp_path: Path) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    bad = pure("pack", "2.0", NEW)
    bad.record = {"pack/__init__.py": row("pack/__init__.py", b"other")}
    before = listing(scheme)
    with Installation(scheme) as installation, pytest.raises(WheelInvalidError):
        installation.stage(bad.write(tmp_path), name="pack")
    assert listing(scheme) == before
    assert sorted(path.name for path in scheme.hidden.iterdir()) == ["lock"]


def test_a_second_rebuild_is_refused_and_the_first_goes_on(scheme: Scheme) -> None:
    with Installation(scheme):
        with pytest.raises(BusyError, match="another rebuild") as caught, Installation(scheme):
            pass
        assert caught.value.exit_code == 6
        assert str(os.getpid()) in caught.value.why
    with Installation(scheme):
        pass


def test_a_site_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    scheme = make_scheme(tmp_path / "env")
    (scheme.site / ".buildtools").write_text("a file")
    with pytest.raises(InstallFailedError, match="nothing was changed"), Installation(scheme):
        pass
