"""Which permission it is that lacks: the broker's answers to single requests seldom name it."""

import contextlib

from confluent_kafka import KafkaError, KafkaException

from app.access.asking import ask
from app.access.grants import Grant, permission_missing
from app.access.tasks import Task
from app.connection import connect
from app.errors import MasteryError
from app.kafka import AccessDenied
from app.settings import Settings
from app.stream.errors import FetchRefused, GroupRefused, PartitionsMismatch, TakeOverFailed

__all__ = ["explained"]

_DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
# aiokafka's refusals, and what comes of topics that may not be described: they look like none.
_SUSPICIOUS = (AccessDenied, FetchRefused, GroupRefused, PartitionsMismatch, TakeOverFailed)


def explained(settings: Settings, task: Task, failure: MasteryError) -> MasteryError:
    """Return PermissionMissing, with all that the task lacks, for a failure that this may have led to.

    Any other failure is returned as it is, and so is one where the broker tells nothing. Blocks for seconds
    at most.
    """
    codes = _codes(failure)
    if not (isinstance(failure, _SUSPICIOUS) or codes & _DENIED):
        return failure
    missing: list[Grant] = []
    # The broker does not tell what is allowed with a transactional id, or with all of a prefix.
    if KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED in codes:
        missing += [grant for grant in task.grants if grant.resource == "transactional-id"]
    asked = [it for it in task.grants if it.resource != "transactional-id" and not it.prefixed]
    with contextlib.suppress(MasteryError):
        missing += ask(connect(settings), settings, asked).missing
    if not missing:
        return failure
    doer = f"`{task.name}`" if task.name.startswith("mastery ") else task.name
    return permission_missing(settings, missing, doer=doer)


def _codes(failure: BaseException) -> set[int]:
    """Return what the broker answered, of the failure and all that led to it."""
    found: set[int] = set()
    # mode raises a failure once more as its own cause.
    seen: list[BaseException] = []
    left: list[BaseException | None] = [failure]
    while left:
        error = left.pop()
        if error is None or error in seen:
            continue
        seen.append(error)
        left += [error.__cause__, error.__context__]
        if isinstance(error, KafkaException):
            found.add(int(error.args[0].code()))
    return found
