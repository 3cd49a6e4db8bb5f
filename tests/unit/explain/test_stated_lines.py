"""Every cause is told from a line that states it, bare and in the dress that a log puts on it."""

import pytest

from buildtools.explain import explain
from buildtools.findings import Cause
from tests.unit.explain.ordinary_lines import NEGATIVES
from tests.unit.explain.stated_lines import LINES
from tests.unit.explain.stated_texts import TEXTS

DRESSES = {
    "buildkit": "#12 34.56 {}",
    "compose": "kafka-1  | {}",
    "actions": "2026-11-22T04:36:53.1234567Z {}",
    "heroku": "remote:        {}",
    "pip's box": "      │ {}",
    "colour": "\x1b[31m{}\x1b[0m",
    "carriage return": "{}\r",
    "npm": "npm error {}",
    "quoted": "> {}",
    "kubernetes": "2026-11-22T04:36:53.123456789Z stderr F {}",
    "journald": "Nov 25 10:00:00 web1 app[123]: {}",
    "gh run view": "build\tInstall\t2026-11-22T04:36:53.1234567Z {}",
    "log4j": "2026-11-22 04:36:53,123 [worker-3] ERROR app.main - {}",
}


@pytest.mark.parametrize(("cause", "line"), LINES)
def test_a_stated_line_has_its_cause(cause: str, line: str) -> None:
    found = explain(line)
    assert found.cause == cause
    assert found.confidence >= 0.5
    assert found.explanation
    assert found.remedy
    assert found.evidence[0].line == 1


@pytest.mark.parametrize("dress", DRESSES.values(), ids=DRESSES)
def test_what_a_log_puts_before_a_line_changes_nothing(dress: str) -> None:
    wrong = [
        (cause, line)
        for cause, line in LINES
        if explain(f"building\n{dress.format(line)}\ndone").cause != cause
    ]
    assert wrong == []


@pytest.mark.parametrize(("cause", "text"), TEXTS)
def test_a_stated_text_has_its_root(cause: str, text: str) -> None:
    assert explain(text).cause == cause


@pytest.mark.parametrize("dress", DRESSES.values(), ids=DRESSES)
def test_nor_before_the_lines_of_a_text(dress: str) -> None:
    wrong = [
        (cause, text)
        for cause, text in TEXTS
        if explain("\n".join(map(dress.format, text.split("\n")))).cause != cause
    ]
    assert wrong == []


@pytest.mark.parametrize("mark", ["", "2026-11-22T04:36:53.123Z  ", "web-1  | "])
@pytest.mark.parametrize("width", [80, 100])
def test_a_line_may_be_wrapped_and_then_marked(width: int, mark: str) -> None:
    wrong = []
    for cause, line in LINES:
        words = f"{'x' * (width - 14)} failed: {line}"
        pieces = [words[start : start + width] for start in range(0, len(words), width)]
        text = "\n".join(mark + piece for piece in pieces)
        if explain(f"{mark}building\n{text}\n{mark}done").cause != cause:
            wrong.append((cause, line))
    assert wrong == []


@pytest.mark.parametrize("line", NEGATIVES)
def test_what_names_no_cause_stays_unknown(line: str) -> None:
    found = explain(line)
    assert found.cause is Cause.UNKNOWN
    assert found.confidence < 0.8


def test_every_cause_is_stated() -> None:
    assert {cause for cause, _ in LINES} == {cause.value for cause in Cause} - {"unknown"}


def test_a_line_cut_at_eighty_columns_is_put_together_again() -> None:
    line = f"ImportError: /srv/{'a' * 54}.so: undefined symbol: mysql_affected_rows" + " so on" * 20
    assert line[80:].startswith("efined symbol")
    padding = "x" * 80
    cut = "\n".join([padding, *(line[at : at + 80] for at in range(0, len(line), 80))])
    found = explain(cut)
    assert found.cause is Cause.MISSING_SYMBOL
    assert "mysql_affected_rows" in found.explanation


def test_a_line_wrapped_between_words_is_put_together_again() -> None:
    found = explain(
        "./test: error while loading shared libraries: libmariadb.so.3: cannot\n"
        "open shared object file: No such file or directory\n"
    )
    assert found.cause is Cause.MISSING_LIBRARY
    assert "libmariadb.so.3" in found.explanation


@pytest.mark.parametrize(
    "line",
    [
        "a.c:1:10: schwerwiegender Fehler: Python.h: Datei oder Verzeichnis nicht gefunden",
        "a.c:1:10: erreur fatale: Python.h : Aucun fichier ou dossier de ce type",
        "a.c:1:10: 致命错误\uff1aPython.h\uff1a没有那个文件或目录",
    ],
)
def test_a_compiler_that_speaks_another_language_is_understood(line: str) -> None:
    assert explain(line).cause == "missing-python-headers"


def test_typographic_quotes_are_quotes() -> None:
    line = "libc.so.6: version \u2018GLIBC_2.38\u2019 not found"
    assert explain(line).cause is Cause.LIBC_TOO_OLD
