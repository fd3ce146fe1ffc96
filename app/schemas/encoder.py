"""Avro encoders, generated from the schema.

A record becomes one text in which every character stands for one byte (latin-1), put together by a single
f-string and turned into bytes at the end. Strings of ASCII go in as they are, and what stands before them
(length, null or not) comes from tables. That takes 0.6 of the time of appending bytes field by field, and a
seventh of fastavro's. The bytes are the same as fastavro's. `Encoder.source` shows what was generated.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.errors import MasteryError
from app.schemas.pieces import EPOCH, FIRST_TIME, LAST_TIME, encoder_names, long
from app.schemas.shape import Kind, Record, UnsupportedSchemaError, ValueType, read_record

__all__ = ["Encoder", "TimestampRangeError", "compile_encoder", "is_plain_ascii"]

_FRAMING = struct.Struct(">bI")


class TimestampRangeError(MasteryError):
    """A timestamp lies before the year 1 or after 9999 in UTC, where many consumers can not read it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: not within the years 1 to 9999 in UTC")
        self.path = path


@dataclass(frozen=True, slots=True)
class Encoder:
    """Encodes the records of one schema in Confluent framing: a zero byte, four of schema id, the Avro body.

    `encode` takes any record of the schema. `encode_ascii` is faster, and right only when every string in the
    record is ASCII, which it does not check: `is_plain_ascii` tells from the JSON that the record came from.
    Both raise TimestampRangeError.
    """

    schema_id: int
    encode: Callable[[Any], bytes]
    encode_ascii: Callable[[Any], bytes]
    source: str


def is_plain_ascii(raw: bytes) -> bool:
    r"""Whether all strings in this JSON are ASCII: no byte above 127, and no escape such as \u00e9."""
    # Looking for one byte is 20 times as fast as looking for two, and most events have no escapes at all.
    return raw.isascii() and (b"\\" not in raw or b"\\u" not in raw)


def compile_encoder(
    schema: dict[str, Any], schema_id: int, *, drop_pii: bool = False, plain_times: bool = False
) -> Encoder:
    """The encoder of a self-contained schema; the records' attributes are named as its fields.

    With `plain_times`, timestamps are not datetimes but milliseconds since 1970. With `drop_pii`, fields of
    personal data (`mastery.pii`) are written as null, whatever the record holds. Raises
    UnsupportedSchemaError for what `app.schemas.shape` does not know, and when a field to be dropped is not
    nullable.
    """
    record = read_record(schema)
    source = "\n\n".join(
        (
            _ByCalls("any", drop_pii=drop_pii, plain_times=plain_times).module("encode_any", record),
            _ByTables("text", drop_pii=drop_pii, plain_times=plain_times).module("encode", record),
            _AsciiByTables("ascii", drop_pii=drop_pii, plain_times=plain_times).module(
                "encode_ascii", record
            ),
        )
    )
    framing = _FRAMING.pack(0, schema_id).decode("latin-1")
    names = encoder_names() | {"FRAMING": framing, "timestamp": _timestamp}
    exec(compile(source, f"<encoder of {record.name}>", "exec"), names)  # noqa: S102 - our own text, names checked
    return Encoder(schema_id, names["encode"], names["encode_ascii"], source)


