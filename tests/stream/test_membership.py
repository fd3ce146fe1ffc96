import asyncio
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError, InvalidSessionTimeoutError

from app.stream.errors import GroupRefused
from app.stream.membership import require_membership
from tests.stream.copying import CopyingWorker, Scene


def consumer(*, kept: BaseException | None = None, ended: BaseException | None = None) -> Any:
    """Return the part of an AIOKafkaConsumer that is looked at."""
    coordinator = mock.create_autospec(GroupCoordinator, instance=True)
    coordinator._pending_exception = kept
    coordinator._coordination_task = mock.create_autospec(asyncio.Task, instance=True)
    coordinator._coordination_task.done.return_value = ended is not None
    coordinator._coordination_task.cancelled.return_value = False
    coordinator._coordination_task.exception.return_value = ended
    return SimpleNamespace(_coordinator=coordinator)


@pytest.mark.parametrize("fine", [None, SimpleNamespace(_coordinator=None), consumer()])
def test_a_worker_that_joins_or_has_joined_is_left_alone(fine: Any) -> None:
    require_membership(fine, "group")


@pytest.mark.parametrize("where", ["kept", "ended"])
def test_why_aiokafka_gave_up_is_told(where: str) -> None:
    reason = GroupAuthorizationFailedError("the group")
    with pytest.raises(GroupRefused, match=r"into group mine: GroupAuthorizationFailedError") as caught:
        require_membership(consumer(**{where: reason}), "mine")
    assert caught.value.__cause__ is reason
    assert caught.value.hint is not None


def refused_at_once(scene: Scene) -> tuple[int, str]:
    scene.create_topics()
    # The broker's group.min.session.timeout.ms is 1000.
    with CopyingWorker(scene, scene.job(session=0.5)).running() as worker:
        return worker.wait(20.0), worker.log


SCENARIOS = {"test_a_session_timeout_that_the_broker_refuses_ends_the_worker": refused_at_once}


@pytest.mark.kafka
def test_a_session_timeout_that_the_broker_refuses_ends_the_worker(outcome: tuple[int, str]) -> None:
    exit_status, log = outcome
    assert exit_status == 1, log
    assert InvalidSessionTimeoutError.__name__ in log
