"""An operation as a message carries it: the envelope, read strictly, its bytes kept.

    {"type": "CREATE", "entity": "User", "data": {…},
     "metadata": {"operationId": "…", "timestamp": …, "userId": …, "source": …, "action": …}}

``data`` is one object for CREATE, UPDATE and DELETE, and a list of objects for the BULK types.
Numbers with a fraction or an exponent stay exact (:class:`decimal.Decimal`); NaN and Infinity are
no JSON. Of a key that is given twice the last one counts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

MAX_OPERATION_ID = 200
"""Bytes of an operation id; a longer one is refused."""


class OperationType(StrEnum):
    """The five types that come with the worker; others may be registered as handlers."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    BULK_CREATE = "BULK_CREATE"
    BULK_UPDATE = "BULK_UPDATE"


class OperationInvalid(Exception):
    """The operation can never be applied as it is; ``code`` names the reason shortly."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """Who sent an operation and when; all of it may be missing.

    Only the operation id has a meaning for the worker; the others are carried as they are.
    """

    operation_id: str | int | None = None
    timestamp: Any = None
    user_id: Any = None
    source: Any = None
    action: Any = None


class _Envelope(msgspec.Struct, frozen=True):
    type: str
    entity: str
    data: Any
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A decoded operation; ``type`` is one of :class:`OperationType` or a registered handler's.

    ``data`` is the parsed JSON, not yet compared with any table. ``operation_id`` is as sent;
    None when the sender gave none.
    """

    type: str
    entity: str
    data: Any
    operation_id: str | None
    metadata: Metadata | None


_decoder = msgspec.json.Decoder(_Envelope, float_hook=Decimal)
_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="number")


def decode(value: bytes | None) -> Operation:
    """The operation in a message. Raises :class:`OperationInvalid` and nothing else."""
    if value is None:
        raise OperationInvalid("empty", "the message has no value")
    try:
        envelope = _decoder.decode(value)
    except msgspec.ValidationError as error:
        raise OperationInvalid("bad-envelope", f"not an operation: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OperationInvalid("undecodable", f"not JSON: {error}") from error
    except RecursionError as error:
        raise OperationInvalid("undecodable", "nested too deeply") from error
    except (ValueError, ArithmeticError) as error:
        raise OperationInvalid("undecodable", f"a number that cannot be read: {error}") from error
    metadata = envelope.metadata
    operation_id = None if metadata is None else _checked_id(metadata.operation_id)
    return Operation(envelope.type, envelope.entity, envelope.data, operation_id, metadata)


def _checked_id(given: str | int | None) -> str | None:
    if given is None or given == "":
        return None
    text = str(given)
    if len(text.encode()) > MAX_OPERATION_ID:
        raise OperationInvalid(
            "bad-envelope", f"operationId is longer than {MAX_OPERATION_ID} bytes"
        )
    if text.startswith("\0"):
        raise OperationInvalid("bad-envelope", "operationId starts with a NUL character")
    return text


def positional_id(topic: str, partition: int, offset: int) -> str:
    """The id of an operation that was sent without one: where it stands in the topic.

    It starts with NUL, as no sender's id does.
    """
    place = f"{topic}\0{partition}\0{offset}".encode()
    return "\0" + hashlib.blake2b(place, digest_size=16).hexdigest()


def fingerprint(operation: Operation) -> bytes:
    """16 bytes that tell apart operations of different type, entity or data."""
    content = _canonical.encode((operation.type, operation.entity, operation.data))
    return hashlib.blake2b(content, digest_size=16).digest()


def encode(operation: Operation) -> bytes:
    """The message of an operation; ``decode`` gives it back."""
    document: dict[str, Any] = {
        "type": operation.type,
        "entity": operation.entity,
        "data": operation.data,
    }
    metadata = operation.metadata
    if metadata is None and operation.operation_id is not None:
        metadata = Metadata(operation_id=operation.operation_id)
    if metadata is not None:
        document["metadata"] = metadata
    return _canonical.encode(document)
