"""Archives that no tool should unpack are refused; damaged ones say so; nothing else is raised."""

import contextlib
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildtools.archives import Limits, open_archive
from buildtools.errors import CannotLookError

SMALL = Limits(entries=50, entry_bytes=1 << 20, total_bytes=2 << 20, ratio=10, ratio_from=1 << 14)


def write_zip(path: Path, *names: str, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, content)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def write_tar(path: Path, *members: tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info in members:
            if info.isreg():
                info.size = 1
                archive.addfile(info, io.BytesIO(b"x"))
            else:
                archive.addfile(info)
    return path


BAD_NAMES = (
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a/..",
    "C:/x",
    "c:x",
    "\\\\host\\x",
    "a\\..\\..\\x",
    "a\nb",
)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_zip_with_a_name_that_leaves_the_tree_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotLookError, match="refused"):
        open_archive(write_zip(tmp_path / "x.zip", name))


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_tar_with_a_name_that_leaves_the_tree_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotLookError, match="refused"):
        open_archive(write_tar(tmp_path / "x.tar", member(name)))


@pytest.mark.parametrize(
    "info",
    [
        member("a", tarfile.SYMTYPE, "/etc/passwd"),
        member("a", tarfile.SYMTYPE, "../x"),
        member("d/a", tarfile.SYMTYPE, "../../x"),
        member("a", tarfile.LNKTYPE, "../x"),
        member("a", tarfile.LNKTYPE, "/x"),
        member("a", tarfile.SYMTYPE, "a"),
        member("a", tarfile.CHRTYPE),
        member("a", tarfile.BLKTYPE),
        member("a", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.type!r}-{info.linkname}",
)
def test_links_out_of_the_tree_and_devices_are_refused(
    tmp_path: Path, info: tarfile.TarInfo
) -> None:
    with pytest.raises(CannotLookError, match="refused"):
        open_archive(write_tar(tmp_path / "x.tar", info))


def test_a_zip_with_a_link_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("a/link")
        info.create_system = 3
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "../../secret")
    with pytest.raises(CannotLookError, match="refused"):
        open_archive(path)


def test_a_link_within_the_tree_gives_the_file_that_it_leads_to(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        info = member("lib/libx.so.1")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"real"))
        archive.addfile(member("lib/libx.so", tarfile.SYMTYPE, "libx.so.1"))
        archive.addfile(member("copy/libx.so", tarfile.LNKTYPE, "lib/libx.so.1"))
    with contextlib.closing(open_archive(path)) as opened:
        for name in ("lib/libx.so", "copy/libx.so"):
            with opened.open(name) as stream:
                assert stream.read() == b"real"


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    members = (member("a", tarfile.SYMTYPE, "b"), member("b", tarfile.SYMTYPE, "a"))
    with pytest.raises(CannotLookError, match="refused"):
        open_archive(write_tar(tmp_path / "x.tar", *members))


