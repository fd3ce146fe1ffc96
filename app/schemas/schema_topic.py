"""The compacted topic with the schemas and the mode of the typed topics.

Records, all JSON, in one partition:

* key `<subject>/<id>`: `{"subject", "version", "id", "schemaType", "schema"}`, one for each schema;
* key `mode/local` or `mode/registry`: `{"mode": ...}`, whose ids frame the records of the typed topics.
  Should two workers with different settings start at once, both keys may be there: the first in the log
  counts, and the other worker takes its own back. That is why each mode has a key of its own: compaction
  keeps the order of keys that are written once.
"""

import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from app.errors import MasteryError
from app.kafka import BrokerErrors, BrokerFailure, broker_failure, consumer_config, producer_config
from app.schemas.known import KnownSchema
from app.schemas.registry_errors import SchemaModeConflict, SchemasTopicMissing
from app.settings import Settings

__all__ = ["SchemaMode", "SchemaTopic", "SchemaTopicContent"]

log = logging.getLogger(__name__)

_MODE_PREFIX = "mode/"
_ONE_TRY = 1.0
"""Seconds of one metadata request; between two, the causes of failures are looked at."""


class SchemaMode(StrEnum):
    """Whose ids frame the records."""

    LOCAL = "local"
    """Made from the schemas; the schemas are in the topic."""
    REGISTRY = "registry"
    """Given by a schema registry."""


@dataclass(frozen=True, slots=True)
class SchemaTopicContent:
    """What the topic holds; `mode` is None while no worker has set one."""

    mode: SchemaMode | None
    schemas: tuple[KnownSchema, ...]

    def require_mode(self, wanted: SchemaMode, topic: str) -> None:
        """Raise SchemaModeConflict when the other mode is set."""
        if self.mode is None or self.mode is wanted:
            return
        if self.mode is SchemaMode.REGISTRY:
            message = f"the topics hold ids of a schema registry (says {topic}), but none is set"
            first = "set MASTERY_SCHEMA_REGISTRY_URL as the other workers have it"
        else:
            message = f"the topics hold local schema ids (says {topic}), but a schema registry is set"
            first = "unset MASTERY_SCHEMA_REGISTRY_URL"
        raise SchemaModeConflict(
            message,
            hint=f"{first}; to change over, set a new MASTERY_TOPIC_PREFIX, run `mastery topics apply`, and "
            "produce the raw events again",
        )


