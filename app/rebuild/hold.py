"""The workers' group held by somebody else: while that lasts, no worker can come in."""

import time
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from app.errors import MasteryError
from app.kafka import BrokerErrors, broker_failure, consumer_config
from app.settings import Settings
from app.verify.group import members

__all__ = ["GroupHold", "WorkersAlive", "require_stopped"]

#: Seconds. Longer than a killed worker stays a member.
_PATIENCE: Final = 60.0


class WorkersAlive(MasteryError):
    """Workers are in the group; their state must not be changed under them."""


def require_stopped(settings: Settings) -> None:
    """Raise WorkersAlive unless the workers' group is empty."""
    if number := members(settings):
        raise WorkersAlive(
            f"{number} {'worker is' if number == 1 else 'workers are'} in the group {settings.group_id}",
            hint="stop all of them (`mastery status` names them); one that was killed is a member for"
            f" {settings.session_timeout:g} s more",
        )


class GroupHold:
    """Membership in the workers' group, under a way to assign partitions that no worker knows.

    Kafka lets nobody join who shares no way of assignment with all members: workers that are started
    meanwhile end with an error, and this fails where a worker is in. `metadata` goes into each transaction,
    so that the broker refuses what is written once the membership is over.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._errors = BrokerErrors()
        self._joined = False
        self._consumer = Consumer(
            consumer_config(
                settings,
                group_id=settings.group_id,
                errors=self._errors,
                partition_assignment_strategy="roundrobin",
                session_timeout_ms=int(settings.session_timeout * 1000),
                heartbeat_interval_ms=int(settings.session_timeout * 1000 / 4),
            )
        )

    def __enter__(self) -> Self:
        require_stopped(self._settings)
        self._consumer.subscribe([self._settings.changelog_topic], on_assign=self._assigned)
        try:
            self._enter()
        except BaseException:
            self._consumer.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    @property
    def metadata(self) -> bytes:
        """What names this membership in a transaction."""
        found: bytes = self._consumer.consumer_group_metadata()
        return found

    def keep(self, seconds: float = 0.0) -> None:
        """Say that this lives: at least every few minutes. Raises WorkersAlive and BrokerFailure."""
        message = self._consumer.poll(seconds)
        error = None if message is None else message.error()
        if error is None or error.retriable():
            return
        if error.code() == KafkaError.INCONSISTENT_GROUP_PROTOCOL:
            require_stopped(self._settings)
            raise WorkersAlive(
                f"the group {self._settings.group_id} is a worker's, or one is entering it",
                hint="stop all workers first; the embedded broker never lets a group go",
            )
        raise broker_failure(self._settings, KafkaException(error), self._errors, what="enter the group")

    def _enter(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not self._joined:
            self.keep(0.1)
            if time.monotonic() > deadline:
                raise WorkersAlive(
                    f"the group {self._settings.group_id} could not be entered in time",
                    hint="is a worker being started? Stop all workers, then run this again",
                )

    def _assigned(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        # Nothing is to be read.
        consumer.assign([])
        self._joined = True
