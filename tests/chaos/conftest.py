"""What the scenarios run with, and which of them this run is to run."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.settings import Settings, load_settings
from tests.chaos.mastery_run import MasteryRun
from tests.chaos.run import FaultRun
from tests.chaos.scenario import wanted
from tests.chaos.workload import workload
from tests.kafka.server import KafkaServer

#: Events a second. Enough that a worker always has some on the way, few enough for two busy cores.
RATE = 3_000


#: The same for mastery, where a record of the raw topic is read again as a typed one.
MASTERY_RATE = 600

#: More than 1 makes the runs of mastery so many times as long; another seed makes other schools and faults.
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
SEED = int(os.environ.get("FAULT_SEED", "0"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the scenarios that are not asked for."""
    kept, left = [], []
    for item in items:
        marker = item.get_closest_marker("scenario")
        (kept if marker is None or wanted(**marker.kwargs) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


@pytest.fixture
def fault_settings(kafka: KafkaServer, topic_prefix: str) -> Settings:
    """Settings of the workers. A worker is given up after 2 s."""
    return load_settings(
        broker=kafka.bootstrap,
        topic_prefix=topic_prefix,
        partitions=4,
        session_timeout=2.0,
        startup_timeout=30.0,
        # Hundreds of starts: the view is another process's, and has tests of its own.
        web_view=False,
    )


@pytest.fixture
def fault_run(
    kafka: KafkaServer, fault_settings: Settings, tmp_path: Path
) -> Iterator[Callable[..., FaultRun]]:
    """Make a started run: `fault_run(seed=1)`."""
    with ExitStack() as stack:

        def start(*, seed: int, rate: int = RATE) -> FaultRun:
            return stack.enter_context(FaultRun(kafka, fault_settings, tmp_path, workload(seed), rate=rate))

        yield start


@pytest.fixture
def mastery_run(
    kafka: KafkaServer, fault_settings: Settings, tmp_path: Path
) -> Iterator[Callable[..., MasteryRun]]:
    """Make a started run of mastery: `mastery_run(seed=1)`; with `scales`, proficiencies count."""
    with ExitStack() as stack:

        def start(*, seed: int, rate: int = MASTERY_RATE, scales: bool = False) -> MasteryRun:
            # Three workers have a share each: of 4 partitions, Faust's assignor gives two workers all.
            changes = {"partitions": 6, "account_level_scales": scales}
            settings = fault_settings.model_copy(update=changes)
            return stack.enter_context(MasteryRun(kafka, settings, tmp_path, rate=rate, seed=seed))

        yield start