class SchemaTopic:
    """Reads and writes the topic. Every call ends within `timeout` seconds; failures are `MasteryError`s."""

    def __init__(self, settings: Settings, *, timeout: float = 5.0) -> None:
        self.name = settings.schemas_topic
        self._settings = settings
        self._timeout = timeout

    def read(self) -> SchemaTopicContent:
        """Read the topic from its beginning to its end. Raises SchemasTopicMissing and `BrokerFailure`s."""
        records: dict[str, bytes | None] = {}
        for key, value in self._records():
            # A key that was deleted and written again counts from its second writing.
            if records.get(key) is None:
                records.pop(key, None)
            records[key] = value
        mode: SchemaMode | None = None
        schemas: list[KnownSchema] = []
        for key, value in records.items():
            if value is None:
                continue
            if key.startswith(_MODE_PREFIX):
                mode = mode or _mode(key)
            elif (schema := _schema(value)) is not None:
                schemas.append(schema)
            else:
                log.warning("the topic %s has a record that is no schema, with the key %r", self.name, key)
        return SchemaTopicContent(mode, tuple(schemas))

    def write_schemas(self, schemas: Iterable[KnownSchema]) -> None:
        """Append schemas and return when the broker has them."""
        self._write({f"{schema.subject}/{schema.schema_id}": _value(schema) for schema in schemas})

    def claim_mode(self, mode: SchemaMode) -> SchemaTopicContent:
        """Write the mode where none is set yet, and return what the topic holds then.

        Raises SchemaModeConflict when another worker was faster with the other mode.
        """
        content = self.read()
        if content.mode is None:
            self._write({f"{_MODE_PREFIX}{mode}": json.dumps({"mode": mode}).encode()})
            content = self.read()
            if content.mode is not mode:
                self._write({f"{_MODE_PREFIX}{mode}": None})
        content.require_mode(mode, self.name)
        return content

    def _records(self) -> Iterable[tuple[str, bytes | None]]:
        errors = BrokerErrors()
        # The wait is for more records at the end of the topic: there are none to wait for.
        config = consumer_config(
            self._settings,
            group_id=self._settings.group_id,
            errors=errors,
            enable_partition_eof=True,
            fetch_wait_max_ms=10,
        )
        consumer = Consumer(config)
        deadline = time.monotonic() + self._timeout
        try:
            self._require_topic(consumer, errors, deadline)
            consumer.assign([TopicPartition(self.name, 0, OFFSET_BEGINNING)])
            while True:
                message = consumer.poll(0.1)
                error = message.error() if message is not None else None
                if message is not None and error is None:
                    key = message.key()
                    yield key.decode(errors="replace") if isinstance(key, bytes) else "", message.value()
                elif error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    return
                elif error is not None and error.code() not in _HARMLESS:
                    raise self._failure(error, errors, "read")
                if time.monotonic() > deadline:
                    raise self._failure(KafkaError(KafkaError._TIMED_OUT), errors, "read")  # noqa: SLF001
        finally:
            consumer.close()

    def _require_topic(self, consumer: Consumer, errors: BrokerErrors, deadline: float) -> None:
        """Ask for the topic first: a consumer waits for ever for one that is not there."""
        while True:
            try:
                topic = consumer.list_topics(self.name, timeout=_ONE_TRY).topics[self.name]
            except KafkaException as error:
                consumer.poll(0)  # runs the callbacks that say why nobody answers
                failure = self._failure(error.args[0], errors, "read")
                if time.monotonic() > deadline or (isinstance(failure, BrokerFailure) and failure.permanent):
                    raise failure from None
                continue
            if topic.error is not None and topic.error.code() != KafkaError.LEADER_NOT_AVAILABLE:
                raise self._failure(topic.error, errors, "read")
            return

    def _write(self, records: Mapping[str, bytes | None]) -> None:
        errors = BrokerErrors()
        failed: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failed.append(error)

        # A record written twice is no harm here, and an idempotent producer takes half a second longer to
        # start.
        config = producer_config(
            self._settings,
            errors=errors,
            enable_idempotence=False,
            message_timeout_ms=int(self._timeout * 1000),
        )
        producer = Producer(config)
        try:
            for key, value in records.items():
                producer.produce(self.name, key=key.encode(), value=value, partition=0, on_delivery=delivered)
            left = producer.flush(self._timeout + 1)
        except KafkaException as error:
            raise self._failure(error.args[0], errors, "write") from None
        if failed or left:
            raise self._failure(
                failed[0] if failed else KafkaError(KafkaError._TIMED_OUT),  # noqa: SLF001
                errors,
                "write",
            )

    def _failure(self, error: KafkaError, errors: BrokerErrors, verb: str) -> MasteryError:
        if error.code() in _MISSING:
            return SchemasTopicMissing(
                f"the topic {self.name} does not exist", hint="run `mastery topics apply`"
            )
        return broker_failure(self._settings, error, errors, what=f"{verb} the topic {self.name}")


# Partitions that are assigned by hand need no group; librdkafka asks for its coordinator all the same.
_HARMLESS = {KafkaError.GROUP_AUTHORIZATION_FAILED}
_MISSING = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
}


def _mode(key: str) -> SchemaMode | None:
    name = key.removeprefix(_MODE_PREFIX)
    return SchemaMode(name) if name in set(SchemaMode) else None


class _Stored(msgspec.Struct):
    """The value of a schema's record, in the words of Confluent's own schemas topic."""

    subject: str
    version: int
    id: int
    schema: str
    schemaType: str = "AVRO"  # noqa: N815 - Confluent's name


def _value(schema: KnownSchema) -> bytes:
    return msgspec.json.encode(_Stored(schema.subject, schema.version, schema.schema_id, schema.text))


def _schema(value: bytes) -> KnownSchema | None:
    try:
        content = msgspec.json.decode(value, type=_Stored)
        json.loads(content.schema)
    except ValueError:
        return None
    return KnownSchema(content.subject, content.version, content.id, content.schema)
