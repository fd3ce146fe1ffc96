"""One more result of a student, as Canvas would send it."""

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

from bench.workload import result_event

__all__ = ["result"]

_NUMBERS = count(900_000_000)


def result(row: dict[str, Any], score: float, possible: float = 5.0) -> bytes:
    """Return the event of a result in new work, for the student, outcome and course of `row`."""
    number = next(_NUMBERS)
    event = json.loads(result_event(number))
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event["metadata"] |= {"root_account_uuid": row["root_account_uuid"], "event_time": now}
    event["body"] |= {
        "user_uuid": row["user_uuid"],
        "learning_outcome_id": row["learning_outcome_id"],
        "result_context_id": row["course_id"],
        "score": score,
        "possible": possible,
        "percent": score / possible,
        "mastery": score / possible >= 0.6,
        "assessed_at": now,
        "created_at": now,
        "artifact_id": str(number),
        "associated_asset_id": str(number),
    }
    return json.dumps(event).encode()
