"""Publishing: operations for applications, dead letters for the relay.

Operations are keyed by entity and id, because order is kept only as far as producers key by them:
one key, one partition. The producer is idempotent, so a retry inside it neither doubles nor
reorders.
"""

from __future__ import annotations

import codecs
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from database_consumer.logs import logger
from database_consumer.operations import Metadata, Operation, OperationInvalid, decode, encode
from database_consumer.settings import Settings, SettingsError
from database_consumer.sources.kafka import client_config
from database_consumer.stores.base import DeadLetter

STACK_BYTES = 8 * 1024
MESSAGE_BYTES = 2 * 1024
DELIVERY_SECONDS = 30.0
_HEADER = "__connect.errors."

_log = logger("publisher")


class PublishError(Exception):
    """The broker did not take an operation."""


class Publisher:
    """Publishes operations; ``flush`` (or leaving the ``with`` block) waits for the broker."""

    def __init__(self, settings: Settings, **overrides: str | float | bool) -> None:
        self._topic = settings.topic_db_operations
        self._producer = _producer(settings, overrides)
        self._errors: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.flush()

    def publish(self, operation: Operation) -> str:
        """Queue one operation; gives its id, made here when it has none.

        Raises :class:`database_consumer.operations.OperationInvalid` for one that the worker would
        refuse for its form, :class:`PublishError` when an earlier one was refused by the broker.
        """
        complete, ident = with_operation_id(operation)
        value = encode(complete)
        decode(value)
        self._send(partition_key(complete), value)
        return ident

    def publish_raw(self, key: bytes | None, value: bytes) -> None:
        """Queue bytes as they are."""
        self._send(key, value)

    def flush(self, timeout: float = DELIVERY_SECONDS) -> None:
        """Wait for every delivery report; :class:`PublishError` when one is missing or bad."""
        left = self._producer.flush(timeout)
        if left:
            raise PublishError(f"{left} operations were not delivered within {timeout:g} s")
        self._raise()

    def _send(self, key: bytes | None, value: bytes) -> None:
        self._raise()
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(0.1)
                continue
            except KafkaException as error:
                raise PublishError(str(error)) from error
            self._producer.poll(0)
            return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._errors.append(error.str())

    def _raise(self) -> None:
        if self._errors:
            raise PublishError(f"{len(self._errors)} not delivered: {self._errors[0]}")


def with_operation_id(operation: Operation) -> tuple[Operation, str]:
    """The operation with an id and a timestamp; those that it has are kept."""
    ident = operation.operation_id or uuid.uuid4().hex
    metadata = operation.metadata or Metadata()
    stamp = metadata.timestamp if metadata.timestamp is not None else int(time.time() * 1000)
    complete = msgspec.structs.replace(metadata, operation_id=ident, timestamp=stamp)
    return Operation(operation.type, operation.entity, operation.data, ident, complete), ident


def partition_key(operation: Operation) -> bytes:
    """`entity:id`: operations of one row share a partition and so keep their order.

    A BULK operation is keyed by its first row; its other rows' order against single operations
    holds only when those go through the same partition.
    """
    data = operation.data
    if isinstance(data, list) and data:
        data = data[0]
    if isinstance(data, Mapping) and data.get("id") is not None:
        ident = data["id"]
        text = ident if isinstance(ident, str) else json.dumps(ident, default=str)
        return f"{operation.entity}:{text}".encode()
    return operation.entity.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a file: its number, and what it holds or why that is no operation."""

    number: int
    operation: Operation | None = None
    complaint: str = ""


def parse_lines(lines: Sequence[bytes]) -> list[Line]:
    """What JSON lines hold; blank lines are skipped."""
    out: list[Line] = []
    for number, line in enumerate(lines, 1):
        text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if not text.strip():
            continue
        try:
            out.append(Line(number=number, operation=decode(text.strip())))
        except OperationInvalid as error:
            out.append(Line(number=number, complaint=str(error)))
    return out


class KafkaLetters:
    """The dead-letter topic, with Kafka Connect's header names."""

    def __init__(
        self,
        settings: Settings,
        *,
        redact: Callable[[str], str] = str,
        **overrides: str | float | bool,
    ) -> None:
        self._topic = settings.topic_dead_letters
        self._producer = _producer(settings, {"delivery.timeout.ms": 20_000} | overrides)
        self._redact = redact
        self._complained = 0.0

    def publish(self, letters: Sequence[DeadLetter]) -> Sequence[int]:
        """See :class:`database_consumer.relay.Letters`."""
        done: list[int] = []
        for letter in letters:
            self._produce(letter, done)
        self._producer.flush(DELIVERY_SECONDS)
        return done

    def close(self) -> None:
        """Gives up what was not delivered: it stays unpublished in the table."""
        self._producer.purge()
        self._producer.flush(1)

    def _produce(self, letter: DeadLetter, done: list[int]) -> None:
        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                done.append(letter.id)
            else:
                self._complain(error.str())

        headers = letter_headers(letter, self._redact)
        try:
            self._send(letter.value, letter.key, headers, delivered)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                self._complain(str(error))
                return
            # the table keeps the bytes; the topic gets the reason and where to find them
            size = str(len(letter.value or b"")).encode()
            self._send(None, letter.key, [*headers, ("value-omitted-bytes", size)], delivered)

    def _send(
        self,
        value: bytes | None,
        key: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        delivered: Callable[[KafkaError | None, Message], None],
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key, headers=list(headers), on_delivery=delivered
                )
            except BufferError:
                self._producer.poll(0.1)
                continue
            self._producer.poll(0)
            return

    def _complain(self, why: str) -> None:
        if time.monotonic() - self._complained > DELIVERY_SECONDS:
            self._complained = time.monotonic()
            _log.error("dead letter not published", topic=self._topic, why=why)


def letter_headers(
    letter: DeadLetter, redact: Callable[[str], str] = str
) -> list[tuple[str, bytes]]:
    """Kafka Connect's error headers, then our own; the original headers come first."""
    stack = redact(letter.stack).encode()[:STACK_BYTES]
    message = redact(letter.error_message).encode()[:MESSAGE_BYTES]
    own = {
        f"{_HEADER}topic": letter.topic.encode(),
        f"{_HEADER}partition": str(letter.partition).encode(),
        f"{_HEADER}offset": str(letter.offset).encode(),
        f"{_HEADER}exception.class.name": letter.error_class.encode(),
        f"{_HEADER}exception.message": message,
        f"{_HEADER}exception.stacktrace": stack,
        "operationId": letter.operation_id.encode(),
        "attempts": str(letter.attempts).encode(),
        "failed-at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(letter.failed_at)).encode(),
    }
    kept = [(name, value) for name, value in letter.headers if name not in own]
    return [*kept, *own.items()]


def _producer(settings: Settings, overrides: Mapping[str, Any]) -> Producer:
    """Raises :class:`SettingsError` for a certificate or a key that the client cannot use."""
    config = client_config(settings) | {
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 5,
        "compression.type": "lz4",
        "logger": logging.getLogger("librdkafka"),
    }
    try:
        return Producer(config | dict(overrides))
    except KafkaException as error:
        reason = error.args[0].str() if error.args else str(error)
        raise SettingsError((f"KAFKA_SSL_ and KAFKA_SASL_ settings: {reason}",)) from None
