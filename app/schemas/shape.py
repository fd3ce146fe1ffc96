"""The part of Avro that the contract uses, read once into a tree.

Models, tolerant decoding, encoder and decoder are all made from this tree, so that each of them deals with a
few kinds of values and not with the ways of writing a schema down.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from keyword import iskeyword
from typing import Any

from app.errors import MasteryError

__all__ = ["Field", "Kind", "Record", "UnsupportedSchemaError", "ValueType", "read_record"]


class UnsupportedSchemaError(MasteryError):
    """A schema uses a part of Avro that the generated code has no notion of."""


class Kind(StrEnum):
    """What a value is."""

    STRING = "string"
    LONG = "long"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp-millis"
    ARRAY = "array"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Record:
    """A record and its fields, in the order of the schema. `name` is without the namespace."""

    name: str
    fields: tuple["Field", ...]


@dataclass(frozen=True, slots=True)
class ValueType:
    """The type of a field or of an array's items; `record` and `items` are set for those two kinds alone."""

    kind: Kind
    nullable: bool = False
    record: Record | None = None
    items: "ValueType | None" = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record. `pii` says that it holds personal data (`mastery.pii`)."""

    name: str
    type: ValueType
    pii: bool = False


def read_record(schema: dict[str, Any]) -> Record:
    """The tree of a self-contained record schema.

    Raises UnsupportedSchemaError for anything but records, arrays, strings, longs, doubles, booleans and
    timestamp-millis, each alone or in a union with null before it.
    """
    value_type = _read(schema, {})
    if value_type.record is None or value_type.nullable:
        raise UnsupportedSchemaError(f"a record is needed, this is: {value_type.kind}")
    return value_type.record


def _read(schema: Any, known: dict[str, Record]) -> ValueType:
    match schema:
        case "string" | "long" | "double" | "boolean":
            value_type = ValueType(Kind(schema))
        case str() if (record := known.get(schema.rpartition(".")[2])) is not None:
            value_type = ValueType(Kind.RECORD, record=record)
        case ["null", other]:
            value_type = replace(_read(other, known), nullable=True)
        case {"type": "record"}:
            value_type = ValueType(Kind.RECORD, record=_read_fields(schema, known))
        case {"type": "array", "items": items}:
            value_type = ValueType(Kind.ARRAY, items=_read(items, known))
        case {"type": "long", "logicalType": "timestamp-millis"}:
            value_type = ValueType(Kind.TIMESTAMP)
        case {"type": other} if "logicalType" not in schema:
            value_type = _read(other, known)
        case _:
            raise UnsupportedSchemaError("the schema has a part that the generated code does not know")
    return value_type


def _read_fields(schema: dict[str, Any], known: dict[str, Record]) -> Record:
    fields = tuple(
        Field(_identifier(field["name"]), _read(field["type"], known), pii=bool(field.get("mastery.pii")))
        for field in schema["fields"]
    )
    name = _identifier(schema["name"].rpartition(".")[2])
    return known.setdefault(name, Record(name, fields))


def _identifier(name: str) -> str:
    """The name, if it is good for an attribute: it goes into generated code as it is."""
    if name.isidentifier() and not iskeyword(name):
        return name
    raise UnsupportedSchemaError(f"{name!r} is no name that the generated code can use")
