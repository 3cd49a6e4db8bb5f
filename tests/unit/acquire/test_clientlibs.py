"""What client libraries say of themselves, moved into the tree that they stand in."""

from __future__ import annotations

from pathlib import Path

from buildtools.acquire.clientlibs import config_tool_answers, connector_version, read_pc

PC = """prefix=/usr
includedir=${prefix}/include
libdir=${prefix}/lib/x86_64-linux-gnu

Name: libmariadb
Version: 3.3.20
Cflags: -I${includedir}/mariadb -DX="a b"
Libs: -L${libdir} -lmariadb
"""


def test_a_pc_file_is_read_with_its_paths_below_the_tree() -> None:
    answer = read_pc(PC, Path("/tree"))
    assert answer.version == "3.3.20"
    assert answer.cflags == ("-I/tree/usr/include/mariadb", "-DX=a b")
    assert answer.libs == ("-L/tree/usr/lib/x86_64-linux-gnu", "-lmariadb")


def test_variables_that_name_each_other_end() -> None:
    assert read_pc("a=${b}\nb=${a}\nLibs: -l${a}\n", Path("/r")).libs[0].startswith("-l")


def test_the_connectors_version_is_its_own_not_the_servers(tmp_path: Path) -> None:
    (tmp_path / "mariadb_version.h").write_text(
        '#define MARIADB_CLIENT_VERSION_STR "10.11.19"\n#define MARIADB_PACKAGE_VERSION "3.3.20"\n'
    )
    assert connector_version(tmp_path) == "3.3.20"
    answers = config_tool_answers(tmp_path, Path("/l"), ("mariadb",), "")
    assert answers["cc_version"] == "3.3.20"
    assert answers["libs"] == "-L/l -lmariadb"
    assert answers["include"] == f"-I{tmp_path}"


def test_without_headers_there_is_no_version(tmp_path: Path) -> None:
    assert connector_version(tmp_path) == ""
