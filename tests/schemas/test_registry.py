"""Schemas at start, without a registry (on any broker and on Kafka) and with a real one."""

import json
import time
from collections.abc import Iterator

import pytest

from app.schemas.contract import canonical_text
from app.schemas.registry import prepare_schemas, schema_lookup, survey
from app.schemas.registry_client import COMPATIBILITY, RegistryClient
from app.schemas.registry_errors import (
    IncompatibleSchema,
    RegistryUnavailable,
    SchemaIdConflict,
    SchemaModeConflict,
    SchemasTopicMissing,
    UnknownSchema,
)
from app.schemas.schema_topic import SchemaMode, SchemaTopic
from app.settings import Settings
from app.topics import TopicAdmin, apply, load_catalogue
from tests.support.contracts import CONTRACT, EVENT, NEW_FIELD, body_fields, changed, with_new_field
from tests.support.records import end_offsets, read_all

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(
    params=[
        "local",
        pytest.param("local on kafka", marks=pytest.mark.kafka),
        pytest.param("registry", marks=pytest.mark.registry),
    ]
)
def kept(request, settings) -> Settings:
    """Settings of a deployment that is set up, in each way of keeping schemas."""
    apply(load_catalogue(settings), TopicAdmin(settings))
    if request.param != "registry":
        return settings
    url = request.getfixturevalue("registry").url
    return settings.model_copy(update={"schema_registry_url": url})


@pytest.fixture
def local(settings) -> Settings:
    apply(load_catalogue(settings), TopicAdmin(settings))
    return settings


@pytest.fixture
def registered(local, registry) -> Settings:
    return local.model_copy(update={"schema_registry_url": registry.url})


@pytest.fixture
def client(registered) -> Iterator[RegistryClient]:
    with RegistryClient(registered) as opened:
        yield opened


def subject_of(settings: Settings, event: str = EVENT) -> str:
    return settings.subject(settings.typed_topic(event))


def records(settings: Settings) -> int:
    return sum(end_offsets(settings.broker, [settings.schemas_topic]).values())


# In either way.


def test_every_event_gets_an_id_by_which_its_schema_is_found(kept):
    ids = prepare_schemas(kept, CONTRACT)
    assert set(ids.by_name) == set(CONTRACT.topics)
    look_up = schema_lookup(kept, CONTRACT)
    for name, event in CONTRACT.topics.items():
        schema_id = ids.by_name[name]
        assert json.loads(ids.catalogue.by_id(schema_id)) == event.schema
        assert json.loads(look_up(schema_id)) == event.schema
        assert list(ids.catalogue.versions(subject_of(kept, name))) == [1]
        assert ids.catalogue.version(subject_of(kept, name), 1).schema_id == schema_id
    assert len(ids.catalogue.subjects()) == 14


def test_the_mode_is_marked(kept):
    ids = prepare_schemas(kept, CONTRACT)
    assert ids.mode is (SchemaMode.REGISTRY if kept.schema_registry_url else SchemaMode.LOCAL)
    assert SchemaTopic(kept).read().mode is ids.mode


def test_the_second_start_writes_nothing(kept):
    first = prepare_schemas(kept, CONTRACT)
    written = records(kept)
    second = prepare_schemas(kept, CONTRACT)
    assert second.by_name == first.by_name
    assert second.catalogue.schemas() == first.catalogue.schemas()
    assert records(kept) == written


def test_a_later_release_adds_a_version_that_older_workers_serve_too(kept):
    older = prepare_schemas(kept, CONTRACT)
    newer = prepare_schemas(kept, with_new_field())
    assert newer.by_name[EVENT] != older.by_name[EVENT]
    assert {name: newer.by_name[name] for name in newer.by_name if name != EVENT} == {
        name: older.by_name[name] for name in older.by_name if name != EVENT
    }
    assert list(newer.catalogue.versions(subject_of(kept))) == [1, 2]
    assert "zeal" in older.catalogue.by_id(newer.by_name[EVENT])
    assert list(older.catalogue.versions(subject_of(kept))) == [1, 2]
    assert "zeal" in schema_lookup(kept, CONTRACT)(newer.by_name[EVENT])


