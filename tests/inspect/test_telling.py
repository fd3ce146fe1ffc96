"""What an event tells of itself: which Canvas wrote it and where, and nothing about a person."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from app.inspect.telling import Telling, environment, tell
from tests.chaos.fuzz_inputs import hostile_values

RESULT = "learning_outcome_result_created"


def event(name: str, body: dict[str, Any], **metadata: Any) -> bytes:
    return json.dumps({"metadata": {"event_name": name} | metadata, "body": body}).encode()


@pytest.mark.parametrize(
    ("name", "body", "generation"),
    [
        (RESULT, {"id": "1", "user_uuid": "a"}, "newest"),
        (RESULT, {"id": None, "user_uuid": "a"}, "middle"),
        (RESULT, {"title": "A student, a quiz"}, "oldest"),
        ("rubric_assessed", {"submitted_at": "x"}, "newest"),
        ("rubric_assessed", {"id": "1"}, "older"),
        ("learning_outcome_updated", {"context_id": "1", "context_uuid": "a"}, "newest"),
        ("learning_outcome_updated", {"context_id": "1"}, "older"),
        ("learning_outcome_updated", {}, None),
        ("learning_outcome_group_created", {"context_id": "1", "context_uuid": None}, "older"),
        ("learning_outcome_link_created", {"context_id": "1"}, "older"),
        ("learning_outcome_link_created", {"learning_outcome_group_context_uuid": "a"}, "newest"),
        ("outcome_proficiency_created", {"context_id": "1"}, None),
        ("logged_in", {}, None),
    ],
)
def test_generations(name: str, body: dict[str, Any], generation: str | None) -> None:
    assert tell(event(name, body)).generation == generation


def test_what_is_told() -> None:
    metadata = {
        "root_account_uuid": "VicY",
        "hostname": "school.beta.instructure.com",
        "producer": "canvas",
        "event_time": "2026-01-02T03:04:05+01:00",
    }
    assert tell(event("logged_in", {}, **metadata)) == Telling(
        "logged_in",
        None,
        "VicY",
        "school.beta.instructure.com",
        "canvas",
        datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC),
    )


def test_what_may_be_about_a_person_is_not_told() -> None:
    told = tell(event("ann@school.example", {}, hostname="Ann Lee", root_account_uuid=5, event_time="then"))
    assert told == Telling()


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("school.beta.instructure.com", "beta"),
        ("school.test.instructure.com", "test"),
        ("school.instructure.com", "production"),
        ("canvas.school.example", "production"),
        ("BETA.school.example", "beta"),
        ("alphabeta.school.example", "production"),
    ],
)
def test_environments(hostname: str, expected: str) -> None:
    assert environment(hostname) == expected


@given(hostile_values)
def test_nothing_is_raised(value: bytes | None) -> None:
    assert isinstance(tell(value), Telling)
