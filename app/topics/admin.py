"""What the catalogue needs of the broker's admin interface, with errors in plain words."""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined] # not in its stubs
    ConfigResource,
    NewTopic,
    ResourceType,
)

from app.kafka import BrokerErrors, admin_client, broker_failure
from app.settings import Settings
from app.topics.catalogue import TopicSpec

__all__ = ["ExistingTopic", "TopicAdmin"]

_ONE_TRY = 1.0
"""Seconds of one metadata request. Between two, the callbacks run that say why nobody answers."""


@dataclass(frozen=True, slots=True)
class ExistingTopic:
    """A topic as the broker has it. `led` is False while a partition lacks a leader: just made, say."""

    partitions: int
    replication: int
    led: bool


class TopicAdmin:
    """Reads and makes topics. Every call ends within `timeout` seconds; failures are `BrokerFailure`s."""

    def __init__(self, settings: Settings, *, timeout: float = 5.0) -> None:
        self.settings = settings
        self.timeout = timeout
        self._errors = BrokerErrors()
        self._client = admin_client(settings, errors=self._errors)

    def topics(self) -> dict[str, ExistingTopic]:
        """Return all topics that this user may see.

        All are asked for, not one by one: a broker may make topics by itself when one is asked for.
        """
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                found = self._client.list_topics(timeout=_ONE_TRY).topics
                break
            except KafkaException as error:
                self._client.poll(0)
                failure = broker_failure(self.settings, error, self._errors, what="list topics")
                if failure.permanent or time.monotonic() > deadline:
                    raise failure from None
        return {
            name: ExistingTopic(
                partitions=len(topic.partitions),
                replication=min((len(part.replicas) for part in topic.partitions.values()), default=0),
                led=bool(topic.partitions) and all(part.leader >= 0 for part in topic.partitions.values()),
            )
            for name, topic in found.items()
        }

    def hidden(self, names: Collection[str]) -> list[str]:
        """Return those of the topics, which `topics` did not return, that this user may not see.

        Kafka says so be they there or not. Asking makes none, not even where naming a topic does.
        """
        if not names:
            return []
        asked = self._client.describe_topics(TopicCollection(list(names)), request_timeout=self.timeout)
        refusals = {name: future.exception() for name, future in asked.items()}
        return [
            name
            for name, error in refusals.items()
            if isinstance(error, KafkaException)
            and error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
        ]

    def configs(self, names: Iterable[str]) -> dict[str, Mapping[str, str] | None]:
        """Return each topic's settings; None where they may not be read or the topic is unknown.

        Kafka gives every setting, its defaults included. Other brokers may give only what was set.
        """
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        if not resources:
            return {}
        configs: dict[str, Mapping[str, str] | None] = {}
        for resource, future in self._client.describe_configs(
            resources, request_timeout=self.timeout
        ).items():
            try:
                entries: dict[str, Any] = future.result()
            except KafkaException as error:
                if error.args[0].code() not in _UNREADABLE:
                    self._client.poll(0)
                    raise broker_failure(
                        self.settings, error, self._errors, what="read topic settings"
                    ) from None
                configs[resource.name] = None
            else:
                configs[resource.name] = {key: entry.value for key, entry in entries.items()}
        return configs

    def cluster_id(self) -> str | None:
        """Return the id of the cluster; None where it tells none."""
        try:
            told: str | None = self._client.list_topics(timeout=self.timeout).cluster_id
        except KafkaException as error:
            self._client.poll(0)
            raise broker_failure(self.settings, error, self._errors, what="describe the cluster") from None
        return told

    def topic_id(self, name: str) -> str:
        """Return the broker's id of a topic: one that is made anew has another. "" where it has none."""
        try:
            asked = self._client.describe_topics(TopicCollection([name]), request_timeout=self.timeout)
            found = asked[name].result().topic_id
        except KafkaException as error:
            self._client.poll(0)
            raise broker_failure(self.settings, error, self._errors, what="describe a topic") from None
        return "" if found is None else str(found)

    def create(self, specs: Iterable[TopicSpec]) -> dict[str, KafkaError | None]:
        """Make topics. Return what the broker said of each: None for made."""
        wanted = [
            NewTopic(
                spec.name,
                num_partitions=spec.partitions,
                replication_factor=spec.replication,
                config=dict(spec.config),
            )
            for spec in specs
        ]
        answers: dict[str, KafkaError | None] = {}
        futures = self._client.create_topics(
            wanted, operation_timeout=self.timeout, request_timeout=2 * self.timeout
        )
        for name, future in futures.items():
            try:
                future.result()
            except KafkaException as error:
                answers[name] = error.args[0]
            else:
                answers[name] = None
        self._client.poll(0)
        return answers

    def failure(self, error: KafkaError, what: str) -> Exception:
        """Put a broker's answer to one topic into words."""
        return broker_failure(self.settings, error, self._errors, what=what)


_UNREADABLE = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
