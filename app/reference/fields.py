"""Tables of an event's fields, in Markdown, from its Avro schema."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.schemas.contract import TopicSchema

__all__ = ["body_table", "escaped", "metadata_table", "value_table"]


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    type: str
    nullable: bool
    personal: bool
    doc: str


def metadata_table(event: TopicSchema) -> str:
    """The fields that all events share: `event_id` and those of `metadata`."""
    event_id, metadata, _ = event.schema["fields"]
    rows = [*_rows([event_id], ""), *_rows(metadata["type"]["fields"], "metadata.")]
    return _table([(row, "") for row in rows])


def body_table(events: Mapping[str, TopicSchema]) -> str:
    """The fields of the bodies of events that describe the same row, by a short name of each.

    What all of them have in common is there once; what is in one alone says so.
    """
    where: dict[_Row, list[str]] = {}
    longest_first = sorted(events.items(), key=lambda item: -len(_body_fields(item[1])))
    for name, event in longest_first:
        for row in _rows(_body_fields(event), "body."):
            where.setdefault(row, []).append(name)
    return _table([(row, "" if len(names) == len(events) else names[0]) for row, names in where.items()])


def value_table(schema: TopicSchema) -> str:
    """The fields of a record that is no event."""
    return _table([(row, "") for row in _rows(schema.schema["fields"], "")])


def escaped(doc: str) -> str:
    """A doc as Markdown inside a table: nothing in it is markup."""
    for char in "\\`*<|":
        doc = doc.replace(char, "\\" + char)
    return doc


def _body_fields(event: TopicSchema) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = event.schema["fields"][-1]["type"]["fields"]
    return fields


def _rows(fields: list[dict[str, Any]], prefix: str) -> Iterator[_Row]:
    for field in fields:
        nullable = isinstance(field["type"], list)
        schema = field["type"][1] if nullable else field["type"]
        path = prefix + field["name"]
        yield _Row(path, _type_name(schema), nullable, "mastery.pii" in field, field["doc"])
        inner = schema
        while isinstance(inner, dict) and inner["type"] == "array":
            inner, path = inner["items"], path + "[]"
        if isinstance(inner, dict) and inner["type"] == "record":
            yield from _rows(inner["fields"], path + ".")


def _type_name(schema: Any) -> str:
    match schema:
        case {"type": "array", "items": items}:
            return f"array of {_type_name(items)}"
        case {"type": "record", "name": str(name)} | {"logicalType": str(name)} | str(name):
            return name
    raise AssertionError("load_contract refuses any other type")


def _table(rows: Sequence[tuple[_Row, str]]) -> str:
    lines = ["| field | type | null | meaning |", "|---|---|---|---|"]
    for row, only_in in rows:
        doc = escaped(row.doc)
        if only_in:
            doc = f"*Only in `{only_in}`.* {doc}"
        if row.personal:
            doc = f"*Personal.* {doc}"
        lines.append(f"| `{row.path}` | {row.type} | {'yes' if row.nullable else ''} | {doc} |")
    return "\n".join(lines)
