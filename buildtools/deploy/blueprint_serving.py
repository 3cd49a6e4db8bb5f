"""How a web service is started and asked: commands that are not run, addresses nobody reaches."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from buildtools.deploy.blueprint_findings import BlueprintFinding, Rule
from buildtools.deploy.blueprint_reading import Fields, fields_of, text_of
from buildtools.findings import Severity

_LOCAL = r"(?:127\.0\.0\.1|localhost)"
_SAID_LOCAL = re.compile(
    rf"(?:--host|--bind|-b)[= ]['\"]?(?P<flag>{_LOCAL})\b"
    rf"|\brunserver\s+(?P<django>{_LOCAL})\b"
)
_SERVER = re.compile(
    r"\s*(?:exec\s+|\w+=\S*\s+|(?:uv|poetry|pipenv)\s+run\s+)*(?:\S*python[\d.]*\s+(?:-m\s+)?)?"
    r"(?P<name>uvicorn|hypercorn|flask(?=\s.*\brun\b)|fastapi(?=\s+dev\b)|\S*manage\.py(?=\s+runserver\b))\s"
)
_PLACED = re.compile(r"--host\b|--bind\b|\s-b\b|\s-h\b|--uds\b|--fd\b|--config\b|\s-c\b")
_DJANGO_PLACED = re.compile(r"\brunserver\s+(?:-\S+\s+)*(?:\[|\S+:)")
_PARTS = re.compile(r"&&|\|\||[;|&\n]")
_GIVES_HOST = re.compile(r"(?:^|_)HOST$|^HYPERCORN_|_CMD_ARGS$")
_WITHOUT_COMMANDS = frozenset({"docker", "image"})


def of_serving(node: yaml.Node, path: str) -> Iterator[BlueprintFinding]:
    """What is odd in a service's commands and in the path that Render asks for its health."""
    fields = fields_of(node)
    kind = text_of(fields["type"][1]) if "type" in fields else None
    if kind != "workflow":
        yield from _not_run(fields, path)
    yield from _asked(fields, path)
    for name in ("startCommand", "dockerCommand") if kind == "web" else ():
        command = text_of(fields[name][1]) if name in fields else None
        where = _listens_on(command or "", fields)
        if where:
            said = f"{where}, where Render finds no open port"
            yield _warning(fields[name][1], Rule.LOCAL_ONLY, said, path)


def _not_run(fields: Fields, path: str) -> Iterator[BlueprintFinding]:
    """An image has its own commands; only ``dockerCommand`` takes their place."""
    runtime = next((text_of(fields[n][1]) for n in ("runtime", "env") if n in fields), None)
    if runtime not in _WITHOUT_COMMANDS:
        return
    for name in ("buildCommand", "startCommand"):
        if name in fields:
            said = f"runtime {runtime} takes its commands from the image, not from {name}"
            yield _warning(fields[name][0], Rule.COMMAND_NOT_RUN, said, path)


def _asked(fields: Fields, path: str) -> Iterator[BlueprintFinding]:
    asked = text_of(fields["healthCheckPath"][1]) if "healthCheckPath" in fields else None
    if asked and not asked.startswith("/"):
        said = f"healthCheckPath {asked!r} does not begin with /"
        yield _warning(fields["healthCheckPath"][1], Rule.WRONG_VALUE, said, path)


def _listens_on(command: str, fields: Fields) -> str:
    """In words, where a command listens when only this machine can reach it; else empty."""
    for part in _PARTS.split(command):
        if local := _SAID_LOCAL.search(part):
            return f"the service listens on {local['flag'] or local['django']}"
        server = _SERVER.match(part)
        if server is None or _told_elsewhere(fields):
            continue
        django = server["name"].endswith("manage.py")
        if not (_DJANGO_PLACED if django else _PLACED).search(part):
            name = "runserver" if django else server["name"]
            return f"{name} without a host listens on 127.0.0.1"
    return ""


def _told_elsewhere(fields: Fields) -> bool:
    """Whether a variable may give the server its address (a group may hold one, too)."""
    entries = fields["envVars"][1] if "envVars" in fields else None
    for entry in entries.value if isinstance(entries, yaml.SequenceNode) else ():
        inner = fields_of(entry)
        key = text_of(inner["key"][1]) if "key" in inner else None
        if "fromGroup" in inner or _GIVES_HOST.search(key or ""):
            return True
    return False


def _warning(node: yaml.Node, rule: Rule, said: str, path: str) -> BlueprintFinding:
    return BlueprintFinding.at_node(node, rule, said, path=path, severity=Severity.WARNING)
