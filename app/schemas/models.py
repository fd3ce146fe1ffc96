"""The twelve events as msgspec structs, made from the contract.

The structs are strict: they take an event in one form only, that of the newest Canvas, and no field but those
of the contract. What they refuse is for `app.events.tolerant` to bring into that form; both end in the same
structs.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from app.schemas.contract import Contract
from app.schemas.shape import Field, Kind, Record, ValueType, read_record

__all__ = ["LONG_MAX", "LONG_MIN", "build_models", "is_own_field"]

LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1

_METADATA = "EventMetadata"

# In metadata an empty string means that there is none. A struct can not make null of it, so it refuses it. In
# a body an empty string is a value.
_NOT_EMPTY = Annotated[str, Meta(min_length=1)]

_SCALARS: Mapping[Kind, Any] = {
    Kind.STRING: str,
    Kind.LONG: Annotated[int, Meta(ge=LONG_MIN, le=LONG_MAX)],
    Kind.DOUBLE: float,
    Kind.BOOLEAN: bool,
    Kind.TIMESTAMP: Annotated[datetime, Meta(tz=True)],
}


class _NotOnTheWire:
    """The type of a field that we fill in ourselves: no JSON value is of it, not even null."""


def build_models(contract: Contract) -> Mapping[str, type[msgspec.Struct]]:
    """A struct type for the record of each event, by event name.

    Attributes are named as the Avro fields: `record.event_id`, `record.metadata.event_time`,
    `record.body.score`. Ids are str, timestamps aware datetimes, doubles floats; nullable fields are None
    when absent. `event_id` and the `extra` of metadata and body are None until whoever decodes sets them:
    nothing on the wire can.
    """
    built: dict[str, type[msgspec.Struct]] = {}
    return {name: _struct(read_record(event.schema), built) for name, event in contract.events.items()}


def is_own_field(record: Record, field: Field) -> bool:
    """Whether we fill the field in ourselves: `event_id`, and the `extra` that ends metadata and body."""
    return field.name == "event_id" or (field is record.fields[-1] and field.name == "extra")


def _struct(record: Record, built: dict[str, type[msgspec.Struct]]) -> type[msgspec.Struct]:
    if record.name not in built:
        own = {field.name for field in record.fields if is_own_field(record, field)}
        built[record.name] = msgspec.defstruct(
            record.name,
            [_member(record, field, own=field.name in own, built=built) for field in record.fields],
            module=__name__,
            rename={name: f"${name}" for name in own},
            forbid_unknown_fields=True,
            kw_only=True,
            # An event is a tree: reference counting frees all of it, the cycle collector need not look.
            gc=False,
        )
    return built[record.name]


def _member(record: Record, field: Field, *, own: bool, built: dict[str, type[msgspec.Struct]]) -> Any:
    if own:
        return (field.name, _NotOnTheWire, None)
    text = _NOT_EMPTY if record.name == _METADATA else str
    annotation = _annotation(field.type, text, built)
    return (field.name, annotation, None) if field.type.nullable else (field.name, annotation)


def _annotation(value_type: ValueType, text: Any, built: dict[str, type[msgspec.Struct]]) -> Any:
    annotation: Any
    if value_type.record is not None:
        annotation = _struct(value_type.record, built)
    elif value_type.items is not None:
        annotation = list[_annotation(value_type.items, text, built)]  # type: ignore[misc] # a type made at run time
    elif value_type.kind is Kind.STRING:
        annotation = text
    else:
        annotation = _SCALARS[value_type.kind]
    return annotation | None if value_type.nullable else annotation
