"""Virtual environments of another machine that came to Render with the repository.

One as ``.venv`` stands where the service's own belongs; its Python does not start, and the shell
falls back to the next one on ``PATH``. Others lie about, with modules that nothing here can load.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from buildtools.deploy.own_copy import own_requirement
from buildtools.doctor import examine
from buildtools.environment import scan
from buildtools.errors import CannotLookError
from buildtools.findings import Cause
from buildtools.host import Interpreter, interpreter_facts
from buildtools.processes import clean_environment, run

WRONG_KIND = frozenset(
    {
        Cause.FOREIGN_FORMAT,
        Cause.FOREIGN_ARCH,
        Cause.LIBC_MISMATCH,
        Cause.CORRUPT_BINARY,
    }
)
"""A module with one of these can be of no use here, whatever is installed beside it."""

OWN = ".venv"
"""The folder of the service's environment, below the project (Render's page on Python)."""

_PATTERNS = ("*/pyvenv.cfg", "*/*/pyvenv.cfg")
_SECONDS = 300.0

Say = Callable[[str], None]


def remake(root: Path, interpreter: Interpreter, say: Say) -> Interpreter:
    """Make ``.venv`` anew where it holds an environment whose Python does not start here.

    Gives the interpreter that the service will have: the new one's, else the one that was given.
    An environment that works, or none, is left as it is. Raises :class:`CannotLookError` when
    this Python can make no environment.
    """
    own = root / OWN
    if not (own / "pyvenv.cfg").is_file() or own.is_symlink():
        return interpreter
    if interpreter.prefix.resolve() == own.resolve():
        return interpreter
    try:
        interpreter_facts(own)
    except CannotLookError as error:
        why = error
    else:
        return interpreter
    say(f"wrong kind: {OWN} was made on another machine ({_line(why)}); it is made anew")
    aside = root / f"{OWN}.elsewhere"
    shutil.rmtree(aside, ignore_errors=True)
    own.rename(aside)
    made = run([interpreter.executable, "-m", "venv", own], timeout=_SECONDS)
    if not made.ok:
        shutil.rmtree(own, ignore_errors=True)
        aside.rename(own)
        raise CannotLookError(
            "no environment can be made in place of the one that came from another machine",
            where=str(own),
            why=made.tail(5),
            next_step=f"take {OWN} out of the repository: git rm -r --cached {OWN}",
        )
    shutil.rmtree(aside, ignore_errors=True)
    _bring_tool(own, say)
    return interpreter_facts(own)


def _bring_tool(own: Path, say: Say) -> None:
    """Install this tool into the new environment, whose Python the next build starts with.

    Without it that build would bring it, and so change what this one left. It can: this build is
    none the worse where it cannot be had.
    """
    requirement = own_requirement()
    if not requirement:
        return
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
    made = run([own / "bin" / "python", *words], timeout=_SECONDS, env=clean_environment())
    if made.ok:
        say(f"{requirement} is installed into it")
    else:
        say(f"{requirement} could not be installed into it; the next build will: {made.tail(1)}")


def disarm_strays(root: Path, interpreter: Interpreter, say: Say) -> None:
    """Remove modules of the wrong kind from environments that were committed under other names.

    Looked for two folders deep. What else lies in them is left: it may be anything.
    """
    own = {interpreter.prefix.resolve(), (root / OWN).resolve()}
    for pattern in _PATTERNS:
        for settings in sorted(root.glob(pattern)):
            venv = settings.parent
            if venv.is_symlink() or venv.resolve() in own or _inside(venv, own):
                continue
            removed = _disarm(venv, interpreter)
            if removed:
                shown = venv.relative_to(root)
                say(f"removed: {removed} native modules of the wrong kind in {shown}, an"
                    " environment that came from another machine")  # fmt: skip


def _disarm(venv: Path, interpreter: Interpreter) -> int:
    """Remove what can be of no use here; how many files that were."""
    tree = scan(venv, outside=False)
    target = interpreter.target
    if tree.python is not None:
        target = target.with_python(tree.python)
    report = examine(tree, target, {}, host=interpreter)
    paths = {venv / one.path for one in report.findings if one.cause in WRONG_KIND}
    inside = [path for path in paths if path.resolve().is_relative_to(venv.resolve())]
    for path in inside:
        path.unlink(missing_ok=True)
    return len(inside)


def _inside(path: Path, folders: set[Path]) -> bool:
    return any(path.resolve().is_relative_to(folder) for folder in folders)


def _line(error: CannotLookError) -> str:
    return " ".join(str(error).split())
