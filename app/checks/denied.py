"""What a worker that ended lacks: the broker's answers to single requests seldom name it."""

import contextlib

from confluent_kafka import KafkaError, KafkaException

from app.checks.broker import connect
from app.checks.permissions import Grant, ask, needed, permission_missing
from app.errors import MasteryError
from app.kafka import AccessDenied
from app.settings import Settings
from app.stream.errors import FetchRefused, GroupRefused, PartitionsMismatch
from app.topics import Catalogue

__all__ = ["explained"]

_DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}


def explained(settings: Settings, catalogue: Catalogue, failure: MasteryError) -> MasteryError:
    """Return PermissionMissing, with all that lacks now, for a failure that this may have led to.

    Any other failure is returned as it is, and so is one where the broker tells nothing. Blocks for seconds
    at most.
    """
    codes = _codes(failure)
    # aiokafka's refusals, and a topic that may not be described: it is left out when partitions are assigned.
    refused = isinstance(failure, AccessDenied | FetchRefused | GroupRefused | PartitionsMismatch)
    if not (refused or codes & _DENIED):
        return failure
    missing: list[Grant] = []
    # The broker does not tell what is allowed with a transactional id.
    if KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED in codes:
        missing.append(Grant("Write", "transactional-id", f"{settings.group_id}.*"))
    with contextlib.suppress(MasteryError):
        missing += ask(connect(settings), settings, needed(settings, catalogue)).missing
    return permission_missing(settings, missing) if missing else failure


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
