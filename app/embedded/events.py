"""What the demo sends: Canvas's own examples, broken records, and events that go on coming."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime

from app.embedded.samples import Sample

__all__ = ["broken_events", "endless_events"]


def broken_events(samples: list[Sample]) -> list[bytes]:
    """Return records that belong in the dead letters, each broken in another way."""
    whole = json.loads(samples[0].raw)
    return [
        b"this is not JSON",
        samples[0].raw[:-40],
        b"[1, 2, 3]",
        _dumps({"metadata": {}, "body": whole["body"]}),
        _dumps({**whole, "metadata": {**whole["metadata"], "event_name": "never_heard_of"}}),
        _dumps({**whole, "metadata": {**whole["metadata"], "event_time": "yesterday"}}),
        _dumps({"metadata": whole["metadata"]}),
        b"\xff\xfe is not UTF-8",
    ]


def endless_events(samples: list[Sample], *, seed: int = 0) -> Iterator[bytes]:
    """Yield the examples again and again, as of now and with other scores; `seed` makes them repeatable."""
    dice = random.Random(seed)  # noqa: S311 - nothing secret
    while True:
        for sample in dice.sample(samples, len(samples)):
            event = json.loads(sample.raw)
            event["metadata"]["event_time"] = _now()
            body = event["body"]
            if isinstance(body.get("possible"), int | float):
                body["score"] = dice.randint(0, 2 * int(body["possible"])) / 2
            yield _dumps(event)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _dumps(event: object) -> bytes:
    return json.dumps(event).encode()
