"""The text files of a wheel's ``.dist-info``: METADATA, WHEEL, RECORD, entry_points.txt."""

from __future__ import annotations

import base64
import binascii
import configparser
import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass

from buildtools.wheels.names import WheelInvalidError

HASHES = ("sha256", "sha384", "sha512")
"""What RECORD may use: the wheel format demands SHA-256 or better."""

UNSIGNED = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""Files of ``.dist-info`` that RECORD lists without a hash, or not at all."""

_SCRIPT_NAME = re.compile(r"[A-Za-z0-9_](?:[\w.-]{0,126}\w)?", re.ASCII)
_REFERENCE = re.compile(
    r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*:\s*(?P<attribute>[^\W\d]\w*(?:\.[^\W\d]\w*)*)"
    r"\s*(?:\[[^\]]*\])?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntry:
    """What RECORD says of one file: ``algorithm`` and its raw ``digest``, and the size in bytes."""

    algorithm: str
    digest: bytes
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleScript:
    """A command that the distribution brings: ``name`` runs ``module:attribute``."""

    name: str
    module: str
    attribute: str


def read_headers(text: str) -> Mapping[str, tuple[str, ...]]:
    """The header fields of METADATA or WHEEL, names in lower case, values in their order.

    Continuation lines are joined to their field; the description below the first empty line is left
    out (core metadata is in the format of e-mail headers).
    """
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in text.splitlines():
        if not line.strip():
            break
        if line[0] in " \t":
            if last:
                last[-1] = f"{last[-1]}\n{line.strip()}"
            continue
        key, colon, value = line.partition(":")
        if colon:
            last = found.setdefault(key.strip().lower(), [])
            last.append(value.strip())
    return {key: tuple(values) for key, values in found.items()}


def read_record(text: str, where: str) -> Mapping[str, RecordEntry | None]:
    """RECORD by file name; None for a row without a hash. Raises :class:`WheelInvalidError`."""
    rows: dict[str, RecordEntry | None] = {}
    try:
        for row in csv.reader(text.splitlines(), strict=True):
            if not row:
                continue
            name, hashed, size = [*row, "", ""][:3]
            rows[name] = _entry(name, hashed, size, where) if hashed else None
    except csv.Error as error:
        raise WheelInvalidError("RECORD is no CSV", where=where, why=str(error)) from error
    return rows


def _entry(name: str, hashed: str, size: str, where: str) -> RecordEntry:
    algorithm, _, encoded = hashed.partition("=")
    if algorithm not in HASHES:
        raise WheelInvalidError(
            "RECORD uses a hash that proves nothing", where=f"{where}: {name}", why=algorithm
        )
    try:
        digest = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        return RecordEntry(algorithm=algorithm, digest=digest, size=int(size) if size else None)
    except (binascii.Error, ValueError) as error:
        raise WheelInvalidError(
            "RECORD has a row that cannot be read", where=f"{where}: {name}", why=str(error)
        ) from error


def record_hash(digest: bytes) -> str:
    """A SHA-256 as RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def read_scripts(text: str, where: str) -> tuple[ConsoleScript, ...]:
    """The commands in ``entry_points.txt``, by name.

    Names become file names and references become code, so both are checked: raises
    :class:`WheelInvalidError`.
    """
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    # Names keep their case.
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise WheelInvalidError(
            "entry_points.txt cannot be read", where=where, why=str(error)
        ) from error
    scripts: dict[str, ConsoleScript] = {}
    for section in ("console_scripts", "gui_scripts"):
        if not parser.has_section(section):
            continue
        for name, reference in parser.items(section):
            match = _REFERENCE.fullmatch(reference.strip())
            if _SCRIPT_NAME.fullmatch(name) is None or match is None:
                raise WheelInvalidError(
                    "this entry point cannot become a command",
                    where=where,
                    why=f"{name!r} = {reference!r}",
                )
            scripts[name] = ConsoleScript(
                name=name, module=match["module"], attribute=match["attribute"]
            )
    return tuple(scripts[name] for name in sorted(scripts))
