"""What the broker says that this user may do. Asked, not tried out: nothing is written, nobody joins."""

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined] # not in its stubs

from app.access.grants import Grant
from app.connection import Connection
from app.coordinator import COORDINATOR_AWAY
from app.kafka import BrokerUnreachable, broker_failure
from app.settings import Settings

__all__ = ["Granted", "ask"]

# For one try. In a new cluster, the first question about a group may get no answer while its topic is made.
_TIMEOUT = 3.0

_DENIED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
# Until a coordinator is there and has read its log, and while it moves.
_NOT_YET = {
    *COORDINATOR_AWAY,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._TIMED_OUT,  # noqa: SLF001 - librdkafka's name
}
# A broker that does not know the question, or not the thing it is about, says nothing of permissions.
_NOT_TOLD = {
    KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001 - librdkafka's name
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.GROUP_ID_NOT_FOUND,
}


@dataclass(frozen=True, slots=True)
class Granted:
    """What the broker said: the permissions that lack, and those it said nothing about."""

    missing: tuple[Grant, ...]
    not_told: tuple[Grant, ...]


def ask(connection: Connection, settings: Settings, grants: Iterable[Grant]) -> Granted:
    """Ask the broker for the operations it would let this user do (KIP-430, Kafka 2.3 and up).

    Raises BrokerUnreachable for what passes by itself (a coordinator that is still reading its log).
    """
    grants = list(grants)
    topics = sorted({grant.name for grant in grants if grant.resource == "topic"})
    groups = sorted({grant.name for grant in grants if grant.resource == "group"})
    admin = connection.admin
    options: dict[str, Any] = {"include_authorized_operations": True, "request_timeout": _TIMEOUT}
    # Asking makes no topics, not even where the broker makes those that a client names.
    of_topics = admin.describe_topics(TopicCollection(topics), **options) if topics else {}
    of_groups = admin.describe_consumer_groups(groups, **options) if groups else {}
    answers = {("topic", name): future for name, future in of_topics.items()}
    answers |= {("group", name): future for name, future in of_groups.items()}
    allowed = {key: _allowed(connection, settings, future) for key, future in answers.items()}
    missing, not_told = [], []
    for grant in grants:
        operations = allowed[grant.resource, grant.name]
        if operations is None:
            not_told.append(grant)
        elif grant.operation.upper() not in operations:
            missing.append(grant)
    return Granted(tuple(missing), tuple(not_told))


def _allowed(connection: Connection, settings: Settings, future: Future[Any]) -> frozenset[str] | None:
    """Names of the operations that are allowed; None where the broker does not tell."""
    # Not result(): what that raises holds this frame, which holds the client, and so keeps it from closing.
    error = future.exception()
    if not isinstance(error, KafkaException):
        operations: list[AclOperation] | None = future.result().authorized_operations
        return None if operations is None else frozenset(operation.name for operation in operations)
    code = error.args[0].code()
    if code in _DENIED:
        return frozenset()
    if code in _NOT_TOLD:
        return None
    if code in _NOT_YET:
        raise BrokerUnreachable(
            f"the broker at {settings.broker} answers, but not yet what this user may do",
            hint="look at the broker's log if this stays; is its offsets.topic.replication.factor above the "
            "number of brokers?",
        )
    connection.admin.poll(0)
    raise broker_failure(settings, error, connection.errors, what="ask for permissions")
