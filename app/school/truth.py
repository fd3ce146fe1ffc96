"""The truth about a stream, as JSON lines: what must come out of the fan-out for each record that goes in.

The first line, `"type": "stream"`, says what the stream was made from. Then follows one line for each record,
`"type": "record"`, numbered from 0 in the order of the stream:

* `n` and `event_id` (hex of the first 16 bytes of the SHA-256 of the raw bytes; null for a null value), and
  `repeated` true for a second delivery of the same bytes;
* `to`: `typed`, `dead-letter` or `ignored` (with `MASTERY_OTHER_EVENTS=dead-letter` the latter become dead
  letters of the kind `ignored-event`);
* typed: `event` (the topic is the prefix and this name), `key`, and `metadata` and `body` as they decode:
  no nulls, times in UTC with milliseconds (`2026-01-12T08:00:00.000Z`), doubles with a fraction, `extra` as
  an object. `mastery tail` prints the same, but with nulls, and with `extra` as JSON in a string;
* dead letter: `kind` and `path` ("" for the record as a whole) of what is wrong with it;
* ignored: `event`.

The last line, `"type": "totals"`, counts records by destination, typed ones by event, dead letters by kind.
A line of another type may be added: readers skip what they do not know.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import msgspec

from app.school.fates import Dead, Ignored, Record, Typed
from app.school.stream import Plan
from app.school.term import utc_text
from app.school.wire import time_fields

__all__ = ["Totals", "expectation", "record_line", "stream_line"]

_encode = msgspec.json.encode
_NO_MILLISECONDS = len("2026-01-12T08:00:00Z")


class Totals:
    """Counts what a stream holds, by destination: events, kinds of dead letters, ignored events."""

    def __init__(self) -> None:
        self.records = 0
        self.repeated = 0
        self.typed: Counter[str] = Counter()
        self.dead: Counter[str] = Counter()
        self.ignored: Counter[str] = Counter()

    def count(self, record: Record) -> None:
        """Count one more."""
        self.records += 1
        self.repeated += record.repeated
        match record.fate:
            case Typed(event=event):
                self.typed[event.name] += 1
            case Dead(kind=kind):
                self.dead[kind] += 1
            case Ignored(event_name=name):
                self.ignored[name] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return all counts, names in alphabetical order."""
        counts = {"typed": self.typed, "dead_letters": self.dead, "ignored": self.ignored}
        return {"records": self.records, "repeated": self.repeated} | {
            name: dict(sorted(counter.items())) for name, counter in counts.items()
        }

    def line(self) -> bytes:
        """Return the last line, without a line feed."""
        return _encode({"type": "totals"} | self.as_dict())


def stream_line(plan: Plan, records: int) -> bytes:
    """Return the first line, without a line feed."""
    return _encode({"type": "stream", "records": records, "plan": asdict(plan)})


def record_line(number: int, record: Record) -> bytes:
    """Return the line of one record, without a line feed."""
    return _encode({"type": "record", "n": number} | expectation(record))


def expectation(record: Record) -> dict[str, Any]:
    """Return what must become of a record, in JSON types."""
    raw, fate, repeated = record
    event_id = None if raw is None else sha256(raw).hexdigest()[:32]
    expected: dict[str, Any] = {"event_id": event_id}
    if repeated:
        expected["repeated"] = True
    match fate:
        case Dead(kind, path):
            return {"to": "dead-letter", "kind": kind, "path": path} | expected
        case Ignored(name):
            return {"to": "ignored", "event": name} | expected
        case Typed(event, metadata_extra, body_extra):
            key = event.key
            if key is None:
                key = f"{event.metadata.get('root_account_uuid', '-')}:{event_id}"
            body = _decoded(event.body, time_fields(event), body_extra)
            metadata = _decoded(event.metadata, ("event_time",), metadata_extra)
            content = {"event": event.name, "key": key, "metadata": metadata, "body": body}
            return {"to": "typed"} | expected | content


def _decoded(fields: Mapping[str, Any], times: Any, extra: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(fields)
    for name in times:
        if name in values:
            text = utc_text(values[name])
            values[name] = text if len(text) > _NO_MILLISECONDS else f"{text[:-1]}.000Z"
    if extra:
        values["extra"] = extra
    return values
