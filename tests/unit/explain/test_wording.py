# ruff: noqa: ISC004 - a line of a program's is one string
"""Other languages, a page's escapes and JSON's are read as what the program printed."""

import html
import json

import pytest

from buildtools.explain import explain
from buildtools.explain.rules import load_data
from buildtools.explain.wording import comparable, printable, unescaped

SAID = {
    "bash, Spanish": ("bash: mysql_config: orden no encontrada", "missing-mysql-config"),
    "bash, French": ("bash: gcc : commande introuvable", "missing-compiler"),
    "bash, Chinese": ("bash: pkg-config: 未找到命令", "missing-pkg-config"),
    "glibc, German": (
        "ImportError: libmariadb.so.3: Kann die Shared-Object-Datei nicht öffnen: "
        "Datei oder Verzeichnis nicht gefunden",
        "missing-library",
    ),
    "glibc, Russian": ("ImportError: /a/x.so: неверный заголовок ELF", "foreign-format"),
    "glibc, Portuguese": ("OSError: Não há espaço disponível no dispositivo", "no-space"),
    "gcc, German": (
        "a.c:1:10: schwerwiegender Fehler: mysql.h: Datei oder Verzeichnis nicht gefunden",
        "missing-client-headers",
    ),
    "ld, Chinese": ("/usr/bin/ld: 找不到 -lmysqlclient", "missing-link-library"),
    "ld, Spanish": ("/usr/bin/ld: no se puede encontrar -lz", "missing-link-library"),
    "ld, old German": ("/usr/bin/ld: kann -lssl nicht finden", "missing-link-library"),
    "ld, Japanese": ("/usr/bin/ld: -lssl が見つかりません", "missing-link-library"),
    "Windows, German": (
        "ImportError: DLL load failed: Das angegebene Modul wurde nicht gefunden.",
        "missing-library",
    ),
    "Windows, French": (
        "OSError: [WinError 193] %1 n\u2019est pas une application Win32 valide",
        "foreign-arch",
    ),
}


@pytest.mark.parametrize(("line", "cause"), SAID.values(), ids=SAID)
def test_a_program_that_speaks_another_language_is_understood(line: str, cause: str) -> None:
    assert explain(line).cause == cause


def test_each_saying_becomes_its_english() -> None:
    for english, sayings in load_data("sayings.yaml").items():
        for saying in sayings:
            assert english in comparable([f"x: {saying}"])[0], saying


LINE = 'ImportError: libc.so.6: version `GLIBC_2.38\' not found (required by "/a/x.so")'


@pytest.mark.parametrize(
    "text",
    [
        html.escape(LINE),
        json.dumps({"level": "error", "msg": f"Traceback\n  File x\n{LINE}"}),
        f'{{"log": {json.dumps(LINE)}, "stream": "stderr"}}',
        LINE.replace("`", "\u2018").replace("'", "\u2019"),
    ],
)
def test_escapes_hide_nothing(text: str) -> None:
    found = explain(text)
    assert found.cause == "libc-too-old"
    assert "GLIBC_2.38" in found.explanation
    assert found.evidence[0].line == 1


def test_a_line_of_json_is_the_lines_it_holds() -> None:
    assert unescaped(r'{"msg": "one\n two\t\"three\" \u00e4"}') == [
        '{"msg": "one',
        ' two "three" ä"}',
    ]


def test_a_path_of_windows_is_no_escape() -> None:
    line = r"C:\new\table.txt: invalid ELF header"
    assert unescaped(line) == [line]


def test_what_only_a_terminal_sees_is_gone() -> None:
    assert printable("\x1b[1;31mred\x1b[0m\x07\u200b \x9b1mbold\r\nnext") == ["red bold", "\nnext"]
