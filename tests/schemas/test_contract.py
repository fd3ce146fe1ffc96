"""The shipped contract keeps its own rules, and the loader refuses one that does not."""

import copy
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schemas.contract import (
    NAMESPACE,
    Contract,
    ContractError,
    contract_root,
    load_contract,
    local_schema_id,
)

CONTRACT = load_contract()
EVENTS = list(CONTRACT.events.values())

EVENT_NAMES = [
    "learning_outcome_created",
    "learning_outcome_group_created",
    "learning_outcome_group_updated",
    "learning_outcome_link_created",
    "learning_outcome_link_updated",
    "learning_outcome_result_created",
    "learning_outcome_result_updated",
    "learning_outcome_updated",
    "outcome_proficiency_created",
    "outcome_proficiency_updated",
    "outcomes.retry_outcome_alignment_clone",
    "rubric_assessed",
]

# What every generation of an event sets, so what a consumer may rely on.
REQUIRED = {
    "learning_outcome": {
        "learning_outcome_id",
        "title",
        "short_description",
        "workflow_state",
        "rubric_criterion",
    },
    "learning_outcome_group": {"learning_outcome_group_id", "title", "workflow_state"},
    "learning_outcome_link": {"learning_outcome_link_id", "learning_outcome_id", "workflow_state"},
    "learning_outcome_result": {"learning_outcome_id", "created_at"},
    "outcome_proficiency": {
        "outcome_proficiency_id",
        "context_type",
        "context_id",
        "workflow_state",
        "outcome_proficiency_ratings",
    },
    "rubric_assessed": {"id", "aligned_to_outcomes", "artifact_id", "artifact_type", "assessment_type"},
    "outcomes.retry_outcome_alignment_clone": set(),
}

PERSONAL = {
    "client_ip",
    "extra",
    "real_user_id",
    "referrer",
    "session_id",
    "url",
    "user_agent",
    "user_id",
    "user_login",
    "user_sis_id",
}

each_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)


def fields_of(schema: Any) -> Iterator[dict[str, Any]]:
    """Every field of a self-contained schema, at any depth."""
    if isinstance(schema, list):
        for branch in schema:
            yield from fields_of(branch)
    elif isinstance(schema, dict):
        for field in schema.get("fields", ()):
            yield field
            yield from fields_of(field["type"])
        yield from fields_of(schema.get("items"))


def part(schema: dict[str, Any], name: str) -> dict[str, Any]:
    (field,) = (field for field in schema["fields"] if field["name"] == name)
    assert isinstance(field["type"], dict)
    return field["type"]


def required(record: dict[str, Any]) -> set[str]:
    return {field["name"] for field in record["fields"] if "default" not in field}


def test_the_twelve_events_in_order() -> None:
    assert list(CONTRACT.events) == EVENT_NAMES


def test_local_ids_are_distinct() -> None:
    assert len({event.local_id for event in EVENTS}) == len(EVENTS)


@each_event
def test_text_is_the_schema_and_stands_alone(event: Any) -> None:
    assert json.loads(event.text) == event.schema
    fastavro.parse_schema(json.loads(event.text))
    assert event.schema["name"] == event.record_name
    assert event.schema["namespace"] == NAMESPACE
    assert event.schema["mastery.event"] == event.name
    assert event.local_id == local_schema_id(event.schema)
    assert 0 <= event.local_id < 2**31


@each_event
def test_a_record_is_event_id_metadata_and_body(event: Any) -> None:
    assert [field["name"] for field in event.schema["fields"]] == ["event_id", "metadata", "body"]
    metadata, body = part(event.schema, "metadata"), part(event.schema, "body")
    assert (metadata["name"], body["name"]) == ("EventMetadata", event.record_name + "Body")
    for record in (metadata, body):
        last = record["fields"][-1]
        assert (last["name"], last["type"], last["default"]) == ("extra", ["null", "string"], None)


@each_event
def test_only_what_every_generation_has_is_required(event: Any) -> None:
    base, _, suffix = event.name.rpartition("_")
    changed = suffix == "updated"
    expected = REQUIRED[base if suffix in ("created", "updated") else event.name]
    assert required(part(event.schema, "body")) == expected | ({"updated_at"} if changed else set())
    assert required(part(event.schema, "metadata")) == {"event_name", "event_time"}


@each_event
def test_everything_is_documented(event: Any) -> None:
    for field in fields_of(event.schema):
        assert field["doc"].endswith("."), field["name"]
        if isinstance(field["type"], dict) and field["type"]["type"] == "record":
            assert field["type"]["doc"].endswith("."), field["name"]


@each_event
def test_personal_data_is_marked(event: Any) -> None:
    marked = {field["name"] for field in part(event.schema, "metadata")["fields"] if "mastery.pii" in field}
    assert marked == PERSONAL
    in_body = {field["name"] for field in fields_of(part(event.schema, "body")) if "mastery.pii" in field}
    assert in_body == ({"title"} if event.name.startswith("learning_outcome_result_") else set())
    # Dropping is writing null.
    assert all("default" in field for field in fields_of(event.schema) if "mastery.pii" in field)


def test_metadata_is_the_same_in_every_event() -> None:
    assert len({json.dumps(part(event.schema, "metadata")) for event in EVENTS}) == 1


@pytest.mark.parametrize("base", [name for name in REQUIRED if f"{name}_updated" in CONTRACT.events])
def test_updated_is_created_and_when(base: str) -> None:
    created, updated = (
        {field["name"]: field for field in part(CONTRACT.events[f"{base}_{what}"].schema, "body")["fields"]}
        for what in ("created", "updated")
    )
    assert updated.pop("updated_at")["type"] == {"type": "long", "logicalType": "timestamp-millis"}
    assert updated == created


