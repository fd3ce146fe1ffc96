"""What goes in: clean result events and broken records, made from their number alone.

An event is what current Canvas sends from a grading job: 8 metadata and 24 body fields, 1,190 bytes of JSON.
"""

import hashlib
import json
from collections.abc import Callable, Iterable

from confluent_kafka import Producer

__all__ = [
    "ACCOUNT",
    "BROKEN_KINDS",
    "OUTCOMES",
    "RESULT_EVENT",
    "broken_record",
    "deliver",
    "feed",
    "result_event",
]

RESULT_EVENT = "learning_outcome_result_created"
OUTCOMES = 37
"""How many outcomes there are, with the ids from 1 on."""

_USERS, _COURSES = 5_000, 60


def _uuid(kind: str, number: int) -> str:
    """A 40 character identifier like those of Canvas, and not much easier to compress."""
    return (hashlib.sha256(f"{kind}{number}".encode()).hexdigest() * 2)[:40]


ACCOUNT = _uuid("account", 0)
"""The root account that all events are of."""
_USER_UUIDS = [_uuid("user", n) for n in range(_USERS)]
_COURSE_UUIDS = [_uuid("course", n) for n in range(_COURSES)]
_TEMPLATE = json.dumps(
    {
        "metadata": {
            "event_name": RESULT_EVENT,
            "event_time": "2026-03-%(day)02dT%(clock)s.%(ms)03dZ",
            "job_id": "10200205%(job)08d",
            "job_tag": "Quizzes::SubmissionGrader#update_outcomes",
            "producer": "canvas",
            "root_account_id": "21070000000000001",
            "root_account_lti_guid": f"{ACCOUNT}.school.example.com",
            "root_account_uuid": ACCOUNT,
        },
        "body": {
            "id": "%(id)d",
            "assessed_at": "2026-03-%(day)02dT%(clock)sZ",
            "attempt": "<attempt>",
            "created_at": "2026-03-%(day)02dT%(clock)sZ",
            "learning_outcome_id": "%(outcome)d",
            "learning_outcome_context_uuid": "%(course)s",
            "result_context_id": "%(course_id)d",
            "result_context_type": "Course",
            "result_context_uuid": "%(course)s",
            "mastery": "<mastery>",
            "original_mastery": False,
            "original_possible": 5,
            "original_score": "<score>",
            "percent": "<percent>",
            "possible": 5,
            "score": "<score>",
            "user_uuid": "%(user)s",
            "artifact_id": "%(artifact)d",
            "artifact_type": "RubricAssessment",
            "artifact_updated_at": "2026-03-%(day)02dT%(clock)sZ",
            "artifact_created_at": "2026-03-%(day)02dT%(clock)sZ",
            "associated_asset_id": "%(asset)d",
            "associated_asset_type": "Assignment",
            "workflow_state": "active",
        },
    }
)
for _name in ("attempt", "mastery", "score", "percent"):
    _TEMPLATE = _TEMPLATE.replace(f'"<{_name}>"', f"%({_name})s")


def result_event(
    number: int, users: int = _USERS, *, user: str | None = None, outcome: int | None = None
) -> bytes:
    """Event `number` as it lies in the raw topic, of one of at most 5,000 users. No two are alike.

    `user` and `outcome` (from 1 on), where given, are whose it is instead. Its result's id is `number` + 1.
    """
    mixed = number * 2_654_435_761 % 2**32
    score = mixed % 11 / 2
    course = mixed % _COURSES
    text = _TEMPLATE % {
        "id": number + 1,
        "job": mixed % 100_000_000,
        "day": mixed % 28 + 1,
        "clock": f"{mixed % 24:02d}:{mixed % 60:02d}:{mixed // 60 % 60:02d}",
        "ms": mixed % 1000,
        "attempt": mixed % 3 + 1,
        "outcome": outcome or mixed % OUTCOMES + 1,
        "course": _COURSE_UUIDS[course],
        "course_id": course + 1,
        "mastery": "true" if score >= 3 else "false",
        "score": score,
        "percent": score / 5,
        "user": user or _USER_UUIDS[mixed % users],
        "artifact": mixed % 1_000_000,
        "asset": mixed % 3_000,
    }
    return text.encode()


def _edited(edit: Callable[[dict[str, dict[str, object]]], object]) -> Callable[[bytes], bytes]:
    def broken(raw: bytes) -> bytes:
        event = json.loads(raw)
        edit(event)
        return json.dumps(event).encode()

    return broken


BROKEN_KINDS: dict[str, Callable[[bytes], bytes | None]] = {
    "null value": lambda _: None,
    "not UTF-8": lambda raw: raw.replace(b"Assignment", b"\xff\xfe"),
    "not JSON": lambda raw: raw[:-20],
    "not an object": lambda raw: b"[" + raw + b"]",
    "no event name": _edited(lambda event: event["metadata"].pop("event_name")),
    "unknown event": _edited(lambda event: event["metadata"].update(event_name="no_such_event")),
    "missing field": _edited(lambda event: event["body"].pop("learning_outcome_id")),
    "wrong type": _edited(lambda event: event["body"].update(score="five")),
    "invalid time": _edited(lambda event: event["body"].update(assessed_at="last Tuesday")),
    "out of range": _edited(lambda event: event["body"].update(attempt=2**70)),
}
"""The ways in which a broken record is broken: name -> what it does to a clean one."""


def broken_record(number: int) -> bytes | None:
    """Broken record `number`: the kinds take turns."""
    kinds = list(BROKEN_KINDS.values())
    return kinds[number % len(kinds)](result_event(number))


def feed(bootstrap: str, topic: str, partitions: int, records: Iterable[bytes | None]) -> None:
    """Deal the records out to the partitions of the topic in turn. Raises RuntimeError if one was refused."""
    dealt = ((number % partitions, None, record) for number, record in enumerate(records))
    deliver(bootstrap, topic, dealt)


def deliver(bootstrap: str, topic: str, records: Iterable[tuple[int, bytes | None, bytes | None]]) -> None:
    """Send records, each with its partition (-1: that of its key) and key. Raises RuntimeError as `feed`."""
    failures: list[str] = []

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 2,
            "enable.idempotence": True,
            "linger.ms": 50,
            "batch.size": 1 << 20,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "delivery.report.only.error": True,
            "on_delivery": lambda error, _: failures.append(str(error)),
        }
    )
    for partition, key, record in records:
        while True:
            try:
                producer.produce(topic, record, key, partition=partition)
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(60) or failures:
        raise RuntimeError(f"feeding {topic} failed: {failures[:1] or 'not delivered in 60 s'}")
