"""Results as Canvas may deliver them: in disorder, twice, cleared, deleted; and what must come of them."""

import json
import random
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from app.embedded.samples import sample_events

__all__ = ["newest", "result_events", "same"]

_START = datetime(2024, 9, 2, 8, 0, tzinfo=UTC)


def result_events(rows: int, *, seed: int = 7) -> list[bytes]:
    """Raw events of that many results, shuffled; some are there twice."""
    dice = random.Random(seed)
    shape = {sample.event_name: json.loads(sample.raw) for sample in reversed(sample_events())}
    events = []
    for number in range(rows):
        for version in range(dice.randint(1, 4)):
            kind = "created" if version == 0 else "updated"
            event = json.loads(json.dumps(shape[f"learning_outcome_result_{kind}"]))
            # Only the second of each two: what is saved in one second has one updated_at, but was sent apart.
            time = _START + timedelta(hours=number, seconds=version // 2, milliseconds=300 * version)
            event["metadata"]["event_time"] = _text(time)
            event["body"] |= {
                "id": str(1000 + number),
                "user_uuid": f"student-{number % 5}",
                "score": dice.choice([None, 0, 2.5, dice.randint(1, 5)]),
                "workflow_state": dice.choice(["active", "active", "deleted"]),
            }
            if version:
                offset = timedelta(hours=dice.choice([-6, 0, 2]))
                updated_at = time.replace(microsecond=0)
                event["body"]["updated_at"] = f"{(updated_at + offset).isoformat()[:19]}{_offset(offset)}"
            events.append(json.dumps(event).encode())
    events += dice.sample(events, len(events) // 4)
    dice.shuffle(events)
    return events


def newest(events: list[bytes]) -> dict[tuple[str, str], dict[str, Any]]:
    """The body of the newest version of each row, by root account and id: the rule in words of its own."""
    best: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {}
    for raw in events:
        event = json.loads(raw)
        metadata, body = event["metadata"], event["body"]
        if not metadata["event_name"].startswith("learning_outcome_result_") or body.get("id") is None:
            continue
        updated = metadata["event_name"].endswith("_updated")
        version = (
            updated,
            datetime.fromisoformat(body["updated_at"]) if updated else _START,
            datetime.fromisoformat(metadata["event_time"]),
            sha256(raw).digest()[:16],
        )
        key = (metadata["root_account_uuid"], body["id"])
        if key not in best or version > best[key][0]:
            best[key] = version, body
    return {key: body for key, (_, body) in best.items()}


def same(decoded: Any, raw: Any, path: str = "") -> None:
    """Assert that a decoded value, as JSON, is what was sent: all that was sent, and nothing else."""
    if isinstance(decoded, dict):
        assert isinstance(raw, dict), path
        assert raw.keys() <= decoded.keys(), f"{path} lost {raw.keys() - decoded.keys()}"
        for name, value in decoded.items():
            same(value, raw.get(name), f"{path}.{name}")
    elif isinstance(decoded, list):
        assert len(decoded) == len(raw), path
        for index, value in enumerate(decoded):
            same(value, raw[index], f"{path}[{index}]")
    elif raw and path.endswith(("_at", "_time")):
        assert datetime.fromisoformat(decoded) == datetime.fromisoformat(raw), path
    else:
        assert decoded == (None if raw == "" and path.startswith(".metadata") else raw), path
        assert isinstance(decoded, bool) == isinstance(raw, bool), path


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _offset(offset: timedelta) -> str:
    hours = round(offset / timedelta(hours=1))
    return f"{'-' if hours < 0 else '+'}{abs(hours):02}:00"
