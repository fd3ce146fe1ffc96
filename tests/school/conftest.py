"""One school for all tests of its stream: made once, and never changed."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
import pytest

from app.school.fates import Record
from app.school.stream import Plan, school_records
from app.school.truth import expectation

PLAN = Plan(events=12_000, students=120, bad_share=0.03)


@dataclass(frozen=True)
class Told:
    """A record with the truth about it; `sent` is its JSON, of typed records alone."""

    record: Record
    truth: dict[str, Any]
    sent: dict[str, Any]

    @property
    def event(self) -> str:
        """Name of a typed event, else nothing."""
        return self.truth["event"] if self.truth["to"] == "typed" else ""

    @property
    def body(self) -> dict[str, Any]:
        """What must be decoded."""
        return self.truth["body"]


@pytest.fixture(scope="package")
def records() -> list[Record]:
    return list(islice(school_records(PLAN), PLAN.events))


@pytest.fixture(scope="package")
def told(records: list[Record]) -> list[Told]:
    return [_told(record) for record in records]


@pytest.fixture(scope="package")
def typed(told: list[Told]) -> list[Told]:
    return [one for one in told if one.event]


@pytest.fixture(scope="package")
def results(typed: list[Told]) -> list[Told]:
    return [one for one in typed if one.event.startswith("learning_outcome_result_")]


def _told(record: Record) -> Told:
    truth = msgspec.json.decode(msgspec.json.encode(expectation(record)))
    sent = {}
    if truth["to"] == "typed":
        sent = msgspec.json.decode((record.raw or b"").replace(b":NaN", b":null"))
    return Told(record, truth, sent)
