"""The fields of a topic's schema in a row, as people read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Field", "fields_of"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `path` is like `body.ratings[].points`, `type` the name of its type without `null`."""

    path: str
    type: str
    nullable: bool
    personal: bool
    doc: str


def fields_of(fields: list[dict[str, Any]], prefix: str = "") -> Iterator[Field]:
    """Yield the fields of a record of the contract, each before those inside it.

    `fields` are the record's, of a self-contained schema; paths begin with `prefix`.
    """
    for field in fields:
        nullable = isinstance(field["type"], list)
        schema = field["type"][1] if nullable else field["type"]
        path = prefix + field["name"]
        yield Field(path, _type_name(schema), nullable, "mastery.pii" in field, field["doc"])
        inner = schema
        while isinstance(inner, dict) and inner["type"] == "array":
            inner, path = inner["items"], path + "[]"
        if isinstance(inner, dict) and inner["type"] == "record":
            yield from fields_of(inner["fields"], path + ".")


def _type_name(schema: Any) -> str:
    match schema:
        case {"type": "array", "items": items}:
            return f"array of {_type_name(items)}"
        case {"type": "record", "name": str(name)} | {"logicalType": str(name)} | str(name):
            return name
    raise AssertionError("load_contract refuses any other type")
