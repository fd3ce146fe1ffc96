"""Broken records of every kind, each made of a good event on which one thing is wrong.

They come besides the good event, as if something on the way had spoilt a copy of it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from app.school.fates import Dead, Record
from app.school.model import Event
from app.school.wire import plain_parts

__all__ = ["BREAKAGES", "Breakage", "Breaker"]

_RESULT = "learning_outcome_result_"
_OUTCOME = "learning_outcome_created"
# Encoded, it is nearly 2 MiB, over the default of what a topic takes; as JSON it is 320 KB.
_LARGE = 40_000
_DEEP = 100_000
# Records of hundreds of kilobytes come once in so many rounds.
_HUGE_ROUNDS = 100
_encode = msgspec.json.encode


class Breakage(NamedTuple):
    """One thing that can be wrong: `spoil(event)` are the bytes, `fits` how names of events begin."""

    kind: str
    path: str
    spoil: Callable[[Event], bytes | None]
    fits: str = ""
    huge: bool = False


def _raw(event: Event) -> bytes:
    metadata, body = plain_parts(event)
    return _encode({"metadata": metadata, "body": body})


def _with(place: str, name: str, value: Any) -> Callable[[Event], bytes]:
    """Another value of one field."""

    def spoil(event: Event) -> bytes:
        metadata, body = plain_parts(event)
        (metadata if place == "metadata" else body)[name] = value
        return _encode({"metadata": metadata, "body": body})

    return spoil


def _without(place: str, name: str) -> Callable[[Event], bytes]:
    """One field less."""

    def spoil(event: Event) -> bytes:
        metadata, body = plain_parts(event)
        del (metadata if place == "metadata" else body)[name]
        return _encode({"metadata": metadata, "body": body})

    return spoil


def _part(name: str, value: Any) -> Callable[[Event], bytes]:
    """Another value for all of metadata, or all of the body; None takes it away."""

    def spoil(event: Event) -> bytes:
        metadata, body = plain_parts(event)
        parts: dict[str, Any] = {"metadata": metadata, "body": body, name: value}
        return _encode({part: item for part, item in parts.items() if item is not None})

    return spoil


def _literal(name: str, literal: bytes) -> Callable[[Event], bytes]:
    """A number that no encoder would write."""

    def spoil(event: Event) -> bytes:
        return _with("body", name, "@literal@")(event).replace(b'"@literal@"', literal)

    return spoil


def _always(raw: bytes | None) -> Callable[[Event], bytes | None]:
    return lambda _event: raw


def _producer(replacement: bytes) -> Callable[[Event], bytes]:
    return lambda event: _raw(event).replace(b'"producer":"canvas"', b'"producer":"' + replacement + b'"')


def _notification(event: Event) -> bytes:
    """As Amazon's SNS passes it on to a queue."""
    return _encode({"Type": "Notification", "MessageId": "1", "Message": _raw(event).decode()})


def _too_large(event: Event) -> bytes:
    """Short in JSON, long in Avro: unknown fields of an array's items are kept with their whole path."""
    criterion = event.body["rubric_criterion"]
    return _with("body", "rubric_criterion", {**criterion, "ratings": [{"a": 1}] * _LARGE})(event)


def _too_deep(event: Event) -> bytes:
    return _literal("nested", b"[" * _DEEP + b"]" * _DEEP)(event)


