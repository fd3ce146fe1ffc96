"""What is, compared with what should be: the state of each topic of the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.settings import variable
from app.topics.admin import ExistingTopic, TopicAdmin
from app.topics.catalogue import BROKER_DEFAULT, Catalogue, TopicSpec

__all__ = ["Difference", "TopicState", "plan"]

_NEW_GENERATION = (
    "a partition count is for life, as keys would move: to change it, set MASTERY_TOPIC_PREFIX to a new "
    "prefix, run `mastery topics apply`, and produce the raw events again"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about a topic that is not as the catalogue says.

    `what` is `partitions`, `replication` or a topic setting in Kafka's name. A `blocking` difference keeps
    workers from starting, as running on would break a promise.
    """

    what: str
    expected: str
    actual: str
    blocking: bool
    remedy: str


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic of the catalogue as the broker has it; `existing` is None where there is none.

    `config` is None where it could not be read. What the broker does not tell counts as right.
    """

    spec: TopicSpec
    existing: ExistingTopic | None
    config: Mapping[str, str] | None
    differences: tuple[Difference, ...]

    @property
    def status(self) -> Literal["missing", "ok", "differs"]:
        """The state in a word."""
        if self.existing is None:
            return "missing"
        return "differs" if self.differences else "ok"


def plan(catalogue: Catalogue, admin: TopicAdmin) -> list[TopicState]:
    """Compare the catalogue with the broker, changing nothing. Raises `BrokerFailure`s."""
    there = admin.topics()
    configs = admin.configs(name for name in catalogue.topics if name in there)
    remedy = _partition_remedy(catalogue, there)
    states = []
    for name, spec in catalogue.topics.items():
        existing, config = there.get(name), configs.get(name)
        differences: list[Difference] = []
        if existing is not None:
            differences += _shape_differences(spec, existing, remedy)
            differences += _config_differences(spec, config or {})
        states.append(TopicState(spec, existing, config, tuple(differences)))
    return states


def _partition_remedy(catalogue: Catalogue, there: Mapping[str, ExistingTopic]) -> str:
    """When all that exist agree on another number, the setting is wrong; when they do not, the topics are."""
    numbers = {
        there[name].partitions
        for name, spec in catalogue.topics.items()
        if name in there and spec.counts_matter and spec.partitions != 1
    }
    if len(numbers) == 1:
        return f"set {variable('partitions')}={numbers.pop()}, as these topics have it; {_NEW_GENERATION}"
    return _NEW_GENERATION


def _shape_differences(spec: TopicSpec, existing: ExistingTopic, remedy: str) -> list[Difference]:
    differences = []
    # The raw topic, say, may have been given more: nothing rests on its number.
    grown = existing.partitions > spec.partitions and not spec.counts_matter
    if existing.partitions != spec.partitions and not (spec.foreign or grown):
        differences.append(
            Difference(
                "partitions",
                str(spec.partitions),
                str(existing.partitions),
                blocking=spec.counts_matter,
                remedy=remedy
                if spec.counts_matter
                else f"harmless; set {variable('raw_topic')}={spec.name} if the topic is somebody else's"
                if spec.raw
                else "harmless; `kafka-topics --alter --partitions` can add some",
            )
        )
    if spec.replication not in (BROKER_DEFAULT, existing.replication) and not spec.foreign:
        differences.append(
            Difference(
                "replication",
                str(spec.replication),
                str(existing.replication),
                blocking=False,
                remedy=f"set {variable('replication_factor')}={existing.replication}, or move the partitions "
                "with `kafka-reassign-partitions`",
            )
        )
    return differences


def _config_differences(spec: TopicSpec, config: Mapping[str, str]) -> list[Difference]:
    differences = []
    for key, expected in spec.config.items():
        actual = config.get(key)
        if (
            actual is None
            or _same(key, expected, actual)
            or (spec.foreign and not _too_large(key, expected, actual))
        ):
            continue
        differences.append(
            Difference(
                key,
                expected,
                actual,
                # Compaction would drop all but the last event of a key; without it, schemas would go by age.
                blocking=key == "cleanup.policy" and not spec.raw,
                remedy=_config_remedy(spec, key, expected, actual),
            )
        )
    return differences


def _same(key: str, expected: str, actual: str) -> bool:
    if key == "cleanup.policy":
        return set(expected.split(",")) == {word.strip() for word in actual.split(",")}
    return expected == actual


def _too_large(key: str, expected: str, actual: str) -> bool:
    """True where a topic takes records that the dead-letter topic might not."""
    return key == "max.message.bytes" and int(actual) > int(expected)


def _config_remedy(spec: TopicSpec, key: str, expected: str, actual: str) -> str:
    if spec.raw and _too_large(key, expected, actual):
        return (
            f"set {variable('max_message_bytes')}={actual}; `mastery topics check` then says what must grow"
        )
    return (
        "kafka-configs --bootstrap-server ... --alter --entity-type topics --entity-name"
        f" {spec.name} --add-config {key}={expected}"
    )
