"""The field reference, `docs/topics.md`, written from the contract: `python -m app.schemas.reference`."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.schemas.contract import NAMESPACE, Contract, EventSchema, load_contract

__all__ = ["render"]

TOPIC_PREFIX = "canvas."
"""The default of `MASTERY_TOPIC_PREFIX`: topics are named here as they are when nobody chose otherwise."""

_INTRODUCTION = f"""\
# The typed topics

Every event has a topic of its own, named here with the default `MASTERY_TOPIC_PREFIX`, `{TOPIC_PREFIX}`.
A value is a record of the event's Avro schema in Confluent's framing, subject `<topic>-value`; a key is
UTF-8 text. All records have three fields: `event_id`, `metadata`, the same in every event, and `body`.

* A field that may be null is null when Canvas does not send it: missing and null are the same.
* Ids are strings. Times are `timestamp-millis`, in UTC. Scores and points are doubles.
* States, types and methods are plain strings: a value that Canvas invents tomorrow passes.
* With `MASTERY_PII=drop`, personal fields are null. A student's `user_uuid` is none: the key needs it.
* In a key, `-` stands for a root account that is not named.

This page is made from `avro/`; to bring it up to date: `python -m app.schemas.reference > docs/topics.md`."""


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    type: str
    nullable: bool
    personal: bool
    doc: str


def render(contract: Contract) -> str:
    """The whole page, in Markdown."""
    events = list(contract.events.values())
    sections = [_INTRODUCTION, _contents(events), _common(events[0]), *map(_section, events)]
    return "\n\n".join(sections) + "\n"


def _contents(events: list[EventSchema]) -> str:
    lines = ["| topic | what happened |", "|---|---|"]
    for event in events:
        link = f"[`{TOPIC_PREFIX}{event.event_name}`](#{event.event_name.replace('.', '')})"
        lines.append(f"| {link} | {_text(event.schema['doc'])} |")
    return "\n".join(lines)


def _common(event: EventSchema) -> str:
    """The fields that all events share."""
    event_id, metadata, _ = event.schema["fields"]
    rows = [*_rows([event_id], ""), *_rows(metadata["type"]["fields"], "metadata.")]
    return f"## In every event\n\n{_text(metadata['type']['doc'])}\n\n{_table(rows)}"


def _section(event: EventSchema) -> str:
    body = event.schema["fields"][-1]["type"]
    keys = ", else ".join(f"`{template}`" for template in event.schema["mastery.key"])
    return (
        f"## {event.event_name}\n\n{_text(event.schema['doc'])}\n\n"
        f"* topic: `{TOPIC_PREFIX}{event.event_name}`\n"
        f"* record: `{NAMESPACE}.{event.record_name}`\n"
        f"* key: {keys}\n\n"
        f"{_table(_rows(body['fields'], 'body.'))}"
    )


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


def _table(rows: Iterator[_Row] | list[_Row]) -> str:
    lines = ["| field | type | null | personal | meaning |", "|---|---|---|---|---|"]
    for row in rows:
        marks = ("yes" if row.nullable else "", "yes" if row.personal else "")
        lines.append(f"| `{row.path}` | {row.type} | {marks[0]} | {marks[1]} | {_text(row.doc)} |")
    return "\n".join(lines)


def _text(doc: str) -> str:
    """A doc as Markdown inside a table: nothing in it is markup."""
    for char in "\\`*<|":
        doc = doc.replace(char, "\\" + char)
    return doc


if __name__ == "__main__":
    sys.stdout.write(render(load_contract()))
