"""How results and progress are shown: a table or one JSON document, a live line or a log line.

Results go to standard output, progress to standard error. Colour and live lines appear only on a
terminal, and ``NO_COLOR`` is honoured (no-color.org).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, TaskID

_STYLES: Mapping[str, str] = {
    "error": "31", "failed": "31", "crashed": "31", "timeout": "31", "rolled-back": "31",
    "warning": "33", "fallback": "33", "absent": "33",
    "ok": "32", "keep": "32", "healthy": "32", "installed": "32",
    "info": "36", "fetch": "36", "build": "36",
}  # fmt: skip
"""ANSI colours of the words that carry a verdict, where they fill a cell of a table."""


class Screen:
    """Where a command's words go.

    ``json`` sends exactly one document to standard output and leaves progress on standard error;
    ``quiet`` drops progress. A context manager: live lines are cleared when it ends.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        quiet: bool = False,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.documented = False
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._colour = self._out.isatty() and _colour_wanted()
        self._live = self._err.isatty() and not quiet and os.environ.get("TERM") != "dumb"
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._guard = threading.Lock()
        self._last: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the live lines; a later event starts them anew."""
        with self._guard:
            if self._progress is not None:
                self._progress.stop()
                self._progress = None
                self._tasks.clear()

    def document(self, command: str, body: Mapping[str, object]) -> None:
        """Print the command's one JSON document, ``schema`` first."""
        self.close()
        self.documented = True
        document = {"schema": f"buildtools.{command}/1", **body}
        self._out.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        self._out.flush()

    def line(self, text: str = "") -> None:
        """Print one line of a result."""
        self.close()
        self._out.write(text + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
        """Print rows below their headings, as wide as they need to be; no cell is cut."""
        self.close()
        cells = [[str(cell) for cell in row] for row in rows]
        if title:
            self._out.write(self.emphasis(title) + "\n")
        widths = [
            max([len(column), *(len(row[at]) for row in cells)])
            for at, column in enumerate(columns)
        ]
        heading = "  ".join(c.ljust(w) for c, w in zip(columns, widths, strict=True)).rstrip()
        self._out.write(self.emphasis(heading) + "\n")
        for row in cells:
            shown = [self._cell(c, w) for c, w in zip(row, widths, strict=True)]
            self._out.write("  ".join(shown).rstrip() + "\n")

    def emphasis(self, text: str) -> str:
        """The text in bold where colour is wanted."""
        return f"\x1b[1m{text}\x1b[0m" if self._colour else text

    def verdict(self, text: str) -> str:
        """A word of verdict in its colour."""
        code = _STYLES.get(text)
        return f"\x1b[{code}m{text}\x1b[0m" if code and self._colour else text

    def _cell(self, text: str, width: int) -> str:
        return self.verdict(text) + " " * (width - len(text))

    def event(self, name: str, stage: str, detail: str = "", fraction: float | None = None) -> None:
        """Say how far ``name`` (a driver) is: ``stage`` is a word or two, ``fraction`` 0 to 1.

        A live line on a terminal; elsewhere a line with the time, once per stage and detail.
        """
        if self.quiet:
            return
        with self._guard:
            if self._live:
                self._event_live(name, stage, detail, fraction)
                return
            said = f"{stage}: {detail}" if detail else stage
            if self._last.get(name) != said:
                self._last[name] = said
                self._write_log(f"{name}: {said}")

    def log(self, text: str) -> None:
        """Say something on the way, on standard error."""
        if self.quiet:
            return
        with self._guard:
            if self._progress is not None:
                self._progress.console.print(text, markup=False, highlight=False)
            else:
                self._write_log(text)

    def error(self, text: str) -> None:
        """Say why the command failed, on standard error, whatever ``quiet`` says."""
        self.close()
        red = self._err.isatty() and _colour_wanted()
        head = "\x1b[1;31merror:\x1b[0m" if red else "error:"
        self._err.write(f"{head} {text}\n")

    def _write_log(self, text: str) -> None:
        stamp = time.strftime("%H:%M:%S")
        for line in text.splitlines() or [""]:
            self._err.write(line + "\n" if self._live else f"{stamp} {line}\n")
        self._err.flush()

    def _event_live(self, name: str, stage: str, detail: str, fraction: float | None) -> None:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as RichProgress

            self._progress = RichProgress(
                SpinnerColumn(),
                TextColumn("[bold]{task.fields[name]}"),
                TextColumn("{task.description}"),
                BarColumn(bar_width=16),
                TimeElapsedColumn(),
                console=Console(file=self._err, no_color=not _colour_wanted()),
                transient=True,
            )
            self._progress.start()
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task("", name=name, total=None)
        from rich.markup import escape

        self._progress.update(
            self._tasks[name],
            description=escape(f"{stage} {detail}".strip()[:72]),
            total=1.0 if fraction is not None else None,
            completed=fraction or 0.0,
        )


def _colour_wanted() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
