from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.settings import load_settings
from tests.faults.run import FaultRun
from tests.kafka.server import KafkaServer

#: Events a second. Enough that a worker always has some on the way, few enough for two busy cores.
RATE = 3_000


@pytest.fixture
def fault_run(kafka: KafkaServer, topic_prefix: str, tmp_path: Path) -> Iterator[Callable[..., FaultRun]]:
    """Make a started run: `fault_run(seed=1)`. A worker is given up after 2 s."""
    with ExitStack() as stack:

        def start(*, seed: int, rate: int = RATE) -> FaultRun:
            settings = load_settings(
                broker=kafka.bootstrap,
                topic_prefix=topic_prefix,
                partitions=4,
                session_timeout=2.0,
                startup_timeout=30.0,
            )
            return stack.enter_context(FaultRun(kafka, settings, tmp_path, rate=rate, seed=seed))

        yield start
