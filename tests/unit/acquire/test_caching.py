"""What is made once is whole or not there."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from buildtools.acquire.caching import (
    appearing,
    made_once,
    require_plain,
    safe_name,
    workroom,
)
from buildtools.acquire.request import AcquireError
from buildtools.findings import Cause


def test_it_is_filled_once(tmp_path: Path) -> None:
    calls = []

    def fill(folder: Path) -> None:
        calls.append(folder)
        (folder / "a").write_text("x")

    assert made_once(tmp_path / "d", fill) == made_once(tmp_path / "d", fill)
    assert len(calls) == 1
    assert (tmp_path / "d" / "a").read_text() == "x"


def test_a_failed_fill_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_once(tmp_path / "d", fail)
    assert not (tmp_path / "d").exists()
    made_once(tmp_path / "d", lambda folder: (folder / "a").touch())
    assert not (tmp_path / "d" / "half").exists()


def test_what_a_killed_process_left_is_not_taken_for_whole(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "half").touch()
    (tmp_path / ".d.x1.part").mkdir()
    made_once(tmp_path / "d", lambda folder: (folder / "a").touch())
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == [".whole", "a"]
    assert not (tmp_path / ".d.x1.part").exists()


def test_two_that_want_the_same_wait_for_each_other(tmp_path: Path) -> None:
    calls: list[Path] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        made_once(tmp_path / "d", calls.append)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_a_full_disk_says_so(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    with pytest.raises(AcquireError) as caught:
        made_once(tmp_path / "d", fail)
    assert caught.value.cause is Cause.NO_SPACE
    assert not (tmp_path / "d").exists()


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "f"
    with pytest.raises(ZeroDivisionError), appearing(target) as partial:
        partial.write_text(f"half {1 // 0}")
    assert list(tmp_path.iterdir()) == []
    with appearing(target) as partial:
        partial.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"


def test_a_workroom_is_gone_afterwards(tmp_path: Path) -> None:
    with workroom(tmp_path, "a/../b c") as room:
        assert room.is_dir()
        assert room.parent == tmp_path / "work"
    assert not room.exists()


@pytest.mark.parametrize("text", ["../x", "a/b", "a b", "$(x)", "a\nb", "..", "", "'"])
def test_a_safe_name_is_one_plain_word(text: str) -> None:
    name = safe_name(text)
    assert name
    assert not set(name) & set("/ $()\n'\"")
    assert name not in {".", ".."}


def test_a_cache_that_cannot_be_written_is_an_error_that_says_so(tmp_path: Path) -> None:
    """Also where the very folder cannot be made: a file stands in the way."""
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    uses: tuple[Callable[[], object], ...] = (
        lambda: workroom(in_the_way, "x").__enter__(),
        lambda: made_once(in_the_way / "x", lambda _: None),
        lambda: appearing(in_the_way / "x").__enter__(),
    )
    for use in uses:
        with pytest.raises(AcquireError, match="the cache could not be written") as caught:
            use()
        assert "XDG_CACHE_HOME" in caught.value.next_step


@pytest.mark.parametrize("name", ["my cache", "50%", "a$b", "a:b", "a#b", "a'b"])
def test_a_cache_that_make_would_misread_is_named(name: str) -> None:
    require_plain(Path("/home/jürgen/.cache/build-tools_1.0+x"))
    with pytest.raises(AcquireError, match="this cache") as caught:
        require_plain(Path("/home") / name / "cache")
    assert "XDG_CACHE_HOME" in caught.value.next_step
