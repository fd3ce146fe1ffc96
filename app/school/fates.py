"""What must become of a raw record: typed, a dead letter, or ignored.

This is what the generator knows because it made the record. Nothing of it is asked of the code that routes.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from app.school.model import Event

__all__ = ["Dead", "Fate", "Ignored", "Record", "Typed"]


class Typed(NamedTuple):
    """A record in the event's topic. The extras are what the schemas do not name, path to value."""

    event: Event
    metadata_extra: Mapping[str, Any]
    body_extra: Mapping[str, Any]


class Dead(NamedTuple):
    """A dead letter: what is wrong, and where ("" for the record as a whole)."""

    kind: str
    path: str


class Ignored(NamedTuple):
    """An event that Canvas documents and the fan-out does not publish; refused where it is told to."""

    event_name: str


Fate = Typed | Dead | Ignored


class Record(NamedTuple):
    """One record of the raw topic, None for a null value. A repeated one is a second delivery."""

    raw: bytes | None
    fate: Fate
    repeated: bool = False
