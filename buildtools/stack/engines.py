"""Which engine runs the stack, and why that one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from buildtools.errors import BuildtoolsError, UsageError
from buildtools.stack.engine_docker import DockerEngine
from buildtools.stack.engine_process import ProcessEngine
from buildtools.stack.memory import remembered_engine
from buildtools.stack.settings import Settings, env_file, env_text, read_env
from buildtools.stack.states import Engine, EngineName

AUTO = "auto"
CHOICES = (*EngineName, AUTO)
VARIABLE = "STACK_ENGINE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An engine, and why it was taken."""

    engine: Engine
    why: str

    @property
    def name(self) -> EngineName:
        """The engine's name."""
        return self.engine.name


def choose(asked: str | None, settings: Settings, environ: Mapping[str, str]) -> Choice:
    """The engine that was asked for; else the last one; else Docker where it can be used.

    ``auto`` looks at Docker (its client, its engine within 5 s, compose 2), and takes processes,
    with the reason, where it is not to be had. Raises :class:`UsageError` for a name that is none.
    """
    word, why = _asked(asked, settings, environ)
    if word != AUTO:
        return Choice(engine=_make(EngineName(word), settings, environ), why=why)
    last = remembered_engine(settings)
    if last is not None:
        return Choice(engine=_make(last, settings, environ), why="the stack was last started by it")
    found = DockerEngine(settings, environ)
    try:
        return Choice(engine=found, why=found.check())
    except BuildtoolsError as error:
        said = ": ".join(filter(None, (error.what, error.why)))
        return Choice(engine=ProcessEngine(settings), why=f"Docker cannot be used: {said}")


def other(choice: Choice, settings: Settings, environ: Mapping[str, str]) -> Engine | None:
    """The engine of the last start where that is not the chosen one."""
    last = remembered_engine(settings)
    return None if last in {None, choice.name} else _make(EngineName(last or ""), settings, environ)


def _asked(asked: str | None, settings: Settings, environ: Mapping[str, str]) -> tuple[str, str]:
    if asked is not None:
        return asked, "--engine names it"
    own = read_env(env_text(env_file(settings.root)))
    word = environ.get(VARIABLE) or own.get(VARIABLE) or AUTO
    if word not in CHOICES:
        raise UsageError(
            f"{VARIABLE} names no engine", why=f"found {word!r}", next_step=" or ".join(CHOICES)
        )
    return word, f"{VARIABLE} names it"


def _make(name: EngineName, settings: Settings, environ: Mapping[str, str]) -> Engine:
    if name is EngineName.DOCKER:
        return DockerEngine(settings, environ)
    return ProcessEngine(settings)
