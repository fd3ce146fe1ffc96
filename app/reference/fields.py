"""Tables of an event's fields, in Markdown, from its Avro schema."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.schemas.contract import TopicSchema
from app.schemas.fields import Field, fields_of

__all__ = ["body_table", "escaped", "metadata_table", "value_table"]


def metadata_table(event: TopicSchema) -> str:
    """The fields that all events share: `event_id` and those of `metadata`."""
    event_id, metadata, _ = event.schema["fields"]
    rows = [*fields_of([event_id]), *fields_of(metadata["type"]["fields"], "metadata.")]
    return _table([(row, "") for row in rows])


def body_table(events: Mapping[str, TopicSchema]) -> str:
    """The fields of the bodies of events that describe the same row, by a short name of each.

    What all of them have in common is there once; what is in one alone says so.
    """
    where: dict[Field, list[str]] = {}
    longest_first = sorted(events.items(), key=lambda item: -len(_body_fields(item[1])))
    for name, event in longest_first:
        for row in fields_of(_body_fields(event), "body."):
            where.setdefault(row, []).append(name)
    return _table([(row, "" if len(names) == len(events) else names[0]) for row, names in where.items()])


def value_table(schema: TopicSchema) -> str:
    """The fields of a record that is no event."""
    return _table([(row, "") for row in fields_of(schema.schema["fields"])])


def escaped(doc: str) -> str:
    """A doc as Markdown inside a table: nothing in it is markup."""
    for char in "\\`*<|":
        doc = doc.replace(char, "\\" + char)
    return doc


def _body_fields(event: TopicSchema) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = event.schema["fields"][-1]["type"]["fields"]
    return fields


def _table(rows: Sequence[tuple[Field, str]]) -> str:
    lines = ["| field | type | null | meaning |", "|---|---|---|---|"]
    for row, only_in in rows:
        doc = escaped(row.doc)
        if only_in:
            doc = f"*Only in `{only_in}`.* {doc}"
        if row.personal:
            doc = f"*Personal.* {doc}"
        lines.append(f"| `{row.path}` | {row.type} | {'yes' if row.nullable else ''} | {doc} |")
    return "\n".join(lines)