def test_going_back_to_an_older_release_uses_its_own_version_again(kept):
    older = prepare_schemas(kept, CONTRACT)
    prepare_schemas(kept, with_new_field())
    written = records(kept)
    assert prepare_schemas(kept, CONTRACT).by_name == older.by_name
    assert records(kept) == written


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda schema: body_fields(schema).append({"name": "must", "type": "long"}),
            ["body.must", "default"],
        ),
        (lambda schema: body_fields(schema)[0].update(type="long"), ["body.id", "type"]),
    ],
)
def test_a_schema_that_does_not_fit_is_refused_by_subject_field_and_rule(kept, change, said):
    prepare_schemas(kept, CONTRACT)
    written = records(kept)
    with pytest.raises(IncompatibleSchema) as refused:
        prepare_schemas(kept, changed(change))
    for words in [subject_of(kept), *said]:
        assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert {problem.subject for problem in refused.value.problems} == {subject_of(kept)}
    assert records(kept) == written


def test_every_kept_version_counts_not_only_the_last(kept):
    prepare_schemas(kept, CONTRACT)
    prepare_schemas(kept, with_new_field())
    text = {**NEW_FIELD, "type": ["null", "string"]}
    with pytest.raises(IncompatibleSchema, match=r"version 2.*zeal"):
        prepare_schemas(kept, changed(lambda schema: body_fields(schema).insert(0, text)))


def test_a_survey_changes_nothing(kept):
    mode, before = survey(kept, CONTRACT)
    assert mode is (SchemaMode.REGISTRY if kept.schema_registry_url else SchemaMode.LOCAL)
    assert {state.schema.name for state in before} == set(CONTRACT.topics)
    assert not any(state.found or state.versions or state.problems for state in before)
    assert records(kept) == 0
    prepare_schemas(kept, CONTRACT)
    written = records(kept)
    _, after = survey(kept, with_new_field())
    assert [state.schema.name for state in after if state.found is None] == [EVENT]
    assert all(len(state.versions) == 1 and not state.problems for state in after)
    assert records(kept) == written


def test_an_unknown_id_is_an_unknown_schema(kept):
    ids = prepare_schemas(kept, CONTRACT)
    with pytest.raises(UnknownSchema):
        ids.catalogue.by_id(2**31 - 1)
    with pytest.raises(UnknownSchema, match="2147483647"):
        schema_lookup(kept, CONTRACT)(2**31 - 1)


def test_without_topics_the_way_out_is_told(settings):
    with pytest.raises(SchemasTopicMissing) as missing:
        prepare_schemas(settings, CONTRACT)
    assert "mastery topics apply" in missing.value.hint


# Without a registry.


def test_local_ids_are_those_of_the_contract_and_their_schemas_lie_in_the_topic(local):
    ids = prepare_schemas(local, CONTRACT)
    assert dict(ids.by_name) == {name: event.local_id for name, event in CONTRACT.topics.items()}
    by_key = {record.key.decode(): record for record in read_all(local.broker, local.schemas_topic)}
    assert set(by_key) == {
        *(f"{subject_of(local, name)}/{event.local_id}" for name, event in CONTRACT.topics.items()),
        "mode/local",
    }


def test_changed_words_of_explanation_are_no_new_schema(local):
    ids = prepare_schemas(local, CONTRACT)
    written = records(local)
    explained = changed(lambda schema: schema.update(doc="Other words."))
    assert prepare_schemas(local, explained).by_name == ids.by_name
    assert records(local) == written


def test_two_schemas_with_one_local_id_are_refused_before_anything_is_written(local):
    (other,) = (event for event in CONTRACT.events.values() if event.name == "learning_outcome_created")
    clash = changed(lambda schema: body_fields(schema).insert(0, NEW_FIELD), local_id=other.local_id)
    with pytest.raises(SchemaIdConflict, match=str(other.local_id)):
        prepare_schemas(local, clash)
    assert records(local) == 0


def test_a_local_id_that_an_older_release_used_for_another_schema_is_refused(local):
    newer = with_new_field()
    prepare_schemas(local, newer)
    used = newer.events[EVENT].local_id
    clash = changed(lambda schema: schema.update({"mastery.note": "differs"}), local_id=used)
    assert canonical_text(clash.events[EVENT].schema) != canonical_text(newer.events[EVENT].schema)
    with pytest.raises(SchemaIdConflict, match=str(used)):
        prepare_schemas(local, clash)


