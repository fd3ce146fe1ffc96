"""What an event says of itself and where it comes from, whatever is wrong with it, and nothing of anybody."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from app.events.errors import EventRefused
from app.events.parse import parse_json
from app.events.times import parse_time

__all__ = ["Telling", "environment", "tell"]

#: Names of events, hosts and producers, and uuids of root accounts. Anything else may be about a person.
_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}", re.ASCII)
_RESULTS: Final = ("learning_outcome_result_created", "learning_outcome_result_updated")

#: By how an event's name begins: fields of which today's Canvas sends at least one, and older ones none.
_NEW_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "rubric_assessed": ("submitted_at", "created_at", "updated_at"),
    "learning_outcome_link_": ("learning_outcome_context_uuid", "learning_outcome_group_context_uuid"),
    "learning_outcome_": ("context_uuid",),
}


class Telling(NamedTuple):
    """What one event tells; None for what it does not, or what may be about a person.

    `generation` is `newest`, `middle` or `oldest` of results; `newest` or `older` of others.
    """

    event_name: str | None = None
    generation: str | None = None
    root_account_uuid: str | None = None
    hostname: str | None = None
    producer: str | None = None
    event_time: datetime | None = None


def tell(raw: bytes | None) -> Telling:
    """Read an event's metadata, and which fields its body has. Raises nothing."""
    try:
        event = parse_json(raw or b"")
    except EventRefused:
        return Telling()
    if not isinstance(event, dict):
        return Telling()
    metadata = event.get("metadata") or event.get("attributes")
    if not isinstance(metadata, dict):
        return Telling()
    body = event.get("body")
    name = _text(metadata, "event_name")
    return Telling(
        name,
        _generation(name or "", body if isinstance(body, dict) else {}),
        _text(metadata, "root_account_uuid"),
        _text(metadata, "hostname"),
        _text(metadata, "producer"),
        _time(metadata.get("event_time")),
    )


def environment(hostname: str) -> str:
    """Canvas's environment by the name of a host: Instructure's are school.beta.instructure.com and so on."""
    labels = hostname.lower().split(".")
    return next((name for name in ("beta", "test") if name in labels), "production")


def _generation(name: str, body: Mapping[str, Any]) -> str | None:
    """Which Canvas wrote it, by the fields that came one after another."""

    def has(*fields: str) -> bool:
        return any(body.get(field) is not None for field in fields)

    if name in _RESULTS:
        return "newest" if has("id") else "middle" if has("user_uuid") else "oldest"
    for beginning, fields in _NEW_FIELDS.items():
        if name.startswith(beginning):
            if has(*fields):
                return "newest"
            # Outcomes and groups of all of Canvas are in no context.
            return None if beginning == "learning_outcome_" and not has("context_id") else "older"
    return None


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    value = metadata.get(name)
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def _time(value: object) -> datetime | None:
    try:
        return parse_time(value) if isinstance(value, str) else None
    except ValueError:
        return None
