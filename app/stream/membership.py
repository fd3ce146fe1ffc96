"""Whether the broker takes this worker into its consumer group.

aiokafka gives up joining over errors that do not pass by themselves, and keeps the reason for whoever calls
its getmany(). Faust goes around that call: without a look of our own a worker would wait for ever.
"""

from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import InvalidSessionTimeoutError

from app.stream.errors import GroupRefused

__all__ = ["require_membership"]


def require_membership(consumer: Any, group_id: str) -> None:
    """Raise GroupRefused when an AIOKafkaConsumer has given up; None is one that has not started."""
    coordinator = consumer._coordinator if consumer is not None else None
    refusal = _refusal(coordinator) if isinstance(coordinator, GroupCoordinator) else None
    if refusal is None:
        return
    if isinstance(refusal, InvalidSessionTimeoutError):
        hint = (
            "set MASTERY_SESSION_TIMEOUT to what group.min.session.timeout.ms and"
            " group.max.session.timeout.ms on the broker allow"
        )
    else:
        hint = "start the worker again: it checks what it needs; else look at the broker's log"
    raise GroupRefused(
        f"the broker does not take this worker into group {group_id}: {type(refusal).__name__}", hint=hint
    ) from refusal


def _refusal(coordinator: GroupCoordinator) -> BaseException | None:
    task = coordinator._coordination_task
    if task.done() and not task.cancelled() and task.exception() is not None:
        ended: BaseException | None = task.exception()
        return ended
    kept: BaseException | None = coordinator._pending_exception
    return kept