#: The first of each kind come first: few broken records are as different as can be.
BREAKAGES = (
    Breakage("null-value", "", _always(None)),
    Breakage("not-json", "", lambda event: _raw(event)[:-40]),
    Breakage("not-utf8", "", _producer(b"canv\xe9s")),
    Breakage("not-an-object", "", _always(b"[{}]")),
    Breakage("in-envelope", "", lambda event: b"[" + _raw(event) + b"]"),
    Breakage("no-event-name", "metadata.event_name", _without("metadata", "event_name")),
    Breakage("unknown-event", "metadata.event_name", _with("metadata", "event_name", "outcome_forgotten")),
    Breakage("missing-field", "metadata.event_time", _without("metadata", "event_time")),
    Breakage("wrong-type", "body.score", _with("body", "score", "high"), _RESULT),
    Breakage("invalid-time", "body.created_at", _with("body", "created_at", "2026-02-30T10:00:00Z"), _RESULT),
    Breakage("out-of-range", "body.score", _literal("score", b"1e999"), _RESULT),
    Breakage("too-large", "", _too_large, _OUTCOME, huge=True),
    Breakage("not-json", "", _too_deep, huge=True),
    Breakage("not-json", "", _always(b"this is not JSON")),
    Breakage("not-utf8", "", _always(b"\xff\xfe{\x00}\x00")),
    Breakage("in-envelope", "", _notification),
    Breakage("not-an-object", "", _always(b"null")),
    Breakage("no-event-name", "metadata", _part("metadata", None)),
    Breakage("missing-field", "body", _part("body", None)),
    Breakage("wrong-type", "body", _part("body", ["a list"])),
    Breakage("invalid-time", "metadata.event_time", _with("metadata", "event_time", "yesterday")),
    Breakage("out-of-range", "body.attempt", _with("body", "attempt", 2**70), _RESULT),
    Breakage("not-json", "", lambda event: _raw(event) + b"}"),
    Breakage("not-an-object", "", _always(b"42")),
    Breakage("no-event-name", "metadata.event_name", _with("metadata", "event_name", "")),
    Breakage("missing-field", "body.learning_outcome_id", _without("body", "learning_outcome_id"), _RESULT),
    Breakage("wrong-type", "metadata", _part("metadata", "text")),
    Breakage("invalid-time", "body.created_at", _with("body", "created_at", ""), _RESULT),
    Breakage("out-of-range", "body.score", _literal("score", b"-Infinity"), _RESULT),
    Breakage("not-json", "", _producer(b"\\ud83d")),
    Breakage("missing-field", "metadata.event_time", _with("metadata", "event_time", "")),
    Breakage("wrong-type", "metadata.event_name", _with("metadata", "event_name", 7)),
    Breakage("out-of-range", "", _literal("attempt", b"9" * 5000), _RESULT),
    Breakage("wrong-type", "body.mastery", _with("body", "mastery", "yes"), _RESULT),
    Breakage("wrong-type", "body.rubric_criterion", _with("body", "rubric_criterion", "5 points"), _OUTCOME),
)

_BEGINNINGS = ("", _RESULT, _OUTCOME)


class Breaker:
    """Makes a broken record for as many events as `share` says; `huge` allows those of 200 KB and more."""

    def __init__(self, share: float, *, huge: bool) -> None:
        self._share = share
        self._events = 0
        self._broken = 0
        self._waiting = deque(item for item in BREAKAGES if huge or not item.huge)
        self._rounds = {item: 0 for item in BREAKAGES if item.huge}
        # The newest event of each beginning: outcomes are rare, and one that has gone by will do.
        self._newest: dict[str, Event] = {}

    def beside(self, event: Event) -> Iterator[Record]:
        """Yield broken records that come with this event: one, or none."""
        self._events += 1
        for beginning in _BEGINNINGS:
            if event.name.startswith(beginning):
                self._newest[beginning] = event
        # Of all records, not of the good ones.
        if self._broken >= self._share * (self._events + self._broken):
            return
        for _ in range(len(self._waiting)):
            breakage = self._waiting.popleft()
            self._waiting.append(breakage)
            model = self._newest.get(breakage.fits)
            if model is not None and self._wanted(breakage):
                self._broken += 1
                yield Record(breakage.spoil(model), Dead(breakage.kind, breakage.path))
                return

    def _wanted(self, breakage: Breakage) -> bool:
        if not breakage.huge:
            return True
        self._rounds[breakage] += 1
        return self._rounds[breakage] % _HUGE_ROUNDS == 1
