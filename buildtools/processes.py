"""The only place that starts other programs: argument lists, deadlines, a clean environment.

A child gets a process group of its own, so that a deadline or an interrupt ends it with everything
that it started. Output is kept whole up to a bound, then its tail; credentials are masked in
everything that is kept or passed on. One module, though a long one: nothing else may start a
program.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.errors import CannotLookError

KEPT_BYTES = 4 << 20
"""Bytes kept of each stream; of a longer one the tail is kept."""

PASSED_ON = frozenset(
    (
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "TERM",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC",
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    )
)  # fmt: skip
"""Environment variables that a child inherits; those of pip and proxies come beside them."""

_PASSED_PREFIXES = ("PIP_", "UV_INDEX", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")

_SECRETS = (
    (re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@"), r"\1:****@"),
    (re.compile(r"(?<=://)([^/\s:@]{16,})@"), "****@"),
    (
        re.compile(r"(?i)\b(password|passwd|pwd|token|secret|api[_-]?key)(=|:\s*)[^\s&;,'\"]+"),
        r"\1\2****",
    ),
    (re.compile(r"(?i)\b(authorization:\s*(?:basic|bearer)\s+)\S+"), r"\1****"),
)


_interrupted = threading.Event()


def interrupt_children() -> None:
    """End every child that another thread waits for, and start no more: the user has had enough.

    :func:`run` raises ``KeyboardInterrupt`` in those threads within a quarter of a second.
    """
    _interrupted.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A child that has ended.

    ``returncode`` is its exit code, or minus the signal's number; ``timed_out`` says that it was
    ended by the deadline. ``stdout`` and ``stderr`` are decoded, credentials masked;
    ``stderr`` is empty when the streams were merged.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with 0."""
        return self.returncode == 0 and not self.timed_out

    @property
    def signal(self) -> int | None:
        """The number of the signal that ended it, unless that was the deadline's."""
        return -self.returncode if self.returncode < 0 and not self.timed_out else None

    def tail(self, lines: int = 20) -> str:
        """The last lines of what it said, standard error before standard output."""
        text = self.stderr.strip() or self.stdout.strip()
        return "\n".join(text.splitlines()[-lines:])


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with credentials masked: those in URLs, ``password=…``, headers, and ``secrets``."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "****")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def clean_environment(
    extra: Mapping[str, str] | None = None, *, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What a child sees: paths, locale, proxies and pip's settings of ``base``, then ``extra``.

    ``PYTHON*`` variables are not inherited: they would change what the child imports.
    """
    source = os.environ if base is None else base
    kept = {
        key: value
        for key, value in source.items()
        if key in PASSED_ON or key.upper().startswith(_PASSED_PREFIXES)
    }
    return {**kept, **(extra or {})}


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    merge: bool = False,
    on_line: Callable[[str], None] | None = None,
    secrets: Sequence[str] = (),
) -> Completed:
    """Run a program to its end, or until ``timeout`` seconds have passed.

    ``env`` is the child's whole environment (:func:`clean_environment` when None). ``on_line`` gets
    each line of output as it comes, masked. ``merge`` sends standard error into standard output.
    Raises :class:`CannotLookError` when the program cannot be started. A non-zero exit is not an
    error here: the caller knows what it means.
    """
    words = tuple(os.fspath(word) for word in argv)
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            env=dict(clean_environment() if env is None else env),
            cwd=cwd,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise CannotLookError(
            f"{words[0]} could not be started", where=str(cwd or ""), why=str(error)
        ) from error
    reader = _Reader(process, stdin, started + timeout, on_line, secrets)
    _watch.begins(process.pid)
    try:
        timed_out = reader.pump()
    except BaseException:
        _end_group(process)
        raise
    else:
        if timed_out:
            _end_group(process)
    finally:
        _watch.ended(process.pid)
    returncode = process.wait()
    return Completed(
        argv=words,
        returncode=returncode,
        stdout=reader.text(process.stdout),
        stderr=reader.text(process.stderr),
        seconds=time.monotonic() - started,
        timed_out=timed_out,
    )


class _Watch:
    """Ends the children's groups when this process is killed and can no longer do so itself.

    One small shell beside this process, started with the first child, reads the numbers of groups
    from a pipe; the system closes that pipe however this process ends.
    """

    _SCRIPT = (
        "groups=' '\n"
        "while read -r what group; do\n"
        '  case "$what" in\n'
        '    begins) groups="$groups$group " ;;\n'
        '    ended) groups="${groups%% $group *} ${groups#* $group }" ;;\n'
        "  esac\n"
        "done\n"
        "for group in $groups; do kill -s KILL -- -$group; done\n"
    )

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._shell: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def begins(self, group: int) -> None:
        """From now on this group must not outlive this process."""
        self._tell("begins", group)

    def ended(self, group: int) -> None:
        """This group is no longer watched; its number may be another's soon."""
        self._tell("ended", group)

    def _tell(self, what: str, group: int) -> None:
        # Without the shell a child that outlives a kill is all that is lost.
        with self._guard, contextlib.suppress(OSError):
            if self._shell is None or self._owner != os.getpid():
                self._owner = os.getpid()
                atexit.register(self._end, self._owner)
                self._shell = subprocess.Popen(
                    ["/bin/sh", "-c", self._SCRIPT],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={},
                    start_new_session=True,
                )
            if self._shell.stdin is not None:
                self._shell.stdin.write(f"{what} {group}\n".encode())
                self._shell.stdin.flush()

    def _end(self, owner: int) -> None:
        """Let the shell go, at this process's own end; a fork of it has none of its own."""
        with self._guard, contextlib.suppress(OSError):
            if self._shell is not None and self._shell.stdin is not None and owner == os.getpid():
                self._shell.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._shell.wait(1)


