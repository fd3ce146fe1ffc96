"""Runs the worker processes of a module's tests at once: most of their time is waiting for brokers."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.stream.copying import Scene

#: Seconds that one scenario may take, with others beside it.
_PATIENCE = 100.0


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Any]]]:
    """Start what the module's `SCENARIOS` (test name -> function of a Scene) say, for each chosen test."""
    chosen = [
        item
        for item in request.session.items
        if item.module is request.module and item.originalname in request.module.SCENARIOS
    ]
    with ThreadPoolExecutor(len(chosen)) as executor:
        started = {}
        for item in chosen:
            real = item.get_closest_marker("kafka") is not None
            folder = tmp_path_factory.mktemp("copying")
            scene = Scene(
                bootstrap=request.getfixturevalue("kafka" if real else "broker").bootstrap,
                name=f"{request.module.__name__.rpartition('.')[2]}-{folder.name}",
                folder=folder,
                params=item.callspec.params if hasattr(item, "callspec") else {},
            )
            started[item.nodeid] = executor.submit(request.module.SCENARIOS[item.originalname], scene)
        yield started


@pytest.fixture
def outcome(request: pytest.FixtureRequest, runs: dict[str, Future[Any]]) -> Any:
    """What this test's scenario returned."""
    return runs[request.node.nodeid].result(_PATIENCE)