def test_two_releases_that_start_at_once_and_take_one_version_number_are_told_apart(local):
    prepare_schemas(local, CONTRACT)
    topic, known = SchemaTopic(local), SchemaTopic(local).read().schemas
    (first,) = (schema for schema in known if schema.subject == subject_of(local))
    twin = with_new_field().events[EVENT]
    topic.write_schemas([type(first)(first.subject, first.version, twin.local_id, twin.text)])
    catalogue = prepare_schemas(local, CONTRACT).catalogue
    assert list(catalogue.versions(subject_of(local))) == [1, 2]
    assert catalogue.version(subject_of(local), 1).schema_id == first.schema_id
    assert catalogue.version(subject_of(local), 2).schema_id == twin.local_id


def test_reading_the_contracts_own_schemas_needs_no_broker(tmp_path):
    nowhere = Settings(broker="127.0.0.1:1", state_dir=tmp_path)
    event = CONTRACT.events[EVENT]
    assert schema_lookup(nowhere)(event.local_id) == event.text


# With a registry.


@pytest.mark.registry
def test_the_registry_guards_the_subjects_from_then_on(registered, local, client):
    ids = prepare_schemas(registered, CONTRACT)
    for name, schema_id in ids.by_name.items():
        assert client.compatibility(subject_of(local, name)) == COMPATIBILITY
        assert [version.schema_id for version in client.versions(subject_of(local, name))] == [schema_id]
    wrong = changed(lambda schema: body_fields(schema)[0].update(type="long")).events[EVENT].text
    assert not client.accepts(subject_of(local), wrong)
    with pytest.raises(IncompatibleSchema, match=r"body|fields"):
        client.register(subject_of(local), wrong)


@pytest.mark.registry
def test_a_subject_that_somebody_filled_with_something_else_is_refused_and_nothing_is_registered(
    registered, local, client
):
    client.register(
        subject_of(local),
        changed(lambda schema: body_fields(schema)[0].update(type="long")).events[EVENT].text,
    )
    with pytest.raises(IncompatibleSchema) as refused:
        prepare_schemas(registered, CONTRACT)
    assert subject_of(local) in str(refused.value)
    assert "body.id" in str(refused.value)
    assert not client.versions(subject_of(local, "learning_outcome_created"))
    assert client.compatibility(subject_of(local)) != COMPATIBILITY
    assert records(local) == 0


@pytest.mark.registry
def test_a_registry_that_goes_away_is_not_needed_to_go_on(registered, registry):
    ids = prepare_schemas(registered, CONTRACT)
    look_up = schema_lookup(registered)
    schema_id = ids.by_name[EVENT]
    assert look_up(schema_id) == CONTRACT.events[EVENT].text
    registry.stop()
    assert ids.catalogue.by_id(schema_id) == CONTRACT.events[EVENT].text
    assert look_up(schema_id) == CONTRACT.events[EVENT].text
    with pytest.raises(RegistryUnavailable):
        ids.catalogue.by_id(2**31 - 1)
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable) as down:
        prepare_schemas(registered, CONTRACT)
    assert time.monotonic() - began < 8
    assert registry.url in str(down.value)


def test_a_registry_that_is_down_leaves_no_mark(local):
    with pytest.raises(RegistryUnavailable):
        prepare_schemas(local.model_copy(update={"schema_registry_url": "http://127.0.0.1:1"}), CONTRACT)
    assert prepare_schemas(local, CONTRACT).mode is SchemaMode.LOCAL


@pytest.mark.registry
def test_topics_with_a_registrys_ids_take_no_local_ones_and_the_other_way_round(registered, local):
    prepare_schemas(registered, CONTRACT)
    with pytest.raises(SchemaModeConflict, match="ids of a schema registry") as conflict:
        prepare_schemas(local, CONTRACT)
    assert "MASTERY_SCHEMA_REGISTRY_URL" in conflict.value.hint
    with pytest.raises(SchemaModeConflict):
        survey(local, CONTRACT)


@pytest.mark.registry
def test_topics_with_local_ids_take_no_registrys(registered, local, client):
    prepare_schemas(local, CONTRACT)
    with pytest.raises(SchemaModeConflict, match="local schema ids"):
        prepare_schemas(registered, CONTRACT)
    assert not client.versions(subject_of(local))
