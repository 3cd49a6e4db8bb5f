"""A source package's own part: what is taken out of an archive and out of a patch."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from buildtools.acquire.librarypatches import own_sections, part_of
from buildtools.acquire.librarysource import unpack_source
from buildtools.acquire.request import AcquireError
from buildtools.errors import BuildtoolsError
from buildtools.recipes import LibraryRecipe, load_libraries


def library(folder: str = "", without: tuple[str, ...] = ()) -> LibraryRecipe:
    zlib = load_libraries()["zlib"]
    return replace(zlib, source=replace(zlib.source, folder=folder, without=without))


def archive(path: Path, members: dict[str, bytes | None], link: str = "") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, link
            entry.size = len(content or b"")
            tar.addfile(entry, io.BytesIO(content or b""))
    return path


@pytest.mark.parametrize(
    ("folder", "without", "name", "inside"),
    [
        ("", (), "src/a.c", "src/a.c"),
        ("", ("test",), "test/a.c", None),
        ("", ("test",), "tests/a.c", "tests/a.c"),
        ("", ("doc/man",), "doc/man/x", None),
        ("lib", ("test",), "lib/a.c", "a.c"),
        ("lib", ("test",), "lib/test/a.c", None),
        ("lib", (), "library/a.c", None),
        ("lib", (), "lib", None),
    ],
)
def test_a_part_is_named_below_its_own_folder(
    folder: str, without: tuple[str, ...], name: str, inside: str | None
) -> None:
    assert part_of(library(folder, without), name) == inside


def test_only_the_librarys_part_is_unpacked_and_no_links(tmp_path: Path) -> None:
    members = {
        "server-1/lib/a.c": b"int a;",
        "server-1/lib/test/b.c": b"int b;",
        "server-1/storage/c.c": b"int c;",
        "server-1/lib/link.c": None,
    }
    source = archive(tmp_path / "x.tar.gz", members, link="/etc/passwd")
    out = tmp_path / "out"
    out.mkdir()
    unpack_source(source, out, library("lib", ("test",)))
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*")) == ["a.c"]


@pytest.mark.parametrize("name", ["x/../../evil.c", "/etc/evil.c"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    source = archive(tmp_path / "x.tar.gz", {name: b"int a;"})
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(BuildtoolsError):
        unpack_source(source, out, library())
    assert not list(tmp_path.rglob("evil.c"))


def test_an_archive_cut_short_is_damaged_and_one_without_the_part_says_so(tmp_path: Path) -> None:
    whole = archive(tmp_path / "x.tar.gz", {"x/a.c": bytes(range(256)) * 4096})
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(BuildtoolsError, match="damaged"):
        unpack_source(cut, tmp_path / "one", library())
    with pytest.raises(AcquireError, match="not where it was"):
        unpack_source(whole, tmp_path / "two", library("lib"))


PATCH = b"""\
Description: several things
--- a/server.c
+++ b/server.c
@@ -1 +1 @@
-one
+two
--- a/lib/a.c
+++ b/lib/a.c
@@ -1 +1 @@
-int a;
+int b;
diff --git a/lib/test/t.c b/lib/test/t.c
--- /dev/null
+++ b/lib/test/t.c
@@ -0,0 +1 @@
+int t;
diff --git a/lib/new.c b/lib/new.c
new file mode 100644
--- /dev/null
+++ b/lib/new.c
@@ -0,0 +1 @@
+int n;
"""


def test_of_a_patch_only_the_librarys_sections_are_left_with_its_own_paths() -> None:
    kept = own_sections(PATCH, library("lib", ("test",)))
    assert kept == (
        b"--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-int a;\n+int b;\n"
        b"--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+int n;\n"
    )


def test_a_patch_of_other_parts_or_out_of_the_tree_leaves_nothing() -> None:
    assert own_sections(PATCH, library("storage")) == b""
    evil = PATCH.replace(b"lib/a.c", b"lib/../../a.c").replace(b"lib/new.c", b"lib/../new.c")
    assert own_sections(evil, library("lib", ("test",))) == b""
