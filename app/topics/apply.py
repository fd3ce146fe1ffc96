"""Making the topics that are missing, and refusing to run on what differs."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError

from app.access.grants import Grant, permission_missing
from app.errors import MasteryError
from app.kafka import AccessDenied
from app.settings import variable
from app.topics.admin import TopicAdmin
from app.topics.catalogue import Catalogue
from app.topics.state import TopicState, plan

__all__ = [
    "Applied",
    "PartitionMismatch",
    "TopicDrift",
    "TopicsMissing",
    "TopicsNotMade",
    "apply",
    "check",
    "require_usable",
]

_POLL_SECONDS = 0.05


class TopicDrift(MasteryError):
    """Topics that are not as the catalogue says. `states` holds all topics."""

    def __init__(self, message: str, states: Sequence[TopicState], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.states = tuple(states)


class TopicsMissing(TopicDrift):
    """Topics of the catalogue that do not exist."""


class PartitionMismatch(TopicDrift):
    """Topics whose number of partitions is not the one that is set."""


class TopicsNotMade(MasteryError):
    """The broker refused to make topics."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply` did: the names of the topics it made, and the state of all afterwards."""

    created: tuple[str, ...]
    states: tuple[TopicState, ...]


def apply(catalogue: Catalogue, admin: TopicAdmin) -> Applied:
    """Make what is missing; alter and delete nothing. Returns when every topic made can be written to.

    Raises PartitionMismatch before anything is made when existing topics have other partition counts,
    TopicsNotMade when the broker refuses, PermissionMissing, and `BrokerFailure`s.
    """
    states = plan(catalogue, admin)
    _refuse_other_counts(states)
    missing = [state.spec for state in states if state.existing is None]
    _refuse_hidden(admin, [spec.name for spec in missing], "mastery topics apply")
    if not missing:
        return Applied((), tuple(states))
    answers = admin.create(missing)
    # Somebody else may make them at the same time: then theirs are compared like any that were there before.
    refused = {
        name: error for name, error in answers.items() if error is not None and error.code() != _EXISTS
    }
    created = tuple(name for name, error in answers.items() if error is None)
    if refused:
        raise _not_made(admin, refused, created)
    states = _wait_until_there(catalogue, admin, set(answers))
    _refuse_other_counts(states)
    return Applied(created, tuple(states))


def check(catalogue: Catalogue, admin: TopicAdmin) -> list[TopicState]:
    """Return the state of all topics if they are as the catalogue says, else raise TopicDrift with them.

    Raises PermissionMissing when some may not even be seen, and `BrokerFailure`s.
    """
    states = plan(catalogue, admin)
    missing = [state.spec.name for state in states if state.existing is None]
    different = [state.spec.name for state in states if state.differences]
    _refuse_hidden(admin, missing, "mastery topics check")
    if missing or different:
        parts = [
            f"{len(names)} {word}"
            for names, word in ((missing, "missing"), (different, "different"))
            if names
        ]
        raise TopicDrift(
            f"of {len(states)} topics, {' and '.join(parts)}: {_list(missing + different)}",
            states,
            hint="`mastery topics apply` makes what is missing; what differs is for you to decide",
        )
    return states


def require_usable(states: Iterable[TopicState]) -> None:
    """Raise TopicsMissing, PartitionMismatch or TopicDrift for whatever a worker cannot run on.

    Other differences (retention, say) are left to `check`: they are no reason to stop.
    """
    states = tuple(states)
    missing = [state.spec.name for state in states if state.existing is None]
    if missing:
        raise TopicsMissing(
            f"{len(missing)} of {len(states)} topics do not exist: {_list(missing)}",
            states,
            hint="run `mastery topics apply`, or ask for the permission to describe them",
        )
    _refuse_other_counts(states)
    for state in states:
        for difference in state.differences:
            if difference.blocking:
                raise TopicDrift(
                    f"{state.spec.name} has {difference.what}={difference.actual}, not {difference.expected}",
                    states,
                    hint=difference.remedy,
                )


def _refuse_other_counts(states: Sequence[TopicState]) -> None:
    wrong = [
        (state, difference)
        for state in states
        for difference in state.differences
        if difference.what == "partitions" and difference.blocking
    ]
    if wrong:
        state, difference = wrong[0]
        more = f" (and {len(wrong) - 1} more topics differ)" if len(wrong) > 1 else ""
        raise PartitionMismatch(
            f"{state.spec.name} has {difference.actual} partitions, not {difference.expected}{more}",
            states,
            hint=difference.remedy,
        )


def _refuse_hidden(admin: TopicAdmin, missing: Sequence[str], command: str) -> None:
    """Raise PermissionMissing when topics that seem to be missing may only not be seen."""
    if hidden := admin.hidden(missing):
        raise permission_missing(admin.settings, _lacking(admin, "Describe", hidden), doer=f"`{command}`")


def _lacking(admin: TopicAdmin, operation: str, names: Sequence[str]) -> list[Grant]:
    """Return what to grant: all of the prefix, where it is more than one topic of it."""
    prefix = admin.settings.topic_prefix
    ours = [name for name in names if name.startswith(prefix)]
    if len(ours) < 2:
        return [Grant(operation, "topic", name) for name in names]
    others = [Grant(operation, "topic", name) for name in names if name not in ours]
    return [*others, Grant(operation, "topic", prefix, prefixed=True)]


def _wait_until_there(catalogue: Catalogue, admin: TopicAdmin, names: set[str]) -> list[TopicState]:
    """A broker says "made" before all brokers know of it and before the partitions have leaders."""
    deadline = time.monotonic() + 2 * admin.timeout
    while True:
        there = admin.topics()
        late = [name for name in names if name not in there or not there[name].led]
        if not late:
            return plan(catalogue, admin)
        if time.monotonic() > deadline:
            raise TopicsNotMade(
                f"the broker made these topics, but they cannot be used yet: {_list(sorted(late))}",
                hint="run the command again; if it stays so, ask for the permission to describe them",
            )
        time.sleep(_POLL_SECONDS)


def _not_made(admin: TopicAdmin, refused: dict[str, KafkaError], created: Sequence[str]) -> MasteryError:
    name, error = next(iter(refused.items()))
    failure = admin.failure(error, f"make the topic {name}")
    if isinstance(failure, AccessDenied):
        return permission_missing(
            admin.settings, _lacking(admin, "Create", list(refused)), doer="`mastery topics apply`"
        )
    if isinstance(failure, MasteryError) and error.code() in _UNANSWERED:
        return failure
    made = f"; made before: {_list(created)}" if created else ""
    hint = None
    if error.code() == KafkaError.INVALID_REPLICATION_FACTOR:
        hint = f"set {variable('replication_factor')} to at most the number of brokers"
    return TopicsNotMade(f"the broker refused to make {_list(list(refused))}: {error.str()}{made}", hint=hint)


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


_EXISTS = KafkaError.TOPIC_ALREADY_EXISTS
_UNANSWERED = {
    KafkaError._TIMED_OUT,  # noqa: SLF001 - librdkafka's names
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
}
