"""Events of all forms, made from the contract: as structs, and as JSON on the wire."""

from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from app.schemas.contract import load_contract
from app.schemas.models import LONG_MAX, LONG_MIN, build_models, is_own_field
from app.schemas.shape import Kind, Record, ValueType, read_record

__all__ = [
    "ANY_TEXT",
    "ASCII_TEXT",
    "CONTRACT",
    "EVENT_NAMES",
    "MODELS",
    "SHAPES",
    "as_dict",
    "records",
    "wire_events",
    "wire_time",
]

CONTRACT = load_contract()
EVENT_NAMES = list(CONTRACT.events)
MODELS = build_models(CONTRACT)
SHAPES = {name: read_record(event.schema) for name, event in CONTRACT.events.items()}

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ASCII_TEXT = st.text(st.characters(max_codepoint=127), max_size=12)

_OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def _times(first: str, last: str, zones: st.SearchStrategy[Any]) -> st.SearchStrategy[datetime]:
    return st.datetimes(datetime.fromisoformat(first), datetime.fromisoformat(last), timezones=zones)


_SCALARS = {
    Kind.LONG: st.integers(LONG_MIN, LONG_MAX) | st.integers(-3, 100),
    Kind.DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    Kind.BOOLEAN: st.booleans(),
    # Not within a day of the ends of what datetime knows: there the offset decides whether they are in range.
    Kind.TIMESTAMP: _times("0001-01-02", "9999-12-30", _OFFSETS | st.just(UTC))
    | _times("1969-12-30", "1970-01-05", st.just(UTC))
    | _times("2015-01-01", "2045-01-01", st.just(UTC)),
}


@cache
def records(event_name: str, text: st.SearchStrategy[str] = ANY_TEXT) -> st.SearchStrategy[Any]:
    """Structs of one event's model, with values that its schema has room for."""
    return _record(SHAPES[event_name], MODELS[event_name], text)


def _record(shape: Record, model: Any, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    members = {field.name: field.type for field in msgspec.structs.fields(model)}
    return st.builds(
        model, **{field.name: _value(field.type, members[field.name], text) for field in shape.fields}
    )


def _value(value_type: ValueType, member: Any, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    made: st.SearchStrategy[Any]
    if value_type.record is not None:
        made = _record(value_type.record, _struct_in(member), text)
    elif value_type.items is not None:
        made = st.lists(_value(value_type.items, member, text), max_size=3)
    else:
        made = text if value_type.kind is Kind.STRING else _SCALARS[value_type.kind]
    return st.none() | made if value_type.nullable else made


def _struct_in(member: Any) -> Any:
    """The struct in an annotation such as `list[OutcomeRating] | None`."""
    if isinstance(member, type) and issubclass(member, msgspec.Struct):
        return member
    return next(found for part in getattr(member, "__args__", ()) if (found := _struct_in(part)) is not None)


def as_dict(value: Any) -> Any:
    """A struct as the dicts and lists that fastavro takes and gives."""
    if isinstance(value, msgspec.Struct):
        return {name: as_dict(getattr(value, name)) for name in value.__struct_fields__}
    return [as_dict(item) for item in value] if isinstance(value, list) else value


@st.composite
def wire_time(draw: st.DrawFn) -> str:
    """A time of RFC 3339, with any offset, and with or without fractions."""
    text = draw(_SCALARS[Kind.TIMESTAMP]).replace(tzinfo=None).isoformat()
    text = text.replace("T", draw(st.sampled_from("Tt ")))
    return text + draw(st.sampled_from(["Z", "z", "+00:00", "-06:00", "+05:30", "-00:00", "+0130"]))


@cache
def wire_events(event_name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Events as JSON in the form of the newest Canvas, which the strict models take."""
    parts = {field.name: field.type.record for field in SHAPES[event_name].fields if field.type.record}
    body = _wire_record(parts["body"], ANY_TEXT)
    metadata = _wire_record(parts["metadata"], ANY_TEXT.filter(bool)).map(
        lambda fields: fields | {"event_name": event_name}
    )
    return st.fixed_dictionaries({"metadata": metadata, "body": body})


def _wire_record(shape: Record, text: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    fields = [field for field in shape.fields if not is_own_field(shape, field)]
    values = {field.name: _wire_value(field.type, text) for field in fields}
    required = {field.name: values[field.name] for field in fields if not field.type.nullable}
    return st.fixed_dictionaries(
        required, optional={name: made for name, made in values.items() if name not in required}
    )


def _wire_value(value_type: ValueType, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    made: st.SearchStrategy[Any]
    match value_type.kind:
        case Kind.RECORD if value_type.record is not None:
            made = _wire_record(value_type.record, text)
        case Kind.ARRAY if value_type.items is not None:
            made = st.lists(_wire_value(value_type.items, text), max_size=3)
        case Kind.STRING:
            made = text
        case Kind.TIMESTAMP:
            made = wire_time()
        case Kind.DOUBLE:
            made = _SCALARS[Kind.DOUBLE] | st.integers(-(10**30), 10**30)
        case other:
            made = _SCALARS[other]
    return st.none() | made if value_type.nullable else made
