"""Cut off between any two steps, an install is finished or undone by the next one."""

from __future__ import annotations

import contextlib
import errno
import shutil
from pathlib import Path

import pytest

from buildtools.errors import InstallFailedError
from buildtools.install import Installation, Journal, Scheme, recover_aside, set_aside
from buildtools.install import exchange as exchanging
from buildtools.install import journal as journaling
from buildtools.install.exchange import exchange, exchange_by_renames, identity
from buildtools.install.journal import Move, Phase
from tests.unit.install.making import install, listing, make_scheme, packages, pure

OLD = {
    "pack/__init__.py": b"old", "pack/_old.py": b"old", "_native.so": b"old", "gone.py": b"old",
    "pack.libs/libx-1.so": b"old",
}  # fmt: skip
NEW = {"pack/__init__.py": b"new", "_native.so": b"new", "pack.libs/libx-2.so": b"new"}
MOVES = 8
"""Library, module, package, metadata and command in; library, module and metadata out."""

SCRIPTS = "[console_scripts]\npack = pack:main\n"


class CutError(BaseException):
    """Stands for a SIGKILL: nothing of the install's own clean-up may run."""


@pytest.fixture
def scheme(tmp_path: Path) -> Scheme:
    return make_scheme(tmp_path / "env")


def cut_after(scheme: Scheme, folder: Path, moves: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Begin an install and leave it after some of its moves; how many it has."""
    made = 0
    real = Move.apply

    def apply(self: Move, site: Path) -> None:
        nonlocal made
        if made == moves:
            raise CutError
        made += 1
        real(self, site)

    installation = Installation(scheme)
    installation.__enter__()
    staged = installation.stage(
        pure("pack", "2.0", NEW, entry_points=SCRIPTS).write(folder), name="pack"
    )
    with monkeypatch.context() as patch:
        patch.setattr(Move, "apply", apply)
        patch.setattr(type(staged), "roll_back", lambda _self: None)
        with contextlib.suppress(CutError):
            staged.commit()
    total = len(staged._journal.moves)
    installation.__exit__(None, None, None)
    return total


def whole(scheme: Scheme) -> bool:
    """Whether the package is of one version, whatever else is under way."""
    there = packages(scheme)
    package = {path: content for path, content in there.items() if path.startswith("pack/")}
    return any(
        package == {path: content for path, content in one.items() if path.startswith("pack/")}
        for one in (OLD, NEW)
    )


@pytest.mark.parametrize("moves", range(MOVES + 1))
@pytest.mark.parametrize("proven", [True, False])
def test_cut_off_after_each_move(
    moves: int,
    proven: bool,  # noqa: FBT001 - a parameter of pytest's
    scheme: Scheme,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(scheme, pure("pack", "1.0", OLD, entry_points=SCRIPTS), tmp_path)
    before = listing(scheme)
    total = cut_after(scheme, tmp_path, moves, monkeypatch)
    assert total == MOVES
    assert whole(scheme)
    seen: list[str] = []

    def prove(journal: Journal) -> bool:
        seen.append(journal.name)
        return proven

    with Installation(scheme) as installation:
        (recovered,) = installation.recover(prove)
        assert installation.recover(prove) == ()
    assert seen == ["pack"]
    assert recovered.ending == ("finished" if proven else "undone")
    if proven:
        assert packages(scheme) == NEW
        assert [path.name for path in scheme.site.glob("*.dist-info")] == ["pack-2.0.dist-info"]
    else:
        assert listing(scheme) == before
    assert sorted(path.name for path in scheme.hidden.iterdir()) == ["lock"]
    assert not list(scheme.scripts.glob(".*"))


def test_cut_off_while_staging_nothing_is_left(scheme: Scheme, tmp_path: Path) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    before = listing(scheme)
    with Installation(scheme) as installation:
        installation.stage(
            pure("pack", "2.0", NEW, entry_points=SCRIPTS).write(tmp_path), name="pack"
        )
    (scheme.hidden / "tx-000").mkdir()  # cut off before its journal
    with Installation(scheme) as installation:
        endings = {one.ending for one in installation.recover()}
    assert endings == {"discarded"}
    assert listing(scheme) == before


def test_cut_off_while_undoing_the_old_one_comes_back(
    scheme: Scheme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    before = listing(scheme)
    cut_after(scheme, tmp_path, 99, monkeypatch)
    (folder,) = scheme.hidden.glob("tx-*")
    journal = Journal.read(folder)
    assert journal is not None
    journal.at(Phase.UNDOING).write(folder)
    journal.moves[-1].undo(scheme.site)
    with Installation(scheme) as installation:
        (recovered,) = installation.recover(lambda _journal: True)
    assert recovered.ending == "undone"
    assert listing(scheme) == before


def test_a_copied_environment_leaves_the_original_alone(
    scheme: Scheme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    cut_after(scheme, tmp_path, 2, monkeypatch)
    original = listing(scheme)
    shutil.copytree(scheme.prefix, tmp_path / "copy", symlinks=True)
    copied = Scheme(
        executable=tmp_path / "copy" / "bin" / "python",
        prefix=tmp_path / "copy",
        site=tmp_path / "copy" / scheme.site.relative_to(scheme.prefix),
        purelib=tmp_path / "copy" / scheme.site.relative_to(scheme.prefix),
        scripts=tmp_path / "copy" / "bin",
        headers=tmp_path / "copy" / "include",
    )
    with Installation(copied) as installation:
        installation.recover(lambda _journal: True)
        assert installation.recover() == ()
    assert listing(scheme) == original
    assert whole(copied)
    install(copied, pure("pack", "2.0", NEW), tmp_path)
    assert packages(copied) == NEW


def test_a_failing_move_puts_the_old_one_back(
    scheme: Scheme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    before = listing(scheme)
    real = exchange

    def refuse(one: Path, other: Path) -> None:
        if one.name == "pack":
            raise PermissionError(errno.EACCES, "Permission denied", str(one))
        real(one, other)

    monkeypatch.setattr(journaling, "exchange", refuse)
    with Installation(scheme) as installation:
        staged = installation.stage(pure("pack", "2.0", NEW).write(tmp_path), name="pack")
        with pytest.raises(InstallFailedError, match="stands there still"):
            staged.commit()
    assert listing(scheme) == before
    assert sorted(path.name for path in scheme.hidden.iterdir()) == ["lock"]


def test_where_folders_cannot_be_renamed_files_are(
    scheme: Scheme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """overlayfs gives EXDEV for the folders of a lower layer."""
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    real = exchange

    def refuse(one: Path, other: Path) -> None:
        if one.is_dir():
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(one))
        real(one, other)

    monkeypatch.setattr(journaling, "exchange", refuse)
    install(scheme, pure("pack", "2.0", NEW), tmp_path)
    assert packages(scheme) == NEW


def test_without_the_kernels_exchange_renames_do(
    scheme: Scheme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchanging, "_kernel_exchange", lambda: None)
    install(scheme, pure("pack", "1.0", OLD), tmp_path)
    install(scheme, pure("pack", "2.0", NEW), tmp_path)
    assert packages(scheme) == NEW


@pytest.mark.parametrize("renames", [1, 2])
def test_an_exchange_by_renames_that_was_cut_is_settled(renames: int, tmp_path: Path) -> None:
    target, staged = tmp_path / "target", tmp_path / "staged"
    target.write_text("old")
    staged.write_text("new")
    move = Move(target="target", staged="staged", old=identity(target), new=identity(staged))
    target.rename(tmp_path / "staged.aside")
    if renames == 2:
        staged.rename(target)
    move.apply(tmp_path)
    assert (target.read_text(), staged.read_text()) == ("new", "old")
    move.undo(tmp_path)
    move.undo(tmp_path)
    assert (target.read_text(), staged.read_text()) == ("old", "new")


def test_both_ways_exchange(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    (one / "file").write_text("one")
    other.write_text("other")
    exchange(one, other)
    assert (one.read_text(), (other / "file").read_text()) == ("other", "one")
    exchange_by_renames(one, other)
    assert ((one / "file").read_text(), other.read_text()) == ("one", "other")
    with pytest.raises(FileNotFoundError):
        exchange(one, tmp_path / "nothing")


def test_a_journal_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert Journal.read(tmp_path) is None
    for text in ("", "{", "[]", '{"format": 2}', '{"format": 1}', '{"format": 1, "phase": "x"}'):
        (tmp_path / "journal.json").write_text(text)
        assert Journal.read(tmp_path) is None


def test_a_copy_is_set_aside_whole_and_put_back(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("hides")
    (tmp_path / "_pack.so").write_text("hides too")
    aside = set_aside(tmp_path, ["pack", "_pack.so"], "pack")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".buildtools"]
    assert (aside.backup / "pack" / "__init__.py").read_text() == "hides"
    recover_aside(tmp_path)
    assert (aside.backup / "_pack.so").exists()
    aside.put_back()
    assert (tmp_path / "pack" / "__init__.py").read_text() == "hides"
    assert not aside.backup.exists()
