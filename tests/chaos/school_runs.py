"""Runs of mastery with schools of another kind than tests.chaos.school.School."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from tests.chaos.conftest import MASTERY_RATE
from tests.chaos.mastery_run import MasteryRun
from tests.chaos.record import RunRecord
from tests.chaos.run import FaultRun
from tests.chaos.runs import FAILURE, Cluster, Runs, worker_settings
from tests.chaos.school import School, SchoolEvent, updated

__all__ = ["SchoolRun", "StartSchool", "is_result", "school_runs", "told_again"]


class SchoolRun(MasteryRun):
    """A run of mastery with a school of its own kind."""

    def __init__(
        self,
        kafka: Cluster,
        settings: Settings,
        folder: Path,
        school: School,
        *,
        rate: int,
        record: RunRecord,
    ) -> None:
        FaultRun.__init__(self, kafka, settings, folder, school, rate=rate, record=record)
        self.school = school


StartSchool = Callable[..., SchoolRun]
"""Called with a kind of school, and what `Runs` takes."""


def school_runs(request: pytest.FixtureRequest, folder: Path) -> Iterator[StartSchool]:
    """Yield what starts a run, `start(Kind, seed=1)`; to be yielded from by a fixture."""
    kinds: list[type[School]] = []

    def make(
        kafka: Cluster, settings: Settings, folder: Path, *, seed: int, rate: int | None, record: RunRecord
    ) -> SchoolRun:
        school = kinds[-1](seed)
        return SchoolRun(kafka, settings, folder, school, rate=rate or MASTERY_RATE, record=record)

    def settings(bootstrap: str, **changes: Any) -> Settings:
        return worker_settings(bootstrap, **({"partitions": 6} | changes))

    runs = Runs(request, folder, settings, make)

    def start(kind: type[School], **options: Any) -> SchoolRun:
        kinds.append(kind)
        return runs(**options)

    yield start
    runs.close(request.node.stash.get(FAILURE, None))


def is_result(event: SchoolEvent) -> bool:
    """Whether it is a result as the newest Canvas tells it, with an id and a student."""
    told = event.expected.get("body") or {}
    return event.outcome.startswith("learning_outcome_result_") and bool(
        told.get("id") and told.get("user_uuid") and told.get("learning_outcome_id")
    )


def told_again(told: SchoolEvent, at: datetime, **changes: Any) -> SchoolEvent:
    return updated("learning_outcome_result_updated", told.expected, changes, at)
