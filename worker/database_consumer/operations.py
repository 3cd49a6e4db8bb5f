"""An operation as a message carries it: the envelope, read strictly, its bytes kept.

    {"type": "CREATE", "entity": "User", "data": {…},
     "metadata": {"operationId": "…", "timestamp": …, "userId": …, "source": …, "action": …}}

``data`` is one object for CREATE, UPDATE and DELETE, and a list of objects for the BULK types.
Numbers with a fraction or an exponent stay exact (:class:`decimal.Decimal`); NaN and Infinity are
no JSON. Of a key that is given twice the last one counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

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


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What is around the data, which is kept as it came."""

    type: str
    entity: str
    data: msgspec.Raw
    metadata: Metadata | None = None

    def parsed(self) -> Any:
        """The data as JSON. Raises :class:`OperationInvalid`."""
        return _guarded(_data_decoder.decode, self.data)

    def operation_id(self) -> str | None:
        """The sender's id, checked. Raises :class:`OperationInvalid`."""
        return None if self.metadata is None else _checked_id(self.metadata.operation_id)


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


_decoder = msgspec.json.Decoder(Envelope)
_data_decoder = msgspec.json.Decoder(float_hook=Decimal)
_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="number")


def open_envelope(value: bytes | None) -> Envelope:
    """The envelope of a message. Raises :class:`OperationInvalid` and nothing else."""
    if value is None:
        raise OperationInvalid("empty", "the message has no value")
    try:
        return _decoder.decode(value)
    except (ValueError, ArithmeticError, RecursionError):
        return _guarded(_decoder.decode, value)


def _guarded(decode: Callable[[Any], T], value: Any) -> T:
    try:
        return decode(value)
    except msgspec.ValidationError as error:
        raise OperationInvalid("bad-envelope", f"not an operation: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OperationInvalid("undecodable", f"not JSON: {error}") from error
    except RecursionError as error:
        raise OperationInvalid("undecodable", "nested too deeply") from error
    except (ValueError, ArithmeticError) as error:
        raise OperationInvalid("undecodable", f"a number that cannot be read: {error}") from error


def decode(value: bytes | None) -> Operation:
    """The operation in a message. Raises :class:`OperationInvalid` and nothing else."""
    envelope = open_envelope(value)
    return Operation(
        envelope.type,
        envelope.entity,
        envelope.parsed(),
        envelope.operation_id(),
        envelope.metadata,
    )


def _checked_id(given: str | int | None) -> str | None:
    if given is None or given == "":
        return None
    text = str(given)
    if len(text) * 4 > MAX_OPERATION_ID and len(text.encode()) > MAX_OPERATION_ID:
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
    return "\0" + blake2b(place, digest_size=16).hexdigest()


def fingerprint(content: Any) -> bytes:
    """16 bytes that tell contents apart: type, entity, and what is done or what was sent."""
    return blake2b(_canonical.encode(content), digest_size=16).digest()


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
