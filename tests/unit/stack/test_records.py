from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from buildtools.findings import Cause
from buildtools.processes import birth_of, send_signal
from buildtools.stack.engine_process import state_of
from buildtools.stack.records import (
    Phase,
    Process,
    Record,
    read_record,
    record_file,
    this_process,
    write_record,
)
from buildtools.stack.services import services
from buildtools.stack.settings import Mode
from buildtools.stack.trouble import StackError
from buildtools.stack.volumes import check_space, make_volume
from tests.unit.stack.values import settings

GONE = Process(pid=os.getpid(), birth="another process had this number")


def record() -> Record:
    return Record(service="redis", phase=Phase.WAITING, keeper=this_process(os.getpid()))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    one = record().with_child(this_process(os.getpid()), 7)
    write_record(tmp_path, one)
    assert read_record(tmp_path, "redis") == one
    assert one.starts == 1
    assert one.alive


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"service": "redis", "child": 3}'])
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    record_file(tmp_path, "redis").write_text(text)
    assert read_record(tmp_path, "redis") is None


def test_a_number_that_was_used_again_is_not_our_process() -> None:
    assert not GONE.alive
    assert birth_of(os.getpid()) is not None
    assert not send_signal(GONE.pid, GONE.birth, 0)  # type: ignore[arg-type] # 0 would harm nobody


@pytest.mark.parametrize(
    ("child", "phase", "keeper", "health", "word"),
    [
        ("alive", Phase.RUNNING, "alive", "", "healthy"),
        ("alive", Phase.RUNNING, "alive", "not yet", "starting"),
        ("alive", Phase.RUNNING, "gone", "", "healthy"),
        (None, Phase.WAITING, "alive", "x", "waiting"),
        ("gone", Phase.EXITED, "alive", "x", "exited"),
        ("gone", Phase.RUNNING, "gone", "x", "down"),
        (None, Phase.REFUSED, "gone", "x", "refused"),
    ],
)
def test_one_word_says_how_a_service_stands(
    tmp_path: Path, *, child: str | None, phase: Phase, keeper: str, health: str, word: str
) -> None:
    processes = {"alive": this_process(os.getpid()), "gone": GONE}
    one = replace(
        record(),
        phase=phase,
        keeper=processes[keeper],
        child=None if child is None else processes[child],
    )
    service = services(settings(tmp_path), Mode.KRAFT)[-1]
    assert state_of(service, one, health).word == word


def test_a_full_disk_is_named_before_anything_starts(tmp_path: Path) -> None:
    check_space(tmp_path, free=2 << 20, least=1 << 20)
    with pytest.raises(StackError) as caught:
        check_space(tmp_path, free=1 << 20, least=512 << 20)
    assert caught.value.cause is Cause.NO_SPACE
    assert "1 MiB free, 512 MiB wanted" in str(caught.value)


def test_a_folder_that_is_somebody_elses_is_not_used(tmp_path: Path) -> None:
    made = settings(tmp_path)
    (made.folder / "volumes" / "redis-data").mkdir(parents=True)
    with pytest.raises(StackError, match="is not this stack's"):
        make_volume(made, "redis-data")
    assert not (made.folder / "volumes" / "redis-data" / "data").exists()


def test_a_volume_whose_making_was_cut_short_is_made_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = settings(tmp_path)

    def killed(*_words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("buildtools.stack.volumes.write_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            make_volume(made, "redis-data")
    found = make_volume(made, "redis-data")
    assert found.data.is_dir()
    assert make_volume(made, "redis-data") == found
    assert not list((made.folder / "tmp").iterdir())
