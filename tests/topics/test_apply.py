"""On the broker of the run, and once more on a real Kafka."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from app.settings import Settings
from app.topics import (
    PartitionMismatch,
    TopicAdmin,
    TopicDrift,
    TopicsMissing,
    apply,
    check,
    load_catalogue,
    plan,
    require_usable,
)


@pytest.fixture(autouse=True, params=["any broker", pytest.param("kafka", marks=pytest.mark.kafka)])
def on(request):
    return request.param


class Side:
    """The broker seen without the code under test."""

    def __init__(self, settings: Settings) -> None:
        self.admin = AdminClient({"bootstrap.servers": settings.broker})
        self.prefix = settings.topic_prefix

    def partitions(self) -> dict[str, int]:
        topics = self.admin.list_topics(timeout=10).topics
        return {name: len(topic.partitions) for name, topic in topics.items() if name.startswith(self.prefix)}

    def config(self, topic: str) -> dict[str, str]:
        (future,) = self.admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
        return {name: entry.value for name, entry in future.result(10).items()}

    def make(self, topic: str, partitions: int, **config: str) -> None:
        wanted = NewTopic(
            self.prefix + topic, partitions, 1, config={k.replace("_", "."): v for k, v in config.items()}
        )
        for future in self.admin.create_topics([wanted]).values():
            future.result(10)
        while self.partitions().get(self.prefix + topic) != partitions:
            time.sleep(0.02)

    def alter(self, topic: str, key: str, value: str) -> None:
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.prefix + topic, incremental_configs=[entry])
        for future in self.admin.incremental_alter_configs([resource]).values():
            future.result(10)
        # Kafka says "done" before it shows the change.
        while self.config(self.prefix + topic).get(key) != value:
            time.sleep(0.02)


@pytest.fixture
def side(settings) -> Side:
    return Side(settings)


@pytest.fixture
def catalogue(settings):
    return load_catalogue(settings)


@pytest.fixture
def admin(settings) -> TopicAdmin:
    return TopicAdmin(settings)


def test_on_an_empty_broker_everything_is_made_as_declared(catalogue, admin, side):
    done = apply(catalogue, admin)
    assert set(done.created) == set(catalogue.topics)
    assert side.partitions() == {name: spec.partitions for name, spec in catalogue.topics.items()}
    for name, spec in catalogue.topics.items():
        found = side.config(name)
        assert {key: found[key] for key in spec.config} == dict(spec.config)
    assert {state.status for state in done.states} == {"ok"}
    assert [state.status for state in check(catalogue, admin)] == ["ok"] * 20
    require_usable(done.states)


def test_the_second_time_nothing_is_done(catalogue, admin, side):
    apply(catalogue, admin)
    before = side.partitions(), {name: side.config(name) for name in catalogue.topics}
    assert apply(catalogue, admin).created == ()
    assert (side.partitions(), {name: side.config(name) for name in catalogue.topics}) == before


def test_only_what_is_missing_is_made(catalogue, admin, side, settings):
    side.make("rubric_assessed", 4)
    done = apply(catalogue, admin)
    assert set(done.created) == set(catalogue.topics) - {settings.typed_topic("rubric_assessed")}


def test_what_differs_is_told_and_left_alone(catalogue, admin, side, settings):
    apply(catalogue, admin)
    side.alter("live-events", "retention.ms", "12345")
    name = settings.raw_topic_name
    done = apply(catalogue, admin)
    assert done.created == ()
    assert {state.spec.name for state in done.states if state.differences} == {name}
    assert side.config(name)["retention.ms"] == "12345"
    with pytest.raises(TopicDrift, match="1 different") as drift:
        check(catalogue, admin)
    (difference,) = next(state for state in drift.value.states if state.differences).differences
    assert (difference.what, difference.actual, difference.blocking) == ("retention.ms", "12345", False)
    require_usable(done.states)


def test_compaction_of_results_keeps_a_worker_from_starting(catalogue, admin, side):
    apply(catalogue, admin)
    side.alter("learning_outcome_result_created", "cleanup.policy", "compact")
    with pytest.raises(TopicDrift, match=r"cleanup\.policy=compact, not delete"):
        require_usable(plan(catalogue, admin))


def test_missing_topics_are_drift_and_keep_a_worker_from_starting(catalogue, admin):
    with pytest.raises(TopicDrift, match="20 missing"):
        check(catalogue, admin)
    with pytest.raises(TopicsMissing, match="20 of 20 topics") as missing:
        require_usable(plan(catalogue, admin))
    assert "mastery topics apply" in missing.value.hint


def test_another_partition_count_is_refused_before_anything_is_made(catalogue, admin, side):
    side.make("learning_outcome_result_created", 7)
    with pytest.raises(PartitionMismatch, match="has 7 partitions, not 4") as refused:
        apply(catalogue, admin)
    assert "MASTERY_PARTITIONS=7" in refused.value.hint
    assert len(side.partitions()) == 1
    with pytest.raises(TopicDrift):
        check(catalogue, admin)


def test_a_changed_setting_is_refused_for_life(settings, catalogue, admin, side):
    apply(catalogue, admin)
    more = load_catalogue(settings.model_copy(update={"partitions": 8}))
    with pytest.raises(PartitionMismatch):
        apply(more, admin)
    with pytest.raises(PartitionMismatch):
        require_usable(plan(more, admin))
    assert set(side.partitions().values()) == {4, 1}


def test_somebody_elses_raw_topic_is_taken_as_it_is(settings, side):
    side.make("their-events", 3)
    theirs = settings.model_copy(update={"raw_topic": f"{settings.topic_prefix}their-events"})
    done = apply(load_catalogue(theirs), TopicAdmin(theirs))
    assert theirs.raw_topic not in done.created
    assert settings.raw_topic_name not in side.partitions()
    assert side.partitions()[theirs.raw_topic] == 3
    require_usable(done.states)


def test_two_that_apply_at_once_both_succeed(settings, catalogue):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: apply(catalogue, TopicAdmin(settings)), range(4)))
    assert all({state.status for state in applied.states} == {"ok"} for applied in done)
    made = [name for applied in done for name in applied.created]
    assert sorted(made) == sorted(catalogue.topics)


def test_a_larger_raw_topic_is_drift_as_the_dead_letters_might_not_take_it(settings, side):
    side.make("their-events", 3, max_message_bytes="9000000")
    theirs = settings.model_copy(update={"raw_topic": f"{settings.topic_prefix}their-events"})
    done = apply(load_catalogue(theirs), TopicAdmin(theirs))
    (remedy,) = [difference.remedy for state in done.states for difference in state.differences]
    assert "MASTERY_MAX_MESSAGE_BYTES=9000000" in remedy
