"""SQLite's source: what is taken out of its carrier, and what is refused."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from buildtools.acquire import sources
from buildtools.acquire.request import AcquireError
from buildtools.acquire.sdist import bounded
from buildtools.acquire.sources import pick_amalgamation, sqlite_amalgamation
from buildtools.acquire.tools import Tools
from buildtools.findings import Cause
from buildtools.processes import Completed
from buildtools.recipes import load_recipes
from tests.unit.acquire.values import interpreter, request

BODY = b"/* a line */\n" * 500_000 + b"/************** End of sqlite3.c ******/\n"


def sdist(path: Path, main: bytes, folder: str = "sqlite") -> Path:
    files = {f"x-1/{folder}/sqlite3.c": main, f"x-1/{folder}/sqlite3.h": b"", "x-1/setup.py": b""}
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_what_the_carrier_has_added_behind_the_end_is_left_out(tmp_path: Path) -> None:
    pick_amalgamation(sdist(tmp_path / "x.tar.gz", BODY + b'#include "more.c"\n'), tmp_path)
    assert (tmp_path / "sqlite3.c").read_bytes() == BODY
    assert not (tmp_path / "setup.py").exists()


@pytest.mark.parametrize(("main", "folder"), [(b"int x;", "sqlite"), (BODY, "elsewhere")])
def test_a_carrier_without_a_whole_amalgamation_is_an_error(
    main: bytes, folder: str, tmp_path: Path
) -> None:
    with pytest.raises(AcquireError, match="not where it was"):
        pick_amalgamation(sdist(tmp_path / "x.tar.gz", main, folder), tmp_path)


def test_another_source_than_the_pinned_one_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pip(_: object, words: Sequence[str], **__: object) -> Completed:
        sdist(Path(words[words.index("--dest") + 1]) / "x.tar.gz", BODY)
        return Completed(argv=(), returncode=0, stdout="", stderr="", seconds=0.0, timed_out=False)

    monkeypatch.setattr(sources, "run_pip", pip)
    tools = Tools(cache=tmp_path / "cache", python=interpreter())
    with pytest.raises(AcquireError) as caught:
        sqlite_amalgamation(tools)
    assert caught.value.cause is Cause.HASH_MISMATCH
    assert not list((tmp_path / "cache/sources").glob("sqlite-amalgamation*"))


@pytest.mark.parametrize(
    ("version", "said"), [(None, ">=3.45,<3.54.2"), ("3.54.1.0", ""), ("3.54.2.0", None)]
)
def test_a_release_that_wants_a_newer_sqlite_is_not_built(
    version: str | None, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from buildtools.acquire import sdist as module

    (tmp_path / "sqlite3.h").write_text('#define SQLITE_VERSION        "3.54.1"\n')
    monkeypatch.setattr(module, "sqlite_amalgamation", lambda _: tmp_path)
    recipe = load_recipes()["apsw"]
    fields = {"version": version} if version else {}
    asked = request("linux/aarch64", distribution="apsw", **fields).bounded_by(recipe.versions)
    tools = Tools(cache=tmp_path, python=interpreter())
    if said is None:
        with pytest.raises(AcquireError) as caught:
            bounded(asked, recipe, tools)
        assert "newer SQLite than 3.54.1" in caught.value.why
        return
    assert bounded(asked, recipe, tools).specifier == said
