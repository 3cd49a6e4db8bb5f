"""What apt says, in words for a report."""

from __future__ import annotations

import pytest

from buildtools.acquire import AcquireError
from buildtools.acquire.apt import plain_reason


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (
            (
                "E: Failed to fetch http://mirror/debian/pool/main/p/python3.14/"
                "python3.14_3.14.8.orig.tar.xz 404 Not Found [IP: 192.0.2.80 80]; "
                "E: Failed to fetch some archives.; Err:1 http://mirror/debian forky/main python3"
            ),
            "the mirror announces python3.14_3.14.8.orig.tar.xz and does not hold it",
        ),
        ("E: Unable to locate package libx", "E: Unable to locate package libx"),
        ("", "what was done"),
    ],
)
def test_a_file_that_the_mirror_does_not_hold_is_named(why: str, said: str) -> None:
    assert plain_reason(AcquireError("what was done", why=why)) == said
