"""A made-up school as the workload of a fault run, and the history of typed events that it amounts to."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.school.fates import Record
from app.school.stream import Plan, school_records
from app.school.truth import expectation
from tests.chaos.workload import DEAD, IGNORED, Event

__all__ = ["School", "SchoolEvent", "typed_history", "updated"]

_AVRO = Path(__file__).parents[2] / "avro"


@dataclass(frozen=True, slots=True)
class SchoolEvent(Event):
    """One raw record; `expected` is the truth about it, as `mastery generate --truth` tells it."""

    expected: Mapping[str, Any]


class School:
    """The events of a school without end, in the order of their arrival; others can be put between.

    To be iterated by one thread; `put` and `newest` may be called from another.
    """

    def __init__(self, seed: int, *, students: int = 600, term: int = 10_000) -> None:
        self._records = school_records(Plan(seed, term, students, huge=False))
        self._next: deque[SchoolEvent] = deque()
        self._outcomes: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._scales: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._newest = ""

    def __iter__(self) -> Iterator[SchoolEvent]:
        return self

    def __next__(self) -> SchoolEvent:
        event = self._next.popleft() if self._next else _school_event(next(self._records))
        if event.expected["to"] == "typed":
            self._newest = max(self._newest, event.expected["metadata"]["event_time"])
        if event.outcome in {"learning_outcome_created", "learning_outcome_updated"}:
            self._outcomes[_name(event, "learning_outcome_id")] = event.expected
        if event.outcome in {"outcome_proficiency_created", "outcome_proficiency_updated"}:
            self._scales[_name(event, "outcome_proficiency_id")] = event.expected
        return event

    def redefine(self, number: int) -> int:
        """Put updates in front that change the calculation and the scale of every outcome told so far.

        And every proficiency. They are of the next day: what the school itself changes later is newer again.
        Returns how many. `number` makes one change differ from another.
        """
        at = datetime.fromisoformat(self._newest) + timedelta(days=1)
        changed = [_redefined(told, number, at) for told in list(self._outcomes.values())]
        changed += [_rescaled(told, number, at) for told in list(self._scales.values())]
        self._next.extend(changed)
        return len(changed)


def typed_history(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return the typed records that the events must become, decoded: with every field, times aware."""
    history = []
    for event in events:
        assert isinstance(event, SchoolEvent)
        truth = event.expected
        if truth["to"] == "typed":
            metadata, body = _shape(truth["event"])
            history.append(
                {
                    "event_id": truth["event_id"],
                    "metadata": _filled(metadata, truth["metadata"]),
                    "body": _filled(body, truth["body"]),
                }
            )
    return history


def _school_event(record: Record) -> SchoolEvent:
    truth = expectation(record)
    outcome = {"dead-letter": DEAD, "ignored": IGNORED}.get(truth["to"]) or truth["event"]
    return SchoolEvent(record.raw, outcome, truth)


def _name(event: SchoolEvent, field: str) -> tuple[str, str]:
    return event.expected["metadata"]["root_account_uuid"], event.expected["body"][field]


def _redefined(told: Mapping[str, Any], number: int, at: datetime) -> SchoolEvent:
    method, calculation_int = [("latest", None), ("n_mastery", 2), ("decaying_average", 40)][number % 3]
    points = 7.0 + number
    levels = [("Reached", points - 2), ("Not yet", 0.0)]
    changes: dict[str, Any] = {
        "calculation_method": method,
        "title": f"{told['body']['title'].partition(' #')[0]} #{number}",
        "rubric_criterion": {
            "points_possible": points,
            "mastery_points": points - 2,
            "ratings": [{"description": text, "points": at_least} for text, at_least in levels],
        },
    }
    if calculation_int is not None:
        changes["calculation_int"] = calculation_int
    return updated("learning_outcome_updated", told, changes, at)


def _rescaled(told: Mapping[str, Any], number: int, at: datetime) -> SchoolEvent:
    points = 8.0 + number
    levels = [("Beyond", points, False), ("Reached", points - 3, True), ("Not yet", 0.0, False)]
    ratings = [
        {
            "outcome_proficiency_rating_id": str(9_000 + place),
            "description": text,
            "points": at_least,
            "mastery": mastery,
            "color": "0B874B",
            "workflow_state": "active",
        }
        for place, (text, at_least, mastery) in enumerate(levels)
    ]
    changes = {"workflow_state": "active", "outcome_proficiency_ratings": ratings}
    return updated("outcome_proficiency_updated", told, changes, at)


def updated(name: str, told: Mapping[str, Any], changes: Mapping[str, Any], at: datetime) -> SchoolEvent:
    """An update as the newest Canvas sends it: what was told, with other values."""
    time = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    metadata = {key: value for key, value in told["metadata"].items() if key != "extra"}
    body = {key: value for key, value in told["body"].items() if key not in {"extra", "calculation_int"}}
    metadata |= {"event_name": name, "event_time": time}
    body |= {"updated_at": time, **changes}
    raw = json.dumps({"metadata": metadata, "body": body}).encode()
    truth = {
        "to": "typed",
        "event": name,
        "event_id": sha256(raw).hexdigest()[:32],
        "metadata": metadata,
        "body": body,
    }
    return SchoolEvent(raw, name, truth)


@cache
def _shape(event_name: str) -> tuple[Any, Any]:
    """Return the Avro types of metadata and body."""
    fields = {field["name"]: field["type"] for field in _schema(event_name)["fields"]}
    return fields["metadata"], fields["body"]


@cache
def _schema(name: str) -> Any:
    return json.loads((_AVRO / f"{name}.avsc").read_text())


@cache
def _named() -> dict[str, Any]:
    """Return the records that schemas share, by name."""
    shared = ("event_metadata", "outcome_rating", "outcome_rubric_criterion", "outcome_proficiency_rating")
    return {schema["name"]: schema for schema in map(_schema, shared)}


def _filled(kind: Any, value: Any) -> Any:
    """Return a value of the truth in the form of a decoded record."""
    if value is None:
        return None
    if isinstance(kind, list):
        kind = next(one for one in kind if one != "null")
    if isinstance(kind, str):
        kind = _named().get(kind.rpartition(".")[2], kind)
    if not isinstance(kind, dict):
        return value
    if kind.get("logicalType") == "timestamp-millis":
        return datetime.fromisoformat(value)
    if kind["type"] == "array":
        return [_filled(kind["items"], item) for item in value]
    if kind["type"] == "record":
        return {field["name"]: _filled(field["type"], value.get(field["name"])) for field in kind["fields"]}
    return value