def _timestamp(value: datetime, path: str) -> str:
    """Any timestamp; what is less than a millisecond is cut off, towards the past."""
    since = value - EPOCH
    milliseconds = (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
    if not FIRST_TIME <= milliseconds <= LAST_TIME:
        raise TimestampRangeError(path)
    return long(milliseconds)


class _ByCalls:
    """Writes functions that encode any value, by a call for each."""

    def __init__(self, prefix: str, *, drop_pii: bool, plain_times: bool) -> None:
        self._prefix = prefix
        self._drop_pii = drop_pii
        self._plain_times = plain_times
        self._functions: list[str] = []

    def module(self, name: str, record: Record) -> str:
        """The source of function `name`, which encodes a record with its framing, and of those it calls."""
        lines, parts = self._fields("record", record, "")
        body = [*lines, "return (", '    f"{FRAMING}"', *parts, ').encode("latin-1")']
        self._add(name, "record", record.name, self._guarded(body))
        return "\n\n".join(self._functions)

    def _guarded(self, body: list[str]) -> list[str]:
        return body

    def _add(self, name: str, argument: str, comment: str, body: list[str]) -> None:
        lines = [f"def {name}({argument}):", f"    # {comment}", *_indented(body)]
        self._functions.append("\n".join(lines) + "\n")

    def _fields(self, source: str, record: Record, path: str) -> tuple[list[str], list[str]]:
        """Statements, and the f-string's parts after them, for the fields of the record in `source`."""
        lines: list[str] = []
        parts: list[str] = []
        for field in record.fields:
            where = path + field.name
            if self._drop_pii and field.pii:
                if not field.type.nullable:
                    raise UnsupportedSchemaError(f"{where} is personal data, so it must be nullable")
                parts.append(f'    f"{{NULL}}"  # {where}')
            elif field.type.record is not None and not field.type.nullable and not path:
                # The parts of the envelope, in line: a call costs as much as a field.
                inner_lines, inner_parts = self._fields(field.name, field.type.record, where + ".")
                lines += [f"{field.name} = {source}.{field.name}", *inner_lines]
                parts += inner_parts
            else:
                before, part = self._value(field.type, f"{source}.{field.name}", where)
                lines += before
                parts.append(f'    f"{part}"  # {where}')
        return lines, parts

    def _value(self, value_type: ValueType, source: str, where: str) -> tuple[list[str], str]:
        """Statements, and the f-string's part after them, for one value."""
        if value_type.nullable:
            return [], f"{{NULL if (v := {source}) is None else SOME + {self._call(value_type, 'v', where)}}}"
        return [], f"{{{self._call(value_type, source, where)}}}"

    def _call(self, value_type: ValueType, source: str, where: str) -> str:
        match value_type.kind:
            case Kind.STRING:
                return f"text({source})"
            case Kind.LONG:
                return f"long({source})"
            case Kind.DOUBLE:
                return f"double({source})"
            case Kind.BOOLEAN:
                return f"BOOLEAN[{source}]"
            case Kind.TIMESTAMP:
                return f"long({source})" if self._plain_times else f"timestamp({source}, '{where}')"
            case _:
                return f"{self._compound(value_type, where)}({source})"

    def _count(self, source: str) -> str:
        return f"long(len({source}))"

    def _compound(self, value_type: ValueType, where: str) -> str:
        """Add a function for the record or array at this place, and return its name."""
        name = f"{self._prefix}_{_variable(where)}"
        if value_type.record is not None:
            lines, parts = self._fields("record", value_type.record, where + ".")
            self._add(name, "record", where, [*lines, "return (", *parts, ")"])
        elif value_type.items is not None:
            lines, part = self._value(value_type.items, "value", where + "[]")
            self._add(f"{name}_each", "value", where + "[]", [*lines, f'return f"{part}"'])
            # A block of all items and an empty block; for no items, the empty block alone.
            count = self._count("values")
            blocks = f"{{{count}}}{{join(map({name}_each, values))}}{{NULL if values else EMPTY}}"
            self._add(name, "values", where, [f'return f"{blocks}"'])
        return name


class _ByTables(_ByCalls):
    """Writes functions that look up, in line, everything but strings that are not ASCII.

    What a table does not have (times before 1970, large numbers, long strings) raises LookupError; then the
    record is encoded again, by calls.
    """

    def _guarded(self, body: list[str]) -> list[str]:
        return ["try:", *_indented(body), "except LookupError:", "    return encode_any(record)"]

    def _value(self, value_type: ValueType, source: str, where: str) -> tuple[list[str], str]:
        match value_type.kind:
            case Kind.STRING:
                return [], self._string(source, nullable=value_type.nullable)
            case Kind.LONG:
                some = f"{{NULL if (v := {source}) is None else SOME + LONG[v]}}"
                return [], some if value_type.nullable else f"{{LONG[{source}]}}"
            case Kind.DOUBLE if value_type.nullable:
                some = "SOME_DOUBLE[v] if v else SOME + double(v)"
                return [], f"{{NULL if (v := {source}) is None else {some}}}"
            case Kind.DOUBLE:
                return [], f"{{DOUBLE[v] if (v := {source}) else double(v)}}"
            case Kind.TIMESTAMP:
                return self._timestamp(source, where, nullable=value_type.nullable)
            case _:
                return super()._value(value_type, source, where)

    def _string(self, source: str, *, nullable: bool) -> str:
        if nullable:
            some = "SOME_LENGTH[len(v)] + v if v.isascii() else SOME + text(v)"
            return f"{{NULL if (v := {source}) is None else {some}}}"
        return f"{{LENGTH[len(v)] + v if (v := {source}).isascii() else text(v)}}"

    def _count(self, source: str) -> str:
        return f"LENGTH[len({source})]"

    def _timestamp(self, source: str, where: str, *, nullable: bool) -> tuple[list[str], str]:
        if self._plain_times:
            some = f"{{NULL if (v := {source}) is None else SOME + TIME[v]}}"
            return [], some if nullable else f"{{TIME[{source}]}}"
        name = _variable(where)
        low = "SOME_LOW" if nullable else "LOW"
        lines = [
            f"since = {name} - EPOCH",
            "low, high, next_high = DAY[since.days]",
            "low += since.seconds * 2000 + since.microseconds // 1000 * 2",
            f'{name} = f"{{{low}[low & 0x3FFF]}}{{MIDDLE[low >> 14]}}{{high if low < CARRY else next_high}}"',
        ]
        if nullable:
            lines = [f"if {name} is None:", f"    {name} = NULL", "else:", *_indented(lines)]
        return [f"{name} = {source}", *lines], f"{{{name}}}"


class _AsciiByTables(_ByTables):
    """Writes functions that look up everything, and take each character of a string for a byte.

    A string that is too long for the tables raises LookupError, too.
    """

    def _string(self, source: str, *, nullable: bool) -> str:
        if nullable:
            return f"{{NULL if (v := {source}) is None else SOME_LENGTH[len(v)] + v}}"
        return f"{{LENGTH[len(v := {source})]}}{{v}}"


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _variable(where: str) -> str:
    return where.replace(".", "_").replace("[]", "_item")
