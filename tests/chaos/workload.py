"""Events for the fault tests: seeded, each unlike every other, with what must become of it."""

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.embedded.samples import sample_events

__all__ = ["DEAD", "IGNORED", "Event", "workload"]

DEAD, IGNORED = "(dead letter)", "(ignored)"
_BROKEN_SHARE, _IGNORED_SHARE = 0.02, 0.01
_OTHER_KIND = "course_created"


@dataclass(frozen=True, slots=True)
class Event:
    """One raw record. `outcome` is the event name whose topic it belongs to, DEAD or IGNORED."""

    value: bytes | None
    outcome: str

    @property
    def event_id(self) -> str:
        """What the contract promises as `event_id`: hex of the first 16 bytes of the value's SHA-256."""
        return hashlib.sha256(self.value or b"").hexdigest()[:32]


def workload(seed: int) -> Iterator[Event]:
    """Yield events without end: all kinds of Canvas's documentation, 2 % broken, 1 % of other kinds."""
    rng = random.Random(seed)
    templates = [json.loads(sample.raw) for sample in sample_events()]
    number = 0
    while True:
        number += 1
        choice = rng.random()
        if choice < _BROKEN_SHARE:
            yield Event(_broken(rng, f"{seed}-{number}", rng.choice(templates)), DEAD)
        elif choice < _BROKEN_SHARE + _IGNORED_SHARE:
            event = _unique(rng.choice(templates), seed, number)
            event["metadata"]["event_name"] = _OTHER_KIND
            yield Event(_json(event), IGNORED)
        else:
            event = _unique(rng.choice(templates), seed, number)
            yield Event(_json(event), event["metadata"]["event_name"])


def _unique(template: dict[str, Any], seed: int, number: int) -> dict[str, Any]:
    """Return the event with values of its own, spread over keys and so over partitions."""
    metadata = template["metadata"] | {"request_id": f"fault-{seed}-{number}"}
    body = template["body"] | {
        name: value
        for name, value in (
            ("id", str(number)),
            ("user_uuid", f"user-{number % 997}"),
            ("new_assignment_resource_link_id", f"link-{number}"),
        )
        if name in template["body"]
    }
    return {"metadata": metadata, "body": body}


def _broken(rng: random.Random, mark: str, template: dict[str, Any]) -> bytes | None:
    return rng.choice(
        [
            None,
            b"",
            b"{not json " + mark.encode(),
            b'{"cut off": "' + mark.encode(),
            b'{"text": "\xff\xfe' + mark.encode() + b'"}',
            _json([mark]),
            _json({"metadata": {"no": mark}, "body": {}}),
            _json({"metadata": {"event_name": f"unheard_of_{mark}"}, "body": {}}),
            _json(template | {"body": mark}),
        ]
    )


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