@pytest.mark.parametrize("names", [("a", "a"), ("a/b", "a//b"), ("a", "./a"), ("a", "a/b")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    with pytest.raises(CannotLookError, match="refused"):
        open_archive(write_zip(tmp_path / "x.zip", *names))
    with pytest.raises(CannotLookError, match="refused"):
        open_archive(write_tar(tmp_path / "x.tar", *map(member, names)))


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(51)]
    with pytest.raises(CannotLookError, match="more than 50 entries"):
        open_archive(write_zip(tmp_path / "x.zip", *names), SMALL)
    with pytest.raises(CannotLookError, match="more than 50 entries"):
        open_archive(write_tar(tmp_path / "x.tar", *map(member, names)), SMALL)


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz"])
def test_a_bomb_is_refused_by_what_comes_out_of_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"bomb.{kind}"
    zeros = bytes(1 << 19)
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", zeros)
    else:
        with tarfile.open(path, f"w:{kind}") as archive:  # type: ignore[call-overload]
            info = member("zeros")
            info.size = len(zeros)
            archive.addfile(info, io.BytesIO(zeros))
    with pytest.raises(CannotLookError, match="times as many"):
        open_archive(path, SMALL)


def test_a_bomb_behind_the_last_entry_is_refused(tmp_path: Path) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.addfile(member("a"), io.BytesIO())
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    path = tmp_path / "x.tar.gz"
    data = packer.compress(plain.getvalue() + bytes(8 << 20)) + packer.flush()
    path.write_bytes(data)
    with pytest.raises(CannotLookError, match="refused"):
        open_archive(path, SMALL)


def test_a_header_that_promises_gigabytes_of_extensions_is_refused(tmp_path: Path) -> None:
    info = member("a", tarfile.XHDTYPE)
    info.size = 1 << 33
    path = tmp_path / "x.tar"
    path.write_bytes(info.tobuf() + bytes(4096))
    with pytest.raises(CannotLookError):
        open_archive(path)


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", "a", content=b"y" * 4000)
    data = path.read_bytes()
    at = data.rindex(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    entry = data[at:end]
    twin = entry[:-1] + b"b"
    tail = bytearray(data[end:])
    tail[8:12] = b"\x02\x00\x02\x00"
    tail[12:16] = (2 * len(entry)).to_bytes(4, "little")
    path.write_bytes(data[:at] + entry + twin + bytes(tail))
    with pytest.raises(CannotLookError, match="overlap"):
        open_archive(path)


def test_a_zip_whose_content_is_damaged_says_so_when_it_is_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", "a", content=b"precious")
    path.write_bytes(path.read_bytes().replace(b"precious", b"Precious", 1))
    with (
        contextlib.closing(open_archive(path)) as archive,
        pytest.raises(CannotLookError, match="damaged"),
    ):
        archive.open("a")


def test_a_tar_with_garbage_where_a_header_should_be_is_damaged(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", member("a"), member("b"))
    data = bytearray(path.read_bytes())
    data[1024:1100] = b"\xff" * 76
    path.write_bytes(data)
    with pytest.raises(CannotLookError, match="damaged"):
        open_archive(path)


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_a_tar_cut_anywhere_is_damaged(tmp_path: Path, kind: str) -> None:
    path = write_tar(tmp_path / "x.tar", *(member(f"n{n}") for n in range(20)), mode=f"w:{kind}")
    whole = path.read_bytes()
    for part in range(1, 10):
        path.write_bytes(whole[: len(whole) * part // 20])
        with pytest.raises(CannotLookError):
            open_archive(path)


def test_a_file_that_is_no_archive_and_one_that_is_not_there_cannot_be_looked_at(
    tmp_path: Path,
) -> None:
    text = tmp_path / "x.txt"
    text.write_text("hello")
    with pytest.raises(CannotLookError, match="no archive"):
        open_archive(text)
    with pytest.raises(CannotLookError, match="cannot be read"):
        open_archive(tmp_path / "absent.whl")
    empty = tmp_path / "x.whl"
    empty.write_bytes(b"")
    with pytest.raises(CannotLookError, match="damaged"):
        open_archive(empty)


def test_an_encrypted_zip_cannot_be_looked_at(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", "a")
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with (
        contextlib.closing(open_archive(path)) as archive,
        pytest.raises(CannotLookError, match="damaged"),
    ):
        archive.open("a")


NAMES = st.lists(
    st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_characters="/\\:", min_codepoint=33),
            min_size=1,
            max_size=8,
        ).filter(lambda part: part not in {".", ".."}),
        min_size=1,
        max_size=3,
    ).map("/".join),
    unique=True,
    max_size=8,
)


def write_contents(path: Path, contents: dict[str, bytes]) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
        return
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            info = member(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("suffix", [".zip", ".tgz"])
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(names=NAMES, data=st.data())
def test_what_was_packed_is_read_as_it_was(
    tmp_path: Path, suffix: str, names: list[str], data: st.DataObject
) -> None:
    folders = {name.rsplit("/", depth)[0] for name in names for depth in (1, 2) if "/" in name}
    names = [name for name in names if name not in folders and not any(ord(c) == 127 for c in name)]
    contents = {name: data.draw(st.binary(max_size=200)) for name in names}
    path = tmp_path / f"x{suffix}"
    write_contents(path, contents)
    archive = open_archive(path)
    assert set(archive.entries) == set(contents)
    for name, content in contents.items():
        with archive.open(name) as stream:
            assert stream.read() == content
    archive.close()


def zip_bytes() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.so", b"\x7fELF" * 50)
        archive.writestr("c", b"text")
    return out.getvalue()


def tar_bytes(mode: str) -> Callable[[], bytes]:
    def make() -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
            info = member("a/b.so")
            info.size = 200
            archive.addfile(info, io.BytesIO(b"\x7fELF" * 50))
            archive.addfile(member("c", tarfile.SYMTYPE, "a/b.so"))
        return out.getvalue()

    return make


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("x.zip", zip_bytes),
        ("x.tar", tar_bytes("w")),
        ("x.tar.gz", tar_bytes("w:gz")),
        ("x.tar.xz", tar_bytes("w:xz")),
        ("x.tar.bz2", tar_bytes("w:bz2")),
    ],
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
@given(
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=6),
    cut=st.floats(0.1, 1),
)
def test_a_mutated_archive_is_read_or_cannot_be_looked_at(
    tmp_path: Path,
    name: str,
    make: Callable[[], bytes],
    changes: list[tuple[float, int]],
    cut: float,
) -> None:
    data = bytearray(make())
    for where, value in changes:
        data[int(where * len(data))] = value
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * cut)])
    with (
        contextlib.suppress(CannotLookError),
        contextlib.closing(open_archive(path, SMALL)) as archive,
    ):
        for entry in archive.entries:
            archive.open(entry).close()
