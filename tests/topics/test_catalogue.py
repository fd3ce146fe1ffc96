import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schemas.contract import contract_root, load_contract
from app.settings import Settings, load_settings
from app.topics import Catalogue, CatalogueError, load_catalogue

DAY = 24 * 60 * 60 * 1000
COMPACTED = {
    "canvas.schemas",
    "canvas.dead-letter-replays",
    "canvas.mastery-changelog",
    "canvas.outcome_mastery",
    "canvas.course_outcome_mastery",
}
RESULTS = {"learning_outcome_result_created", "learning_outcome_result_updated"}
ACTIVITY = {"rubric_assessed", "outcomes.retry_outcome_alignment_clone"}


def catalogue(**overrides) -> Catalogue:
    return load_catalogue(load_settings(**overrides))


def config(topic: str, **overrides) -> dict[str, str]:
    return dict(catalogue(**overrides).topics[topic].config)


def test_has_a_topic_of_each_schema_and_those_that_the_stream_itself_needs():
    settings, events = load_settings(), load_contract().events
    topics = catalogue().topics
    expected = {settings.raw_topic_name, settings.dead_letter_topic, settings.schemas_topic}
    expected |= {settings.replays_topic, settings.changelog_topic, settings.commands_topic}
    assert set(topics) == expected | {settings.typed_topic(name) for name in load_contract().topics}
    assert {spec.event for spec in topics.values() if spec.event} == set(events)
    assert all(spec.name == settings.typed_topic(spec.event) for spec in topics.values() if spec.event)
    assert next(iter(topics)) == settings.raw_topic_name


def test_the_described_key_is_the_one_of_the_contract():
    events = load_contract().events
    for spec in catalogue().topics.values():
        if spec.event:
            assert spec.key == ", else ".join(events[spec.event].schema["mastery.key"])


def test_a_topic_says_who_writes_who_reads_and_what_it_is_for():
    for spec in catalogue().topics.values():
        assert spec.writers
        assert spec.readers
        assert spec.key
        assert spec.value
        assert spec.description.strip().endswith(".")


def test_retention():
    topics = catalogue().topics
    for name, spec in topics.items():
        days = {"canvas.live-events": 14, "canvas.mastery-commands": 14, "canvas.dead-letter": 30}.get(name)
        if spec.event:
            days = 400 if spec.event in ACTIVITY else None
        if name in COMPACTED:
            assert "retention.ms" not in spec.config
            assert spec.config["cleanup.policy"] == "compact"
            continue
        assert spec.config["retention.ms"] == ("-1" if days is None else str(days * DAY))
        assert spec.config["retention.bytes"] == "-1"
        assert spec.config["cleanup.policy"] == "delete"


def test_what_replaced_records_said_does_not_stay_for_ever():
    for name in ("mastery-changelog", "outcome_mastery", "course_outcome_mastery"):
        assert config(f"canvas.{name}")["max.compaction.lag.ms"] == str(7 * DAY)


def test_each_retention_is_a_setting():
    changed = {
        "raw_retention_days": 1,
        "dead_letter_retention_days": 2,
        "typed_retention_days": 3,
        "state_retention_days": 4,
    }
    found = {name: spec.config.get("retention.ms") for name, spec in catalogue(**changed).topics.items()}
    assert found["canvas.live-events"] == str(1 * DAY)
    assert found["canvas.dead-letter"] == str(2 * DAY)
    assert found["canvas.mastery-commands"] == str(1 * DAY)
    assert found["canvas.rubric_assessed"] == str(3 * DAY)
    assert found["canvas.learning_outcome_result_created"] == str(4 * DAY)
    assert found["canvas.outcome_proficiency_updated"] == str(4 * DAY)
    assert found["canvas.schemas"] is None


def test_result_topics_are_one_group():
    (group,) = catalogue().groups().values()
    others = {"mastery-commands", "mastery-changelog", "outcome_mastery", "course_outcome_mastery"}
    assert {spec.name for spec in group} == {f"canvas.{name}" for name in RESULTS | others}


@given(partitions=st.integers(1, 10_000))
def test_a_group_has_one_partition_count_and_schemas_are_in_order(partitions):
    found = catalogue(partitions=partitions)
    assert {spec.partitions for group in found.groups().values() for spec in group} == {partitions}
    assert found.topics["canvas.schemas"].partitions == 1
    assert found.topics["canvas.dead-letter-replays"].partitions == 1


