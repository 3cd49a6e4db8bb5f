"""Debian packages are unpacked without dpkg, and hostile ones are refused."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from buildtools.acquire.debfile import unpack_deb
from buildtools.errors import CannotLookError


def member(name: str, content: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)


def entry(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def deb(
    path: Path,
    *entries: tuple[tarfile.TarInfo, bytes],
    compress: tuple[str, Callable[[bytes], bytes]] = (".xz", lzma.compress),
) -> Path:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    suffix, pack = compress
    path.write_bytes(
        b"!<arch>\n"
        + member("debian-binary", b"2.0\n")
        + member("control.tar.xz", lzma.compress(b"odd"))
        + member(f"data.tar{suffix}", pack(data.getvalue()))
    )
    return path


@pytest.mark.parametrize(
    "compress", [(".xz", lzma.compress), (".gz", gzip.compress), ("", bytes)], ids=["xz", "gz", "-"]
)
def test_files_come_out_whatever_the_compression(
    tmp_path: Path, compress: tuple[str, Callable[[bytes], bytes]]
) -> None:
    package = deb(tmp_path / "a.deb", entry("./usr/lib/a.so", b"elf"), compress=compress)
    assert unpack_deb(package, tmp_path / "root") == ("usr/lib/a.so",)
    assert (tmp_path / "root/usr/lib/a.so").read_bytes() == b"elf"


def test_only_what_is_wanted_is_written(tmp_path: Path) -> None:
    package = deb(tmp_path / "a.deb", entry("usr/lib/a"), entry("etc/b"))
    unpack_deb(package, tmp_path / "root", wanted=lambda name: name.startswith("usr/"))
    assert not (tmp_path / "root/etc").exists()


def test_an_absolute_link_means_the_packages_own_root(tmp_path: Path) -> None:
    package = deb(
        tmp_path / "a.deb",
        entry("usr/lib/x/liba.so.1", b"elf"),
        entry("usr/lib/x/liba.so", b"", type=tarfile.SYMTYPE, linkname="/usr/lib/x/liba.so.1"),
    )
    unpack_deb(package, tmp_path / "root")
    link = tmp_path / "root/usr/lib/x/liba.so"
    assert link.read_bytes() == b"elf"
    assert link.resolve().is_relative_to(tmp_path / "root")


HOSTILE = {
    "absolute name": [entry("/etc/passwd")],
    "parent": [entry("usr/../../x")],
    "link out": [entry("usr/a", b"", type=tarfile.SYMTYPE, linkname="../../etc/passwd")],
    "hard link out": [entry("usr/a", b"", type=tarfile.LNKTYPE, linkname="../x")],
    "device": [entry("dev/sda", b"", type=tarfile.BLKTYPE)],
    "pipe": [entry("run/p", b"", type=tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_package_is_refused(
    tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    package = deb(tmp_path / "a.deb", *entries)
    with pytest.raises(CannotLookError):
        unpack_deb(package, tmp_path / "room" / "root")
    assert [path.name for path in tmp_path.iterdir() if path.name not in {"a.deb", "room"}] == []


def test_a_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "usr").symlink_to(outside)
    with pytest.raises(CannotLookError):
        unpack_deb(deb(tmp_path / "a.deb", entry("usr/x")), root)
    assert list(outside.iterdir()) == []


def test_a_package_cut_anywhere_is_damaged(tmp_path: Path) -> None:
    whole = deb(tmp_path / "a.deb", entry("usr/a", bytes(range(256)) * 40)).read_bytes()
    for part in range(20):
        cut = tmp_path / "cut.deb"
        cut.write_bytes(whole[: len(whole) * part // 20])
        with pytest.raises(CannotLookError):
            unpack_deb(cut, tmp_path / f"root{part}")
