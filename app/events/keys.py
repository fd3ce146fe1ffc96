"""Kafka record keys of the typed topics, made as the contract says (`mastery.key` in `avro/`).

A key is readable UTF-8, such as `<root_account_uuid>:<user_uuid>`: the same bytes give the same partition in
every client. The contract lists templates; the first that can be filled counts.
"""

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from app.schemas.contract import ContractError, TopicSchema
from app.schemas.shape import Record, read_record

__all__ = ["key_function"]

_TEMPLATE = re.compile(r"\{metadata\.root_account_uuid\}(?P<separator>::?)\{(?P<place>[a-z_.]+)\}")


def key_function(event: TopicSchema) -> Callable[[Any], bytes]:
    """A function that makes the key of a decoded record of this event.

    A root account that is not named is `-`. Raises ContractError when a template is not of the known form, or
    when there may be none that can be filled.
    """
    shape = read_record(event.schema)
    ways: list[tuple[str, Callable[[Any], str | None]]] = []
    always = False
    for template in event.schema.get("mastery.key", ()):
        match = _TEMPLATE.fullmatch(template)
        if match is None:
            raise ContractError(f"{event.name}: the key template {template} is not supported")
        ways.append((match["separator"], attrgetter(match["place"])))
        always = not _nullable(shape, match["place"].split("."), event.name)
    if not always:
        raise ContractError(f"{event.name}: the last key template needs a field that is never null")

    def key(record: Any) -> bytes:
        account = record.metadata.root_account_uuid or "-"
        for separator, place in ways:
            if value := place(record):
                return f"{account}{separator}{value}".encode()
        # The last value is empty, which is a value, though not much of a key.
        return f"{account}{separator}".encode()

    return key


def _nullable(shape: Record, place: list[str], event_name: str) -> bool:
    """Whether the field at this place below the record may be null."""
    for field in shape.fields:
        if field.name == place[0]:
            if len(place) > 1 and field.type.record is not None:
                return field.type.nullable or _nullable(field.type.record, place[1:], event_name)
            return field.type.nullable
    raise ContractError(f"{event_name}: the key names a field {place[-1]} that there is not")
