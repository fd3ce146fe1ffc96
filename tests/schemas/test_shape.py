"""Schemas become trees of the kinds that the generated code knows; others are refused."""

from typing import Any

import pytest

from app.schemas.contract import load_contract
from app.schemas.shape import Field, Kind, Record, UnsupportedSchemaError, ValueType, read_record

CONTRACT = load_contract()


def record(*types: Any, **attributes: Any) -> dict[str, Any]:
    fields = [{"name": f"f{number}", "type": made, **attributes} for number, made in enumerate(types)]
    return {"type": "record", "name": "some.space.R", "fields": fields}


def test_each_kind_of_value() -> None:
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "a", "type": "string"}]}
    shape = read_record(
        record(
            "string",
            ["null", "long"],
            {"type": "double"},
            "boolean",
            {"type": "long", "logicalType": "timestamp-millis"},
            inner,
            ["null", {"type": "array", "items": "some.space.Inner"}],
        )
    )
    known = Record("Inner", (Field("a", ValueType(Kind.STRING)),))
    assert shape.name == "R"
    assert [field.type for field in shape.fields] == [
        ValueType(Kind.STRING),
        ValueType(Kind.LONG, nullable=True),
        ValueType(Kind.DOUBLE),
        ValueType(Kind.BOOLEAN),
        ValueType(Kind.TIMESTAMP),
        ValueType(Kind.RECORD, record=known),
        ValueType(Kind.ARRAY, nullable=True, items=ValueType(Kind.RECORD, record=known)),
    ]


def test_personal_data_is_marked() -> None:
    assert read_record(record("string", **{"mastery.pii": True})).fields[0].pii
    assert not read_record(record("string")).fields[0].pii


@pytest.mark.parametrize(
    "schema",
    [
        "string",
        ["null", record("string")],
        record("int"),
        record("bytes"),
        record("Undefined"),
        record({"type": "map", "values": "string"}),
        record({"type": "enum", "name": "E", "symbols": ["A"]}),
        record(["string", "null"]),
        record(["null", "string", "long"]),
        record({"type": "long", "logicalType": "timestamp-micros"}),
        record({"type": "string", "logicalType": "uuid"}),
        {"type": "record", "name": "R", "fields": [{"name": "class", "type": "string"}]},
        {"type": "record", "name": "R", "fields": [{"name": "a; import os", "type": "string"}]},
    ],
    ids=lambda schema: str(schema)[-60:],
)
def test_anything_else_is_not_supported(schema: Any) -> None:
    with pytest.raises(UnsupportedSchemaError):
        read_record(schema)


@pytest.mark.parametrize("event_name", CONTRACT.events)
def test_every_event_of_the_contract_is_supported(event_name: str) -> None:
    event = CONTRACT.events[event_name]
    assert [field.name for field in read_record(event.schema).fields] == ["event_id", "metadata", "body"]
