"""Lines made comparable: without colour, with one kind of quote, in English, and unwrapped."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from buildtools.explain.reading import RawLine

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]"
    r"|[\x00-\x08\x0b-\x1f\x7f]"
)
_QUOTES = str.maketrans({
    "\u2018": "'", "\u2019": "'", "`": "'", "\u201c": '"', "\u201d": '"', "\u00b4": "'",
    "\u00a0": " ", "\u0130": "I", "\u00ab": '"', "\u00bb": '"',
    "\uff1a": ":",
})  # fmt: skip

_PREFIX = re.compile(
    r"""(?x) ^ (?:
      \s+ | [>│|]\s? | ╰─>\s? | \xd7\s
    | \#\d+\s+\d+\.\d+\s            # BuildKit: step and seconds
    | \#\d+\s
    | \d+\.\d{2,}\s                 # BuildKit's summary: seconds
    | [\w.-]{1,60}\s+\|\s           # compose: service
    | remote:\s                     # Heroku, through git
    | npm\s(?:ERR!|error|warn|WARN)\s | gyp\s(?:ERR!|info|verb)\s
    | \[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?:?\s
    | ==>\s | ----->\s
    )"""
)
"""What stands before a line and is not part of it."""

_SAYINGS = (
    (
        re.compile(
            r"Datei oder Verzeichnis nicht gefunden|Aucun fichier ou dossier de ce (?:type|nom)"
            r"|No existe el (?:archivo|fichero) o el directorio|没有那个文件或目录"
            r"|沒有此一檔案或目錄|そのようなファイルやディレクトリはありません"
            r"|Нет такого файла или каталога|Arquivo ou diretório (?:inexistente|não encontrado)"
            r"|File o directory non esistente|Nie ma takiego pliku ani katalogu"
            r"|Bestand of map bestaat niet|Böyle bir dosya ya da dizin yok"
            r"|그런 파일이나 디렉터리가 없습니다|Ficheiro ou directoria inexistente"
        ),
        "No such file or directory",
    ),
    (
        re.compile(
            r"schwerwiegender Fehler|erreur fatale|error fatal|致命错误|致命的エラー"
            r"|фатальная ошибка|erro fatal|errore irreversibile|치명적인 오류"
        ),
        "fatal error",
    ),
    (
        re.compile(
            r"Auf dem Gerät ist kein Speicherplatz mehr verfügbar|Aucun espace disponible sur le "
            r"périphérique|No queda espacio en el dispositivo|设备上没有空间|Нет места на "
            r"устройстве|デバイスに空き領域がありません|Não há espaço disponível no dispositivo"
        ),
        "No space left on device",
    ),
    (
        re.compile(
            r"Kommando nicht gefunden|commande introuvable|no se encontró la orden|未找到命令"
        ),
        "command not found",
    ),
    (
        re.compile(
            r"kann Objektdatei nicht öffnen|无法打开共享对象文件"
            r"|не удалось открыть общий объект"
        ),
        "cannot open shared object file",
    ),
    (re.compile(r" : (?=No such file)|:(?=No such file)"), ": "),
)  # fmt: skip
"""The C library's and GCC's words in other languages (glibc and gcc message catalogues)."""

_SAID = re.compile("|".join(pattern.pattern for pattern, _ in _SAYINGS))

WRAP_WIDTH = 60
_FLOW_LIMIT = 256 << 10


@dataclass(frozen=True, slots=True)
class Document:
    """A text to search, its lower-case twin of the same length, and where its lines begin.

    ``numbers`` are the lines' numbers in the original; ``shown`` their words without colour.
    ``flowed`` says that line ends were taken out.
    """

    text: str
    lower: str
    starts: Sequence[int]
    numbers: Sequence[int]
    shown: Sequence[str]
    flowed: bool

    def line_at(self, offset: int) -> int:
        """The index of the line that holds the character at ``offset``."""
        return bisect_right(self.starts, offset) - 1

    def line_span(self, offset: int, more: int = 0) -> tuple[int, int]:
        """Where the line around ``offset`` begins and ends, with ``more`` lines after it."""
        at = self.line_at(offset)
        end = at + 1 + more
        return self.starts[at], self.starts[end] if end < len(self.starts) else len(self.text)


def documents(lines: Sequence[RawLine]) -> tuple[Document, ...]:
    """The text line by line; then, if it is not too long, with its wrapping undone."""
    shown: list[str] = []
    numbers: list[int] = []
    for line in lines:
        for part in _clean(line.data.decode(errors="replace")):
            shown.append(part)
            numbers.append(line.number)
    plain = [_comparable(part) for part in shown]
    made = [_document(plain, numbers, shown, "\n")]
    if len(made[0].text) <= _FLOW_LIMIT and len(plain) > 1:
        made.append(_document(*_unwrapped(plain, numbers, shown)))
        stripped = [_without_prefix(part) for part in plain]
        made.append(_document(stripped, numbers, shown, " "))
    return tuple(made)


def _clean(text: str) -> list[str]:
    """A line without escapes; what a carriage return overwrote stays, as a line of its own."""
    parts = [part for part in text.split("\r") if part.strip()] or [""]
    return [_ESCAPES.sub("", part).rstrip() for part in parts]


def _comparable(text: str) -> str:
    text = text.translate(_QUOTES)
    if _SAID.search(text):
        for pattern, english in _SAYINGS:
            text = pattern.sub(english, text)
    return text


def _without_prefix(text: str) -> str:
    for _ in range(6):
        shorter = _PREFIX.sub("", text, count=1)
        if shorter == text:
            break
        text = shorter
    return text.rstrip()


def _unwrapped(
    plain: list[str], numbers: list[int], shown: list[str]
) -> tuple[list[str], list[int], list[str], str]:
    """Lines cut at a fixed width put together again, as a terminal's copy cuts them."""
    width = max(map(len, plain))
    full = sum(len(line) == width for line in plain)
    if width < WRAP_WIDTH or full < 2:  # noqa: PLR2004 - one longest line is no pattern
        return plain, numbers, shown, "\n"
    joined: list[str] = []
    kept: list[int] = []
    texts: list[str] = []
    going_on = False
    for line, number, text in zip(plain, numbers, shown, strict=True):
        if going_on:
            joined[-1] += line
            texts[-1] += text
        else:
            joined.append(line)
            kept.append(number)
            texts.append(text)
        going_on = len(line) == width
    return joined, kept, texts, "\n"


def _document(
    plain: Sequence[str], numbers: Sequence[int], shown: Sequence[str], glue: str
) -> Document:
    starts = []
    at = 0
    for line in plain:
        starts.append(at)
        at += len(line) + len(glue)
    text = glue.join(plain)
    lower = text.lower()
    if len(lower) != len(text):
        # A character whose lower case is longer: none of ours, and it would shift every offset.
        text = text.encode("ascii", "replace").decode()
        lower = text.lower()
    return Document(text, lower, starts, numbers, shown, glue == " ")
