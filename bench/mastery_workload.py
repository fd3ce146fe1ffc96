"""What goes into the comparison of mastery, and what must come out: told from the events' numbers alone.

Results of `users` students on 37 outcomes, every pair alike often (hashed, no order), one course for most
students. The outcomes' definitions lie there before: a third each highest, average and weighted average
(`decaying_average` in events).
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from math import fsum
from typing import Any

from app.events.decode import EventDecoder
from app.events.keys import key_function
from app.schemas.contract import load_contract
from app.schemas.encoder import compile_encoder
from app.schemas.models import build_models
from bench.peers.job import KEPT
from bench.workload import ACCOUNT, OUTCOMES, result_event

__all__ = [
    "CHANGE_EVENT",
    "OUTCOME_EVENT",
    "definitions",
    "expected_rows",
    "last_results",
    "placed",
    "raw_outcome",
    "typed_records",
]

OUTCOME_EVENT = "learning_outcome_created"
CHANGE_EVENT = "learning_outcome_updated"
METHODS = ("highest", "average", "decaying_average")


def raw_outcome(outcome: int, *, mastery_points: int | None = None) -> bytes:
    """The event that tells of an outcome, as it would lie in the raw topic.

    With `mastery_points` it is the one of a later change, to so many instead of 3.
    """
    metadata = {
        "event_name": OUTCOME_EVENT if mastery_points is None else CHANGE_EVENT,
        "event_time": f"2026-01-0{1 if mastery_points is None else 2}T00:00:00.000Z",
        "producer": "canvas",
        "root_account_id": "21070000000000001",
        "root_account_uuid": ACCOUNT,
    }
    levels = [(5, "Exceeds mastery"), (3, "Mastery"), (2, "Near mastery"), (0, "Below mastery")]
    body: dict[str, Any] = {
        "learning_outcome_id": str(outcome),
        "context_id": "1",
        "context_type": "Account",
        "context_uuid": ACCOUNT,
        "title": f"Outcome {outcome}",
        "short_description": f"Outcome {outcome}",
        "workflow_state": "active",
        "calculation_method": METHODS[outcome % 3],
        "rubric_criterion": {
            "description": f"Outcome {outcome}",
            "mastery_points": mastery_points or 3,
            "points_possible": 5,
            "ratings": [{"points": points, "description": text} for points, text in levels],
        },
    }
    if mastery_points is not None:
        body["updated_at"] = metadata["event_time"]
    return json.dumps({"metadata": metadata, "body": body}).encode()


def typed_records(event_name: str, raws: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Key and value of the typed records of raw events of one kind, with schema ids as without a registry."""
    contract = load_contract()
    event = contract.events[event_name]
    decode = EventDecoder(contract, build_models(contract))
    encode, key = compile_encoder(event.schema, event.local_id).encode, key_function(event)
    return [(key(record), encode(record)) for record in map(decode, raws)]


def definitions() -> Iterator[tuple[int, bytes, bytes]]:
    """Partition (that of the key), key and value of the typed records of all outcomes."""
    for key, value in typed_records(OUTCOME_EVENT, map(raw_outcome, range(1, OUTCOMES + 1))):
        yield -1, key, value


def placed(events: int, users: int, partitions: int) -> Iterator[tuple[int, bytes, bytes]]:
    """The raw results, those of a student in one partition and with the student as key, as peers need it."""
    for number in range(events):
        user = number * 2_654_435_761 % 2**32 % users
        yield user % partitions, f"user{user}".encode(), result_event(number, users)


@cache
def _histories(events: int, users: int) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The bodies of the results by user and outcome, in their order."""
    histories: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for number in range(events):
        body = json.loads(result_event(number, users))["body"]
        kept = {name: body[name] for name in ("id", "score", "assessed_at")}
        histories.setdefault((body["user_uuid"], body["learning_outcome_id"]), []).append(kept)
    return histories


def expected_rows(events: int, users: int) -> dict[str, tuple[int, float]]:
    """Of each row its key, how many results it has, and its score to within half a hundredth."""
    rows = {}
    for (user, outcome), results in _histories(events, users).items():
        in_time = sorted(results, key=lambda one: (one["assessed_at"], int(one["id"])))
        scores = [one["score"] for one in in_time]
        match METHODS[int(outcome) % 3]:
            case "highest":
                score = max(scores)
            case "average":
                score = fsum(scores) / len(scores)
            case _:
                *earlier, latest = scores
                score = 0.65 * latest + 0.35 * fsum(earlier) / len(earlier) if earlier else latest
        rows[f"{ACCOUNT}:{user}:{outcome}"] = len(results), score
    return rows


def last_results(events: int, users: int) -> dict[tuple[str, str], list[str]]:
    """Ids of the last results of each user and outcome, as the peers must have kept them."""
    return {key: [one["id"] for one in results[-KEPT:]] for key, results in _histories(events, users).items()}
