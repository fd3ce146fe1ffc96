"""What the broker says of the definition topics: their partitions, ids and offsets."""

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined] # not in its stubs

from app.definitions.changes import Vector
from app.held_offsets import held_offsets
from app.kafka import BrokerErrors, BrokerFailure, admin_client, broker_failure, consumer_config
from app.reader import TopicMissing
from app.settings import Settings

__all__ = ["DefinitionTopics"]

#: Seconds for one question.
_TIMEOUT: Final = 5.0


class DefinitionTopics:
    """Asks the broker. Calls end within seconds and raise KafkaException; `explain` puts that into words."""

    def __init__(self, settings: Settings, names: Collection[str]) -> None:
        self._settings = settings
        self._names = list(names)
        self._errors = BrokerErrors()
        self._admin = admin_client(settings, errors=self._errors)

    def consumer(self) -> Consumer:
        """Return a consumer to be assigned to: in no group, telling ends, choosing no offset by itself."""
        return Consumer(
            consumer_config(
                self._settings,
                # Never joined, never committed: librdkafka wants a name.
                group_id=self._settings.group_id,
                errors=self._errors,
                auto_offset_reset="error",
                enable_partition_eof=True,
                fetch_wait_max_ms=100,
                queued_max_messages_kbytes=16_384,
            )
        )

    def describe(self) -> tuple[dict[str, str], set[tuple[str, int]]]:
        """Return each topic's id ("" where the broker has none), and all partitions. Raises TopicMissing."""
        asked = self._admin.describe_topics(TopicCollection(self._names), request_timeout=_TIMEOUT)
        ids: dict[str, str] = {}
        places: set[tuple[str, int]] = set()
        for name, future in asked.items():
            try:
                found = future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
                raise TopicMissing(
                    f"the broker at {self._settings.broker} has no topic {name}",
                    hint="`mastery topics apply` makes the topics",
                ) from None
            ids[name] = "" if found.topic_id is None else str(found.topic_id)
            places |= {(name, int(one.id)) for one in found.partitions}
        return ids, places

    def ends(self, places: Collection[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the high watermarks. The embedded broker's can be too low."""
        return self._offsets(places, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def misfit(self, positions: Vector, places: Collection[tuple[str, int]]) -> str | None:
        """Say which position is none that its partition has; None without any. `places` are those there."""
        begins = self._offsets(places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        ends = self.ends(places)
        gone = {place for place, at in positions.items() if at and not begins.get(place, at + 1) <= at}
        beyond = {place: at for place, at in positions.items() if place in ends and at > ends[place]}
        if beyond:
            gone |= beyond.keys() - self._held(beyond)
        if not gone:
            return None
        topic, partition = min(gone)
        return (
            f"stands at offset {positions[topic, partition]} of {topic} partition {partition}, which has no"
            " such offset"
        )

    def explain(self, error: KafkaException | KafkaError, what: str) -> BrokerFailure:
        """The error to raise for what a call has raised."""
        self._admin.poll(0)
        return broker_failure(self._settings, error, self._errors, what=what)

    def _offsets(self, places: Collection[tuple[str, int]], which: OffsetSpec) -> dict[tuple[str, int], int]:
        if not places:
            return {}
        asked: Mapping[Any, Future[Any]] = self._admin.list_offsets(
            {TopicPartition(*place): which for place in places}, request_timeout=_TIMEOUT
        )
        return {(one.topic, one.partition): int(future.result().offset) for one, future in asked.items()}

    def _held(self, positions: Vector) -> set[tuple[str, int]]:
        """Return the partitions that have these offsets."""
        consumer = self.consumer()
        try:
            return held_offsets(consumer, positions, _TIMEOUT)
        finally:
            consumer.close()