_watch = _Watch()


class _Reader:
    """Feeds and drains a child's pipes until they close or the deadline passes."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stdin: bytes,
        deadline: float,
        on_line: Callable[[str], None] | None,
        secrets: Sequence[str],
    ) -> None:
        self._process = process
        self._deadline = deadline
        self._on_line = on_line
        self._secrets = secrets
        self._kept: dict[int, bytearray] = {}
        self._partial: dict[int, bytes] = {}
        self._stdin = memoryview(stdin)

    def pump(self) -> bool:
        """Move bytes until every pipe is closed and the child has ended; True at the deadline."""
        process = self._process
        with selectors.DefaultSelector() as selector:
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ)
                    self._kept[id(pipe)] = bytearray()
            if process.stdin is not None:
                os.set_blocking(process.stdin.fileno(), False)
                selector.register(process.stdin, selectors.EVENT_WRITE)
            while selector.get_map():
                if not self._wait_and_move(selector):
                    return True
                # A grandchild may hold the pipes open after the child is gone.
                if process.poll() is not None and not selector.select(0):
                    break
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                self._lines(id(pipe), b"\n")
        try:
            process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return True
        return False

    def _wait_and_move(self, selector: selectors.BaseSelector) -> bool:
        """Move what is ready within a quarter of a second; False when the deadline has passed."""
        if _interrupted.is_set():
            raise KeyboardInterrupt
        left = self._deadline - time.monotonic()
        if left <= 0:
            return False
        for key, mask in selector.select(min(left, 0.25)):
            if mask & selectors.EVENT_WRITE:
                self._feed(selector)
            else:
                self._drain(selector, key.fileobj)
        return True

    def _feed(self, selector: selectors.BaseSelector) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        try:
            if self._stdin:
                self._stdin = self._stdin[os.write(pipe.fileno(), self._stdin[:65536]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._stdin = memoryview(b"")
        if not self._stdin:
            selector.unregister(pipe)
            with contextlib.suppress(OSError):
                pipe.close()

    def _drain(self, selector: selectors.BaseSelector, pipe: object) -> None:
        chunk = os.read(pipe.fileno(), 65536)  # type: ignore[attr-defined]
        if not chunk:
            selector.unregister(pipe)  # type: ignore[arg-type]
            return
        kept = self._kept[id(pipe)]
        kept += chunk
        if len(kept) > 2 * KEPT_BYTES:
            del kept[:-KEPT_BYTES]
        self._lines(id(pipe), chunk)

    def _lines(self, pipe: int, chunk: bytes) -> None:
        if self._on_line is None:
            return
        *lines, rest = (self._partial.get(pipe, b"") + chunk).split(b"\n")
        self._partial[pipe] = rest
        for line in lines:
            if line.strip():
                self._on_line(redact(line.decode(errors="replace").rstrip(), self._secrets))

    def text(self, pipe: object) -> str:
        """What was kept of one stream, masked."""
        if pipe is None:
            return ""
        pipe.close()  # type: ignore[attr-defined]
        kept = self._kept[id(pipe)]
        return redact(bytes(kept[-KEPT_BYTES:]).decode(errors="replace"), self._secrets)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the child and everything in its group: asked first, then made to."""
    for number, grace in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
            if number is signal.SIGKILL:
                return


class Lasting:
    """A child that may outlive this process; its output goes to a file, it has its own session."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        """Its exit code (minus the signal's number), or None while it runs."""
        return self._process.poll()

    def end(self, grace: float) -> int:
        """Ask it to end, make it after ``grace`` seconds, and give its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()


def start_lasting(
    argv: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
) -> Lasting:
    """Start a program that goes on by itself; what it says is appended to ``log``.

    Raises :class:`CannotLookError` when it cannot be started.
    """
    words = tuple(os.fspath(word) for word in argv)
    try:
        with log.open("ab") as out:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
    except (OSError, ValueError) as error:
        raise CannotLookError(
            f"{words[0]} could not be started", where=str(cwd or ""), why=str(error)
        ) from error
    return Lasting(process)


def birth_of(pid: int) -> str | None:
    """What tells a process from a later one with the same number; None when it is not alive.

    On Linux the start time of ``/proc/PID/stat`` (ticks since boot, field 22 of proc(5)),
    elsewhere what ``ps`` says. A dead child that nobody has waited for is not alive.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    else:
        fields = text.rpartition(")")[2].split()
        return None if fields[0] in {"Z", "X"} else fields[19]
    found = run(("ps", "-o", "stat=,lstart=", "-p", str(pid)), timeout=10)
    state, _, started = found.stdout.strip().partition(" ")
    return None if not found.ok or state.startswith("Z") else started.strip()


def send_signal(pid: int, birth: str, number: signal.Signals) -> bool:
    """Signal the process that was born then; False when it is gone."""
    if birth_of(pid) != birth:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
