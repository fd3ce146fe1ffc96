from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import load_settings
from app.topics import Catalogue, ExistingTopic, TopicState, load_catalogue, plan

CATALOGUE = load_catalogue(load_settings(partitions=4, replication_factor=3))
FOREIGN = load_catalogue(load_settings(partitions=4, raw_topic="events"))
CHANGES = {
    "cleanup.policy": ["compact", "delete", "compact,delete"],
    "max.message.bytes": ["1", "1048576", "2097152", "2147483647"],
    "retention.ms": ["-1", "0", "1209600000"],
    "retention.bytes": ["-1", "1000000"],
}
COUNTED = sorted(name for name, spec in CATALOGUE.topics.items() if spec.counts_matter)


class World:
    """A broker as far as `plan` looks at one; at first just as the catalogue wants it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.there = {
            name: ExistingTopic(spec.partitions, spec.replication, led=True)
            for name, spec in catalogue.topics.items()
        }
        self.config: dict[str, Mapping[str, str] | None] = {
            name: dict(spec.config) for name, spec in catalogue.topics.items()
        }

    def topics(self):
        return self.there

    def configs(self, names):
        return {name: self.config[name] for name in names}


def states(world: World, catalogue: Catalogue = CATALOGUE) -> dict[str, TopicState]:
    return {state.spec.name: state for state in plan(catalogue, world)}


def test_a_broker_that_has_it_all_differs_in_nothing():
    assert {state.status for state in states(World(CATALOGUE)).values()} == {"ok"}


@given(missing=st.sets(st.sampled_from(sorted(CATALOGUE.topics))))
def test_what_is_not_there_is_missing(missing):
    world = World(CATALOGUE)
    for name in missing:
        del world.there[name]
    found = states(world)
    assert {name for name, state in found.items() if state.status == "missing"} == missing
    assert not any(state.differences for state in found.values())


@given(
    topic=st.sampled_from(sorted(CATALOGUE.topics)),
    change=st.sampled_from([(key, value) for key, values in CHANGES.items() for value in values]),
)
def test_a_changed_setting_is_the_one_difference(topic, change):
    key, value = change
    world, expected = World(CATALOGUE), CATALOGUE.topics[topic].config.get(key)
    world.config[topic] = {**CATALOGUE.topics[topic].config, key: value}
    found = states(world)
    differences = found.pop(topic).differences
    assert not any(state.differences for state in found.values())
    if expected is None or expected == value:
        assert differences == ()
    else:
        (only,) = differences
        assert (only.what, only.expected, only.actual) == (key, expected, value)
        assert f"{key}={expected}" in only.remedy or "MASTERY_MAX_MESSAGE_BYTES" in only.remedy


@pytest.mark.parametrize("topic", ["canvas.rubric_assessed", "canvas.schemas", "canvas.dead-letter"])
def test_another_clean_up_would_lose_records_so_it_blocks(topic):
    world = World(CATALOGUE)
    world.config[topic] = {**CATALOGUE.topics[topic].config, "cleanup.policy": "delete,compact"}
    assert [difference.blocking for difference in states(world)[topic].differences] == [True]


@given(topic=st.sampled_from(COUNTED), partitions=st.integers(1, 100))
def test_another_partition_count_of_a_topic_with_keys_blocks(topic, partitions):
    world = World(CATALOGUE)
    world.there[topic] = replace(world.there[topic], partitions=partitions)
    differences = states(world)[topic].differences
    if partitions == CATALOGUE.topics[topic].partitions:
        assert differences == ()
    else:
        assert [(only.what, only.actual, only.blocking) for only in differences] == [
            ("partitions", str(partitions), True)
        ]


def test_when_all_topics_agree_on_a_count_it_is_the_setting_that_is_wrong():
    world = World(load_catalogue(load_settings(partitions=24, replication_factor=3)))
    remedy = states(world)["canvas.learning_outcome_result_created"].differences[0].remedy
    assert "MASTERY_PARTITIONS=24" in remedy


def test_when_topics_disagree_the_way_out_is_a_new_generation():
    world = World(load_catalogue(load_settings(partitions=24, replication_factor=3)))
    one = "canvas.learning_outcome_result_updated"
    world.there[one] = replace(world.there[one], partitions=6)
    remedy = states(world)[one].differences[0].remedy
    assert "MASTERY_PARTITIONS=" not in remedy
    assert "MASTERY_TOPIC_PREFIX" in remedy


@pytest.mark.parametrize("topic", ["canvas.live-events", "canvas.dead-letter"])
def test_where_keys_do_not_matter_fewer_partitions_are_told_and_block_nothing_and_more_are_fine(topic):
    world = World(CATALOGUE)
    declared = CATALOGUE.topics[topic].partitions
    world.there[topic] = replace(world.there[topic], partitions=declared + 1)
    assert states(world)[topic].differences == ()
    world.there[topic] = replace(world.there[topic], partitions=declared - 1)
    assert [(only.what, only.blocking) for only in states(world)[topic].differences] == [
        ("partitions", False)
    ]


def test_replication_is_compared_only_when_it_is_set():
    world = World(CATALOGUE)
    world.there["canvas.schemas"] = replace(world.there["canvas.schemas"], replication=1)
    assert [only.what for only in states(world)["canvas.schemas"].differences] == ["replication"]
    any_will_do = load_catalogue(load_settings(partitions=4))
    assert states(world, any_will_do)["canvas.schemas"].differences == ()


def test_somebody_elses_raw_topic_may_be_as_they_like_but_for_larger_records():
    world = World(FOREIGN)
    world.there["events"] = ExistingTopic(99, 1, led=True)
    world.config["events"] = {
        "cleanup.policy": "compact",
        "retention.ms": "1",
        "retention.bytes": "1",
        "max.message.bytes": "1000",
    }
    assert states(world, FOREIGN)["events"].differences == ()
    world.config["events"] = {"max.message.bytes": "8388608"}
    (only,) = states(world, FOREIGN)["events"].differences
    assert "MASTERY_MAX_MESSAGE_BYTES=8388608" in only.remedy


@pytest.mark.parametrize("told", [{}, None, {"compression.type": "producer"}])
def test_what_a_broker_does_not_tell_is_no_difference(told):
    world = World(CATALOGUE)
    for name in world.config:
        world.config[name] = told
    assert {state.status for state in states(world).values()} == {"ok"}
