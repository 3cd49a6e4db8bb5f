"""Who listens at a port, by the kernel's tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildtools.stack.listeners import listener

HEAD = (
    "  sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode"
)
ROW = "   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 {inode} 1"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Redis listens at 6379 (0x18EB) and has a connection at 3306 (0x0CEA); 1 tells nothing."""
    (tmp_path / "net").mkdir()
    rows = (
        ROW.format(address="0100007F:18EB", state="0A", inode=4711),
        ROW.format(address="0100007F:0CEA", state="01", inode=4712),
        ROW.format(address="0100007F:2384", state="0A", inode=4713),
    )
    (tmp_path / "net" / "tcp").write_text("\n".join((HEAD, *rows, "")))
    (tmp_path / "1").mkdir()
    own = tmp_path / "71" / "fd"
    own.mkdir(parents=True)
    for number, target in ((0, "/dev/null"), (6, "socket:[4711]"), (7, "socket:[4712]")):
        (own / str(number)).symlink_to(target)
    (tmp_path / "71" / "cmdline").write_bytes(b"/usr/bin/redis-server 127.0.0.1:6379\0")
    return tmp_path


@pytest.mark.parametrize(
    ("port", "who"),
    [
        (6379, "redis-server (process 71)"),
        (3306, ""),
        (9092, ""),
        (1, ""),
    ],
    ids=["listens", "only connected", "nobody to be seen", "free"],
)
def test_a_listener_is_named_where_it_can_be_seen(proc: Path, port: int, who: str) -> None:
    assert listener(port, proc) == who


def test_without_the_kernels_tables_nobody_is_named(tmp_path: Path) -> None:
    assert listener(6379, tmp_path) == ""
