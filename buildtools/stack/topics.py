"""The topics as data: read, checked, and held against what a broker has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.errors import CannotLookError, UsageError

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_TIME = re.compile(r"(\d+)\s*(ms|s|m|h|d)")
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_KEYS = {"partitions", "retention", "cleanup", "settings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic; ``settings`` by Kafka's names, such as ``retention.ms``."""

    name: str
    partitions: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One difference: ``key`` is ``partitions`` or a setting's name."""

    topic: str
    key: str
    wanted: str
    found: str
    mend: str


def stack_file(name: str, project: Path | None = None) -> Path:
    """A file of the stack: the project's own, where its ``stack`` has topics, else what ships."""
    package = Path(__file__).resolve().parents[1]
    own = [] if project is None else [project / "stack"]
    for folder in (*own, package / "_stack", package.parent / "stack"):
        if (folder / "topics.yaml").is_file() and (folder / name).is_file():
            return folder / name
    raise CannotLookError(
        "the stack's files are missing",
        where=str(package),
        why=f"{name} is neither in _stack of the package nor in stack beside it",
        next_step="install native-buildtools anew",
    )


def load_topics(file: Path) -> tuple[Topic, ...]:
    """Read ``topics.yaml``. Raises :class:`UsageError` naming the topic and what is wrong."""
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CannotLookError(
            "the topics cannot be read", where=str(file), why=str(error)
        ) from error
    except yaml.YAMLError as error:
        raise UsageError("the topics are no YAML", where=str(file), why=str(error)) from error
    tables = found.get("topics") if isinstance(found, dict) else None
    if not isinstance(tables, dict) or not tables:
        raise UsageError("the file names no topics", where=str(file), next_step="topics: {NAME: …}")
    return tuple(_topic(str(name), table or {}, str(file)) for name, table in tables.items())


def drift(wanted: Sequence[Topic], found: Mapping[str, Topic]) -> tuple[Drift, ...]:
    """How topics that are there differ from what is wanted; missing ones are no drift."""
    differences = []
    for topic in wanted:
        there = found.get(topic.name)
        if there is None:
            continue
        if there.partitions != topic.partitions:
            more = there.partitions > topic.partitions
            differences.append(
                Drift(
                    topic=topic.name,
                    key="partitions",
                    wanted=str(topic.partitions),
                    found=str(there.partitions),
                    mend="a topic cannot be shrunk: change topics.yaml, or reset the stack"
                    if more
                    else "adding partitions moves keys: drain the topic and add them with "
                    "kafka-topics --alter, or reset the stack",
                )
            )
        for key, value in topic.settings.items():
            have = there.settings.get(key, "")
            if _comparable(key, have) != _comparable(key, value):
                differences.append(
                    Drift(
                        topic=topic.name,
                        key=key,
                        wanted=value,
                        found=have,
                        mend=f"kafka-configs --alter --topic {topic.name} "
                        f"--add-config {key}=[{value}]",
                    )
                )
    return tuple(differences)


def diff(differences: Sequence[Drift]) -> str:
    """The differences as a unified diff: ``-`` is the broker, ``+`` what is wanted."""
    lines = ["--- broker", "+++ topics.yaml"] if differences else []
    last = ""
    for one in differences:
        if one.topic != last:
            lines.append(f"@@ {one.topic} @@")
            last = one.topic
        lines += [f"-{one.key}: {one.found}", f"+{one.key}: {one.wanted}"]
    return "\n".join(lines)


def _comparable(key: str, value: str) -> object:
    return frozenset(value.split(",")) if key == "cleanup.policy" else value


def _topic(name: str, table: object, file: str) -> Topic:
    def wrong(why: str) -> UsageError:
        return UsageError(f"topic {name} cannot be", where=file, why=why)

    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise wrong("a name has letters, digits, '.', '_' and '-', 249 at most")
    if not isinstance(table, dict):
        raise wrong("its settings are no mapping")
    if unknown := set(table) - _KEYS:
        raise wrong(f"unknown: {', '.join(sorted(map(str, unknown)))}; known: {sorted(_KEYS)}")
    partitions = table.get("partitions", 1)
    if type(partitions) is not int or not 0 < partitions <= 10_000:  # noqa: PLR2004 - sane
        raise wrong(f"partitions: {partitions!r} is no number from 1")
    settings = table.get("settings") or {}
    if not isinstance(settings, dict):
        raise wrong("settings is no mapping")
    return Topic(
        name=name,
        partitions=partitions,
        settings={
            "retention.ms": _retention(table.get("retention", "7d"), wrong),
            "cleanup.policy": _cleanup(table.get("cleanup", "delete"), wrong),
            **{str(key): str(value) for key, value in settings.items()},
        },
    )


def _retention(value: object, wrong: Callable[[str], UsageError]) -> str:
    if value == "forever":
        return "-1"
    found = _TIME.fullmatch(str(value))
    if found is None:
        raise wrong(f"retention: {value!r} is no time such as 7d or 12h")
    return str(int(found[1]) * _MILLISECONDS[found[2]])


def _cleanup(value: object, wrong: Callable[[str], UsageError]) -> str:
    words = value if isinstance(value, list) else [value]
    if not words or not set(words) <= {"delete", "compact"}:
        raise wrong(f"cleanup: {value!r} is not delete, compact or both")
    return ",".join(str(word) for word in words)
