"""Whether this user may do all that a worker does. Asked, not tried out: nothing is written, nobody joins."""

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined] # not in its stubs

from app.checks.broker import Connection
from app.checks.errors import PermissionMissing
from app.coordinator import COORDINATOR_AWAY
from app.kafka import BrokerUnreachable, broker_failure
from app.settings import Settings
from app.topics import Catalogue, TopicSpec

__all__ = ["Grant", "Granted", "ask", "is_ours", "needed", "permission_missing"]

# Those of the catalogue's writers and readers that are this process.
_OURS = {"router", "worker"}
# For one try. In a new cluster, the first question about a group may get no answer while its topic is made.
_TIMEOUT = 3.0
_SHOWN = 5

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
class Grant:
    """One permission in Kafka's words: Read or Write on a `topic`, `group` or `transactional-id`."""

    operation: str
    resource: str
    name: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What the broker said: the permissions that lack, and those it said nothing about."""

    missing: tuple[Grant, ...]
    not_told: tuple[Grant, ...]


def needed(settings: Settings, catalogue: Catalogue) -> list[Grant]:
    """Return what a worker needs, transactions apart: each topic by the catalogue's readers and writers."""
    grants = []
    for name, spec in catalogue.topics.items():
        if _OURS.intersection(spec.readers):
            grants.append(Grant("Read", "topic", name))
        if _OURS.intersection(spec.writers):
            grants.append(Grant("Write", "topic", name))
    return [*grants, Grant("Read", "group", settings.group_id)]


def is_ours(spec: TopicSpec) -> bool:
    """Return whether a worker reads or writes the topic."""
    return bool(_OURS.intersection((*spec.readers, *spec.writers)))


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
    of_topics = admin.describe_topics(TopicCollection(topics), **options)
    of_groups = admin.describe_consumer_groups(groups, **options)
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


def permission_missing(settings: Settings, missing: Iterable[Grant]) -> PermissionMissing:
    """Put all missing permissions into one line, and the commands that grant them into the hint."""
    together: dict[tuple[str, str], list[str]] = {}
    for grant in missing:
        together.setdefault((grant.operation, grant.resource), []).append(grant.name)
    parts = []
    commands = []
    for (operation, resource), names in together.items():
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        plural = "s" if len(names) > 1 else ""
        parts.append(f"{operation} on {resource}{plural} {', '.join(names[:_SHOWN])}{more}")
        commands += [f"--operation {operation} {it}" for it in _patterns(settings, resource, names)]
    return PermissionMissing(
        f"this user may not do all that a worker does at {settings.broker}: no {'; no '.join(parts)}",
        hint="grant it: kafka-acls --bootstrap-server ... --add --allow-principal User:... "
        + ", and the same with ".join(commands),
    )


def _patterns(settings: Settings, resource: str, names: list[str]) -> list[str]:
    """Name things as they are, or by our prefix; every worker has a transactional id of its own."""
    prefixed = "--resource-pattern-type prefixed"
    if resource == "transactional-id":
        return [f"--{resource} {settings.group_id} {prefixed}"]
    ours = [name for name in names if name.startswith(settings.topic_prefix)]
    if len(ours) == 1:
        return [f"--{resource} {name}" for name in names]
    others = [f"--{resource} {name}" for name in names if name not in ours]
    return [*others, f"--{resource} {settings.topic_prefix} {prefixed}"]
