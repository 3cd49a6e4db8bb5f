"""RECORD's native rows are found fast and read as CSV reads them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildtools.environment.distributions import (
    RecordRow,
    normalized,
    read_folder_name,
    record_rows,
)


def test_native_rows_with_and_without_digest() -> None:
    text = (
        "pkg/__init__.py,sha256=aaa,10\n"
        "pkg/_m.cpython-311-x86_64-linux-gnu.so,sha256=bbb,20\n"
        "pkg.libs/libssl.so.3,,\n"
        '"pkg/a,b.so",sha256=ccc,30\n'
        "pkg/x.sorted.py,sha256=ddd,40\n"
        "pkg/m.so,md5=eee,5\r\n"
        "pkg-1.dist-info/RECORD,,"
    )
    assert record_rows(text) == [
        RecordRow(path="pkg/_m.cpython-311-x86_64-linux-gnu.so", digest="bbb", size=20),
        RecordRow(path="pkg.libs/libssl.so.3", digest="", size=-1),
        RecordRow(path="pkg/a,b.so", digest="ccc", size=30),
        RecordRow(path="pkg/m.so", digest="", size=5),
    ]


PATHS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
    min_size=1,
    max_size=12,
)


@given(stems=st.lists(st.tuples(PATHS, st.sampled_from([".so", ".py", ".so.1", ".pyd", ""]))))
def test_every_native_row_of_any_record_is_found(stems: list[tuple[str, str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    rows = [
        ("d/" + stem + suffix, f"sha256=x{at}", str(at)) for at, (stem, suffix) in enumerate(stems)
    ]
    writer.writerows(rows)
    found = {row.path: row.size for row in record_rows(out.getvalue())}
    for path, _, size in rows:
        if path.endswith((".so", ".so.1", ".pyd")):
            assert found[path] == max(int(s) for p, _, s in rows if p == path)
        del size


@given(st.text(max_size=200))
def test_any_text_is_read_without_a_word(text: str) -> None:
    record_rows(text)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("numpy-2.1.0.dist-info", ("numpy", "2.1.0")),
        ("mysql_connector_python-9.1.0.dist-info", ("mysql_connector_python", "9.1.0")),
        ("distro_info-1.5+deb12u1.egg-info", ("distro_info", "1.5+deb12u1")),
        ("foo-1.0-py3.11.egg-info", ("foo", "1.0")),
        ("readme.dist-info", None),
        ("x.py", None),
    ],
)
def test_name_and_version_of_a_folder(folder: str, expected: tuple[str, str] | None) -> None:
    assert read_folder_name(folder) == expected


def test_names_are_compared_as_pep_503_says() -> None:
    assert normalized("My.Cool__Pkg-X") == "my-cool-pkg-x"
