"""Avro decoders, generated from the schema, and the decoder of framed records.

Records become plain dicts, as fastavro makes them. A schema that the generated code does not know is left to
fastavro.
"""

import io
import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import fastavro

from app.errors import MasteryError
from app.schemas.pieces import EPOCH
from app.schemas.shape import Kind, Record, UnsupportedSchemaError, ValueType, read_record

__all__ = [
    "AvroDecoder",
    "DecodingError",
    "MalformedRecordError",
    "NotFramedError",
    "UnknownSchemaError",
    "compile_decoder",
]


class DecodingError(MasteryError):
    """Bytes can not be decoded."""


class NotFramedError(DecodingError):
    """The bytes do not begin with Confluent's framing: a zero byte and four of schema id."""


class UnknownSchemaError(DecodingError):
    """No schema is known by the id that the bytes name."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(f"no schema is known by the id {schema_id}")
        self.schema_id = schema_id


class MalformedRecordError(DecodingError):
    """The bytes are not a record of the schema: cut off, too long, or made with another one."""


class AvroDecoder:
    """Decodes framed records of the schemas that `schema_by_id` knows; it raises LookupError for others."""

    def __init__(self, schema_by_id: Callable[[int], dict[str, Any] | str]) -> None:
        self._schema_by_id = schema_by_id
        self._decoders: dict[int, Callable[[bytes], Any]] = {}

    def decode(self, framed: bytes) -> Any:
        """The record, a dict; timestamps are aware datetimes.

        Raises NotFramedError, UnknownSchemaError or MalformedRecordError, and whatever else `schema_by_id`
        raises.
        """
        if len(framed) < 5 or framed[0] != 0:
            raise NotFramedError("not framed: a record begins with a zero byte and four of schema id")
        schema_id = int.from_bytes(framed[1:5], "big")
        decoder = self._decoders.get(schema_id)
        if decoder is None:
            decoder = self._decoders[schema_id] = self._decoder(schema_id)
        return decoder(framed[5:])

    def _decoder(self, schema_id: int) -> Callable[[bytes], Any]:
        try:
            schema = self._schema_by_id(schema_id)
        except LookupError:
            raise UnknownSchemaError(schema_id) from None
        if isinstance(schema, str):
            schema = json.loads(schema)
        try:
            return compile_decoder(schema)
        except UnsupportedSchemaError:
            return _fastavro_decoder(schema)


def compile_decoder(schema: Any) -> Callable[[bytes], dict[str, Any]]:
    """A function that decodes a record without framing. It raises MalformedRecordError.

    Raises UnsupportedSchemaError for what `app.schemas.shape` does not know.
    """
    record = read_record(schema)
    writer = _Writer()
    source = writer.module(record)
    names = {
        "BOOLEAN": {0: False, 1: True},
        # By its first byte, the length of a string that is shorter than 64 bytes; -1 where that is not all.
        "LENGTH": [-1 if byte > 0x7F or byte % 2 else byte // 2 for byte in range(256)],
        "double": struct.Struct("<d").unpack_from,
        "failures": (LookupError, ValueError, OverflowError, struct.error),
        "long": _long,
        "malformed": _malformed,
        "size": _size,
        "timestamp": _timestamp_function(),
    }
    exec(compile(source, f"<decoder of {record.name}>", "exec"), names)  # noqa: S102 - our own text, names checked
    decode: Callable[[bytes], dict[str, Any]] = names["decode"]  # type: ignore[assignment] # made by exec
    return decode


def _fastavro_decoder(schema: Any) -> Callable[[bytes], Any]:
    parsed = fastavro.parse_schema(schema)

    def decode(payload: bytes) -> Any:
        stream = io.BytesIO(payload)
        try:
            record = fastavro.schemaless_reader(stream, parsed, None)
        except Exception:  # noqa: BLE001 - fastavro raises what its parts raise, and names none of it
            raise _malformed() from None
        if stream.tell() != len(payload):
            raise _malformed()
        return record

    return decode


def _malformed() -> MalformedRecordError:
    return MalformedRecordError("not a record of the schema that its framing names")


def _long(data: bytes, at: int) -> tuple[int, int]:
    """A long, and where the next value begins."""
    number = shift = 0
    while (byte := data[at]) > 0x7F:
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise ValueError
    number |= byte << shift
    return (number >> 1) ^ -(number & 1), at + 1


def _size(data: bytes, at: int) -> tuple[int, int]:
    number, at = _long(data, at)
    if number < 0:
        raise ValueError
    return number, at


@cache
def _timestamp_function() -> Callable[[bytes, int], tuple[datetime, int]]:
    # What two bytes of a long, read as one number, are worth; and the last two, which end it.
    pairs = {low | 0x80 | (high | 0x80) << 8: low | high << 7 for low in range(128) for high in range(128)}
    last_pairs = {low | 0x80 | high << 8: low | high << 7 for low in range(128) for high in range(1, 128)}
    three_pairs = struct.Struct("<HHH").unpack_from

    def timestamp(data: bytes, at: int) -> tuple[datetime, int]:
        """A timestamp, and where the next value begins."""
        try:
            first, second, third = three_pairs(data, at)
            half_milliseconds = pairs[first] + (pairs[second] << 14) + (last_pairs[third] << 28)
        except (KeyError, struct.error):
            half_milliseconds = 1
        # Times of 1970 to 2039 have six bytes, and zigzag makes them even. Floats of seconds are exact to the
        # microsecond for them.
        if not half_milliseconds & 1:
            return datetime.fromtimestamp(half_milliseconds / 2000, UTC), at + 6
        milliseconds, at = _long(data, at)
        return EPOCH + timedelta(0, 0, 0, milliseconds), at

    return timestamp


class _Writer:
    """Writes a function that decodes a record, one variable for each value."""

    def __init__(self) -> None:
        self._functions: list[str] = []
        self._variables = 0

    def module(self, record: Record) -> str:
        lines, value = self._record(record)
        body = ["try:", "    at = 0", *_indented(lines), "    if at == len(data):", f"        return {value}"]
        body += ["except failures:", "    pass", "raise malformed()"]
        self._functions.append("\n".join(["def decode(data):", *_indented(body)]))
        return "\n\n\n".join(self._functions) + "\n"

    def _variable(self) -> str:
        self._variables += 1
        return f"value{self._variables}"

    def _record(self, record: Record) -> tuple[list[str], str]:
        """Statements that read the fields, and the expression of the record."""
        lines: list[str] = []
        items = []
        for field in record.fields:
            before, value = self._value(field.type)
            lines += before
            items.append(f"{field.name!r}: {value}")
        return lines, "{" + ", ".join(items) + "}"

    def _value(self, value_type: ValueType) -> tuple[list[str], str]:
        """Statements that read a value, and its expression."""
        if not value_type.nullable:
            return self._some(value_type)
        name = self._variable()
        lines, value = self._some(value_type)
        return [
            "branch = data[at]",
            "at += 1",
            "if branch == 2:",
            *_indented(lines),
            f"    {name} = {value}",
            "elif branch == 0:",
            f"    {name} = None",
            "else:",
            "    raise malformed()",
        ], name

    def _some(self, value_type: ValueType) -> tuple[list[str], str]:
        if value_type.record is not None:
            return self._record(value_type.record)
        name = self._variable()
        match value_type.kind:
            case Kind.STRING:
                lines = [
                    "if (length := LENGTH[data[at]]) >= 0:",
                    "    at += 1",
                    "else:",
                    "    length, at = size(data, at)",
                    f"{name} = data[at : (at := at + length)].decode()",
                ]
            case Kind.DOUBLE:
                lines = [f"({name},) = double(data, at)", "at += 8"]
            case Kind.BOOLEAN:
                lines = [f"{name} = BOOLEAN[data[at]]", "at += 1"]
            case Kind.ARRAY if value_type.items is not None:
                lines = self._array(value_type.items, name)
            case _:
                function = "timestamp" if value_type.kind is Kind.TIMESTAMP else "long"
                lines = [f"{name}, at = {function}(data, at)"]
        return lines, name

    def _array(self, items: ValueType, name: str) -> list[str]:
        lines, value = self._value(items)
        function = f"item_of_{name}"
        body = [*lines, f"return {value}, at"]
        self._functions.append("\n".join([f"def {function}(data, at):", *_indented(body)]))
        return [
            f"{name} = []",
            "count, at = long(data, at)",
            "while count:",
            "    if count < 0:  # the block's size in bytes follows",
            "        count = -count",
            "        _, at = long(data, at)",
            "    for _ in range(count):",
            f"        item, at = {function}(data, at)",
            f"        {name}.append(item)",
            "    count, at = long(data, at)",
        ]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
