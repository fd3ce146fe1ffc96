"""What the scenarios run with, and which of them this run is to run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from tests.chaos.mastery_run import MasteryRun
from tests.chaos.record import RunRecord
from tests.chaos.run import FaultRun
from tests.chaos.runs import FAILURE, Cluster, Runs, worker_settings
from tests.chaos.scenario import unknown, wanted
from tests.chaos.workload import workload

#: Events a second. Enough that a worker always has some on the way, few enough for two busy cores.
RATE = 1_000

#: The same for mastery, where a record of the raw topic is read again as a typed one.
MASTERY_RATE = 300


def pytest_configure() -> None:
    """Refuse a name that no scenario has, before anything is started."""
    if wrong := unknown(Path(__file__).parent):
        raise pytest.UsageError(wrong)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the scenarios that are not asked for."""
    kept, left = [], []
    for item in items:
        marker = item.get_closest_marker("scenario")
        (kept if marker is None or wanted(**marker.kwargs) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep why a test failed for the record of its run, which is written when its fixtures end."""
    report = yield
    if report.when == "call":
        item.stash[FAILURE] = report.longreprtext if report.failed else ""
    return report


@pytest.fixture
def fault_run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runs[FaultRun]]:
    """Make a started run: `fault_run(seed=1)`; other words are settings of its workers (tests.chaos.runs)."""

    def make(
        kafka: Cluster, settings: Settings, folder: Path, *, seed: int, rate: int | None, record: RunRecord
    ) -> FaultRun:
        return FaultRun(kafka, settings, folder, workload(seed), rate=rate or RATE, record=record)

    runs = Runs(request, tmp_path, worker_settings, make)
    yield runs
    runs.close(request.node.stash.get(FAILURE, None))


@pytest.fixture
def mastery_run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runs[MasteryRun]]:
    """Make a started run of mastery: `mastery_run(seed=1)`; `account_level_scales=True`: scales count."""

    def settings(bootstrap: str, **changes: Any) -> Settings:
        # Three workers have a share each: of 4 partitions, Faust's assignor gives two workers all.
        return worker_settings(bootstrap, **({"partitions": 6} | changes))

    def make(
        kafka: Cluster, settings: Settings, folder: Path, *, seed: int, rate: int | None, record: RunRecord
    ) -> MasteryRun:
        return MasteryRun(kafka, settings, folder, rate=rate or MASTERY_RATE, seed=seed, record=record)

    runs = Runs(request, tmp_path, settings, make)
    yield runs
    runs.close(request.node.stash.get(FAILURE, None))
