"""Wheels read safely, and audited: what they say of themselves must be so."""

from __future__ import annotations

from buildtools.wheels.audit import audit, audit_open
from buildtools.wheels.metadata import ConsoleScript, RecordEntry, record_hash
from buildtools.wheels.names import (
    WheelInvalidError,
    WheelName,
    normalized_name,
    parse_wheel_name,
)
from buildtools.wheels.reading import OpenWheel, WheelFile, read_wheel

__all__ = [
    "ConsoleScript",
    "OpenWheel",
    "RecordEntry",
    "WheelFile",
    "WheelInvalidError",
    "WheelName",
    "audit",
    "audit_open",
    "normalized_name",
    "parse_wheel_name",
    "read_wheel",
    "record_hash",
]
