"""Contracts that are a change away from the real one."""

import copy
import json
from collections.abc import Callable
from typing import Any

from app.schemas.contract import Contract, TopicSchema, load_contract, local_schema_id

__all__ = ["CONTRACT", "EVENT", "NEW_FIELD", "body_fields", "changed", "with_new_field"]

CONTRACT = load_contract()
EVENT = "rubric_assessed"
NEW_FIELD = {"name": "zeal", "type": ["null", "long"], "default": None, "doc": "Only newer releases have it."}


def body_fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of an event's body."""
    body = next(field for field in schema["fields"] if field["name"] == "body")
    fields: list[dict[str, Any]] = body["type"]["fields"]
    return fields


def changed(change: Callable[[dict[str, Any]], Any], *, local_id: int | None = None) -> Contract:
    """Return the contract with the schema of EVENT changed by `change`; `local_id` forges its id."""
    event = CONTRACT.events[EVENT]
    schema = copy.deepcopy(event.schema)
    change(schema)
    made = local_schema_id(schema) if local_id is None else local_id
    other = TopicSchema(event.name, event.record_name, schema, json.dumps(schema), made)
    return Contract({**CONTRACT.events, EVENT: other}, CONTRACT.derived)


def with_new_field() -> Contract:
    """Return what a later release may look like: one more nullable field."""
    return changed(lambda schema: body_fields(schema).insert(0, NEW_FIELD))
