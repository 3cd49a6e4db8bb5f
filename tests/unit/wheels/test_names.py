"""Wheel file names: read, or refused; never a path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import parse_wheel_filename

from buildtools.wheels import WheelInvalidError, normalized_name, parse_wheel_name

NAMES = (
    "mysqlclient-2.3.1-cp311-cp311-manylinux_2_34_x86_64.whl",
    "asyncmy-0.2.18-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    "mysql_connector_python-26.10.0-py2.py3-none-any.whl",
    "apsw-3.54.1.0-1build-cp311-cp311-macosx_11_0_arm64.whl",
    "local-1.0+deb12.1-py3-none-any.whl",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read_as_packaging_reads_it(name: str) -> None:
    ours = parse_wheel_name(name)
    distribution, version, build, tags = parse_wheel_filename(name)
    assert ours.distribution == distribution
    assert ours.version == str(version)
    assert ours.build == "".join(str(part) for part in build)
    assert set(ours.tags) == {str(tag) for tag in tags}


@pytest.mark.parametrize(
    "name",
    ["", "x.whl", "a-1-py3-none.whl", "../a-1-py3-none-any.whl", "a/b-1-py3-none-any.whl",
     "a-1-py3-none-any.zip", "a-1..2-py3-none-any.whl", "a-1-b-py3-none-any.whl",
     "a b-1-py3-none-any.whl", "a-1-py3-none-any.whl\n", "-1-py3-none-any.whl",
     f"{'a' * 300}-1-py3-none-any.whl", "a-1;rm-py3-none-any.whl"],
)  # fmt: skip
def test_what_is_no_wheels_name_is_refused(name: str) -> None:
    with pytest.raises(WheelInvalidError):
        parse_wheel_name(name)


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        parsed = parse_wheel_name(text)
    except WheelInvalidError:
        return
    assert "/" not in parsed.filename
    assert parsed.tags


def test_names_are_compared_as_pep_503_has_it() -> None:
    assert normalized_name("MySQL_Connector.-Python") == "mysql-connector-python"
