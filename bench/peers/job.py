"""The fan-out job as a good engineer writes it without this project: msgspec to validate, fastavro to encode.

Every peer calls the same `FanOut`, so what differs between them is the framework around it. The harness uses
it too, as the oracle: a run counts only when each output equals what `FanOut` makes of the same raw record.
"""

import hashlib
import io
import os
from datetime import datetime
from typing import Any

import fastavro
import msgspec

__all__ = ["KEPT", "TASK_VARIABLE", "FanOut", "Task", "remembered"]

TASK_VARIABLE = "BENCH_TASK"
"""The environment variable that carries a peer's `Task` as JSON."""

KEPT = 10
"""Results that a peer keeps for each user and outcome."""

_TYPES: dict[str, type] = {"string": str, "long": int, "double": float, "boolean": bool}


class Task(msgspec.Struct, frozen=True):
    """What a peer has to do: read `raw_topic` in `group`, write `typed_topic`, all at the broker `broker`."""

    broker: str
    raw_topic: str
    typed_topic: str
    group: str
    schema: dict[str, Any]
    schema_id: int
    partitions: int
    folder: str
    """For the peer's own files."""

    @classmethod
    def from_environment(cls) -> "Task":
        """The task that the harness handed to this process."""
        return msgspec.json.decode(os.environ[TASK_VARIABLE], type=cls)


def _python_type(avro: Any) -> Any:
    """The type that msgspec checks for an Avro type of a result event (no arrays in it)."""
    if isinstance(avro, list):
        return _python_type(next(t for t in avro if t != "null")) | None
    if isinstance(avro, str):
        return _TYPES[avro]
    if avro["type"] == "record":
        return _struct(avro)
    return datetime if avro.get("logicalType") == "timestamp-millis" else _TYPES[avro["type"]]


def _struct(record: dict[str, Any]) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for field in record["fields"]:
        kind = _python_type(field["type"])
        fields.append((field["name"], kind, None) if "default" in field else (field["name"], kind))
    return msgspec.defstruct(record["name"], fields, kw_only=True, omit_defaults=True)


class FanOut:
    """Makes the typed record of a raw `learning_outcome_result_created` event.

    `fan_out(raw)` gives (key, value); frameworks that want the steps apart call `decode`, `key` and `encode`.
    """

    def __init__(self, schema: dict[str, Any], schema_id: int) -> None:
        parts = {field["name"]: _python_type(field["type"]) for field in schema["fields"]}
        event = msgspec.defstruct("Event", [("metadata", parts["metadata"]), ("body", parts["body"])])
        self._decode = msgspec.json.Decoder(event).decode
        self._schema = fastavro.parse_schema(schema)
        self._header = b"\0" + schema_id.to_bytes(4, "big")

    def decode(self, raw: bytes) -> dict[str, Any]:
        """The validated record: times are datetimes, absent fields are left out.

        Raises msgspec.DecodeError for what is not JSON, ValidationError for what is not such an event.
        """
        record: dict[str, Any] = msgspec.to_builtins(self._decode(raw), builtin_types=(datetime,))
        record["event_id"] = hashlib.sha256(raw).hexdigest()[:32]
        return record

    @staticmethod
    def key(record: dict[str, Any]) -> bytes:
        """`<root_account_uuid>:<user_uuid>`."""
        return f"{record['metadata'].get('root_account_uuid', '-')}:{record['body']['user_uuid']}".encode()

    def encode(self, record: dict[str, Any]) -> bytes:
        """The record as Avro in Confluent framing."""
        buffer = io.BytesIO()
        buffer.write(self._header)
        fastavro.schemaless_writer(buffer, self._schema, record)
        return buffer.getvalue()

    def __call__(self, raw: bytes) -> tuple[bytes, bytes]:
        """Key and value of the typed record."""
        record = self.decode(raw)
        return self.key(record), self.encode(record)


def remembered(rows: list[list[Any]], record: dict[str, Any]) -> list[list[Any]]:
    """The last results of a user in an outcome, with one more: id, score, when it was assessed (ms)."""
    body = record["body"]
    assessed_at = body.get("assessed_at")
    one = [body["id"], body.get("score"), assessed_at and int(assessed_at.timestamp() * 1000)]
    return [*rows, one][-KEPT:]