@given(size=st.integers(16 * 1024, 512 * 1024 * 1024))
def test_what_is_made_of_several_records_or_adds_headers_may_be_larger(size):
    sizes = {
        name: int(spec.config["max.message.bytes"])
        for name, spec in catalogue(max_message_bytes=size).topics.items()
    }
    assert sizes.pop("canvas.dead-letter") == size + 1024 * 1024
    assert sizes.pop("canvas.mastery-changelog") == size + 15 * 1024 * 1024
    assert set(sizes.values()) == {size}


def test_what_the_stream_makes_of_results_is_compacted_and_keeps_tombstones_for_a_month():
    found = catalogue().topics
    for name in ("mastery-changelog", "outcome_mastery", "course_outcome_mastery"):
        config = found[f"canvas.{name}"].config
        assert config["cleanup.policy"] == "compact"
        assert int(config["delete.retention.ms"]) == 30 * 24 * 3600 * 1000
        assert "retention.ms" not in config
    assert "delete.retention.ms" not in found["canvas.schemas"].config


def test_the_value_of_a_topic_without_event_names_its_schema():
    found = catalogue().topics
    assert found["canvas.outcome_mastery"].value.endswith("avro/outcome_mastery.avsc")
    assert found["canvas.outcome_mastery"].event is None
    assert found["canvas.mastery-changelog"].value.startswith("a format byte")


def test_prefix_and_raw_topic():
    assert all(name.startswith("school.") for name in catalogue(topic_prefix="school.").topics)
    topics = catalogue(topic_prefix="school.", raw_topic="events").topics
    assert topics["events"].foreign
    assert "school.live-events" not in topics
    assert not any(spec.foreign for name, spec in topics.items() if name != "events")


def test_replication_and_in_sync_replicas_are_the_brokers_unless_set():
    assert {spec.replication for spec in catalogue().topics.values()} == {-1}
    assert not any("min.insync.replicas" in spec.config for spec in catalogue().topics.values())
    found = catalogue(replication_factor=3, min_insync_replicas=2).topics.values()
    assert {(spec.replication, spec.config["min.insync.replicas"]) for spec in found} == {(3, "2")}


def test_more_in_sync_replicas_than_replicas_are_refused():
    with pytest.raises(CatalogueError, match="MASTERY_MIN_INSYNC_REPLICAS"):
        catalogue(replication_factor=2, min_insync_replicas=3)


def test_a_raw_topic_that_workers_write_is_refused():
    with pytest.raises(CatalogueError, match=r"canvas\.dead-letter is there twice"):
        catalogue(raw_topic="canvas.dead-letter")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(contract_root() / "topics", tmp_path / "topics")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('cleanup = "compact"', 'cleanup = "shred"', "cleanup"),
        ("extra_message_bytes", "extra_bytes", "extra_bytes"),
        ("partitions = 1", 'partitions = "$partitons"', "partitons"),
        ("partitions = 1", 'partitions = "12"', "'12'"),
        ("partitions = 1", 'partitions = "$topic_prefix"', "not a number"),
        ("partitions = 1", 'partitions = "$replication_factor"', "must be set"),
        ('name = "schemas"', 'name = "dead-letter"', "twice"),
        ('name = "schemas"', 'name = "sche/mas"', "not a name"),
        ('name = "schemas"', f'name = "{"x" * 250}"', "not a name"),
        ('value = "JSON', "value = JSON", "TOML"),
        ('writers = ["router"]', "", "writers"),
    ],
)
def test_a_mistake_is_refused_with_the_name_of_the_file(root, old, new, said):
    path = root / "topics" / "service.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(CatalogueError, match=rf"service\.toml.*{said}"):
        load_catalogue(Settings(), root)


def test_a_group_with_two_partition_counts_is_refused(root):
    path = root / "topics" / "results.toml"
    path.write_text(path.read_text().replace("[[topics]]", "[[topics]]\npartitions = 3", 1))
    with pytest.raises(CatalogueError, match="results"):
        load_catalogue(Settings(), root)


def test_a_topic_without_a_value_is_refused(root):
    path = root / "topics" / "raw.toml"
    path.write_text(path.read_text().replace("value", "#value"))
    with pytest.raises(CatalogueError, match="neither event nor schema nor value"):
        load_catalogue(Settings(), root)


def test_a_missing_folder_is_an_explained_error(tmp_path):
    with pytest.raises(CatalogueError, match=r"defaults\.toml"):
        load_catalogue(Settings(), tmp_path)
