"""Runs the worker processes of the tests side by side: most of their time is waiting for brokers."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.stream.copying import Scene

_AT_A_TIME = 6
#: Seconds that the scenarios may take together.
_PATIENCE = 110.0


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Any]]]:
    """Start what the module's `SCENARIOS` (test name -> function of a Scene) say, for each chosen test.

    The module's and no more: other modules run in other processes at the same time.
    """
    started: dict[str, Future[Any]] = {}
    with ThreadPoolExecutor(_AT_A_TIME) as executor:
        for item in request.session.items:
            if item.module is not request.module or "outcome" not in item.fixturenames:
                continue
            scenario = item.module.SCENARIOS.get(item.originalname)
            if scenario is None:
                continue
            real = item.get_closest_marker("kafka") is not None
            folder = tmp_path_factory.mktemp("copying")
            scene = Scene(
                bootstrap=request.getfixturevalue("kafka" if real else "broker").bootstrap,
                name=f"{item.module.__name__.rpartition('.')[2]}-{folder.name}",
                folder=folder,
                params=item.callspec.params if hasattr(item, "callspec") else {},
            )
            started[item.nodeid] = executor.submit(scenario, scene)
        try:
            yield started
        finally:
            for run in started.values():
                run.cancel()


@pytest.fixture
def outcome(request: pytest.FixtureRequest, runs: dict[str, Future[Any]]) -> Any:
    """What this test's scenario returned."""
    return runs[request.node.nodeid].result(_PATIENCE)