@each_event
def test_key_templates_name_fields_that_exist(event: Any) -> None:
    known = {"event_id"} | {
        f"{name}.{field['name']}"
        for name in ("metadata", "body")
        for field in part(event.schema, name)["fields"]
    }
    templates = event.schema["mastery.key"]
    assert templates
    for template in templates:
        names = [piece.partition("}")[0] for piece in template.split("{")[1:]]
        assert names[0] == "metadata.root_account_uuid"
        assert set(names) <= known


# --- local ids


def test_local_id_of_a_known_schema() -> None:
    """Fixed for all time: it frames records that are already written."""
    schema = {
        "type": "record",
        "name": "A",
        "doc": "x",
        "fields": [{"name": "doc", "type": "long", "doc": "y"}],
    }
    text = '{"fields":[{"name":"doc","type":"long"}],"name":"A","type":"record"}'
    assert (
        local_schema_id(schema) == int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 2**31 == 597152292
    )


@given(st.sampled_from(EVENTS), st.data())
def test_docs_and_key_order_do_not_change_the_local_id(event: Any, data: st.DataObject) -> None:
    schema = copy.deepcopy(event.schema)
    field = data.draw(st.sampled_from(list(fields_of(schema))))
    field["doc"] = data.draw(st.text())
    for key in data.draw(st.permutations(list(field))):
        field[key] = field.pop(key)
    assert local_schema_id(schema) == event.local_id


@pytest.mark.parametrize(
    "change",
    [
        {"type": "string"},
        {"type": {"type": "long"}},
        {"default": 0},
        {"mastery.pii": True},
        {"name": "other"},
        {"aliases": ["x"]},
    ],
)
def test_anything_else_changes_the_local_id(change: dict[str, Any]) -> None:
    time = {"type": "long", "logicalType": "timestamp-millis"}
    field = {"name": "at", "type": time}
    one, other = ({"type": "record", "name": "A", "fields": [f]} for f in (field, field | change))
    assert local_schema_id(one) != local_schema_id(other)


def test_a_default_is_not_searched_for_docs() -> None:
    one, other = (
        {"type": "record", "name": "A", "fields": [{"name": "a", "type": "X", "default": {"doc": value}}]}
        for value in ("x", "y")
    )
    assert local_schema_id(one) != local_schema_id(other)


# --- loading


def write_contract(root: Path, **files: Any) -> Contract:
    (root / "avro").mkdir()
    for name, record in files.items():
        text = record if isinstance(record, str) else json.dumps(record)
        (root / "avro" / f"{name}.avsc").write_text(text)
    return load_contract(root)


def record(name: str, *fields: Any, **attributes: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": NAMESPACE, **attributes, "fields": list(fields)}


def event(name: str, *fields: Any) -> dict[str, Any]:
    return record(name, *fields, **{"mastery.event": "it_happened"})


def test_a_shared_record_is_inlined_once_and_then_named(tmp_path: Path) -> None:
    shared = record("Part", {"name": "x", "type": "string"})
    contract = write_contract(
        tmp_path,
        part=shared,
        it_happened=event(
            "ItHappened",
            {"name": "a", "type": "Part"},
            {"name": "b", "type": {"type": "array", "items": "Part"}},
        ),
    )
    fields = contract.events["it_happened"].schema["fields"]
    assert fields[0]["type"] == shared
    assert fields[1]["type"] == {"type": "array", "items": "Part"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no event schema"),
        ({"part": record("Part")}, "no event schema"),
        ({"it_happened": "{"}, "it_happened.avsc: not readable as JSON"),
        ({"it_happened": "[]"}, "it_happened.avsc: holds no Avro record"),
        ({"it_happened": event("Other")}, "it_happened.avsc: the record must be named ItHappened"),
        ({"other": event("Other")}, "must be named it_happened.avsc"),
        ({"part": record("Part") | {"namespace": "x"}}, "part.avsc: the namespace must be"),
        (
            {"it_happened": event("ItHappened", {"name": "a", "type": "Part"})},
            "it_happened.avsc: refers to Part",
        ),
        (
            {"part": record("Part"), "other": record("Other", {"name": "a", "type": record("Part")})},
            "the name Part is taken by other.avsc",
        ),
        (
            {
                "it_happened": event(
                    "ItHappened", {"name": "a", "type": "long"}, {"name": "a", "type": "long"}
                )
            },
            "ItHappened has two fields of one name",
        ),
        ({"it_happened": event("ItHappened", {"name": "a b", "type": "long"})}, "not a field name"),
        ({"part": record("Part", "a")}, "default null"),
        ({"part": record("Part", {"name": "a", "type": "int"})}, "part.avsc: a: a type"),
        (
            {"part": record("Part", {"name": "a", "type": {"type": "map", "values": "long"}})},
            "part.avsc: a: a type",
        ),
        ({"part": record("Part", {"name": "a", "type": ["null", "string"]})}, "default null"),
        (
            {"part": record("Part", {"name": "a", "type": ["string", "null"], "default": None})},
            "default null",
        ),
        ({"part": record("Part", {"name": "a", "type": "string", "default": ""})}, "have no default"),
    ],
)
def test_a_contract_that_breaks_its_rules_is_refused(
    tmp_path: Path, files: dict[str, Any], message: str
) -> None:
    with pytest.raises(ContractError) as refused:
        write_contract(tmp_path, **files)
    assert message in str(refused.value)


def test_the_contract_lies_beside_the_package() -> None:
    assert (contract_root() / "avro" / "event_metadata.avsc").is_file()
