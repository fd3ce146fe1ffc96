"""The structs take events of the newest form, and nothing else."""

import json
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.embedded.samples import sample_events
from app.schemas.models import LONG_MAX, LONG_MIN
from app.schemas.shape import Record
from tests.support.events import CONTRACT, EVENT_NAMES, MODELS, SHAPES, wire_events

RESULT = "learning_outcome_result_created"
SAMPLES = {
    sample.event_name: json.loads(sample.raw) for sample in sample_events() if "older" not in sample.name
}


def decode(event: Any, event_name: str = RESULT) -> Any:
    return msgspec.json.decode(json.dumps(event), type=MODELS[event_name])


def changed(part: str, **fields: Any) -> dict[str, Any]:
    event = json.loads(json.dumps(SAMPLES[RESULT]))
    event[part] |= fields
    return event


@pytest.mark.parametrize("event_name", EVENT_NAMES)
def test_an_example_of_each_event_is_taken(event_name: str) -> None:
    event = SAMPLES[event_name]
    record = decode(event, event_name)
    for part in ("metadata", "body"):
        for name, value in event[part].items():
            found = getattr(getattr(record, part), name)
            if isinstance(found, datetime):
                assert found == datetime.fromisoformat(value)
            elif not isinstance(value, dict | list):
                assert found == value


@pytest.mark.parametrize("event_name", EVENT_NAMES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_event_of_that_form_is_taken(event_name: str, data: st.DataObject) -> None:
    record = decode(data.draw(wire_events(event_name)), event_name)
    assert record.event_id is record.metadata.extra is record.body.extra is None


@pytest.mark.parametrize("event_name", EVENT_NAMES)
def test_attributes_are_the_fields_of_the_schema(event_name: str) -> None:
    def compare(model: Any, shape: Record) -> None:
        assert list(model.__struct_fields__) == [field.name for field in shape.fields]

    model = MODELS[event_name]
    assert model.__name__ == CONTRACT.events[event_name].record_name
    compare(model, SHAPES[event_name])
    for member, field in zip(msgspec.structs.fields(model)[1:], SHAPES[event_name].fields[1:], strict=True):
        assert field.type.record is not None
        compare(member.type, field.type.record)


def test_metadata_is_one_type_for_all_events() -> None:
    assert len({msgspec.structs.fields(model)[1].type for model in MODELS.values()}) == 1


def test_what_is_missing_is_none_and_what_is_needed_is_missed() -> None:
    record = decode(SAMPLES[RESULT])
    assert record.body.workflow_state is None
    event = changed("body")
    del event["body"]["created_at"]
    with pytest.raises(msgspec.ValidationError, match="created_at"):
        decode(event)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("body", {"unheard_of": 1}),
    ("metadata", {"unheard_of": None}),
    ("metadata", {"job_tag": ""}),
    ("metadata", {"event_time": "2024-05-01T10:00:00"}),
    ("metadata", {"event_time": 1714557600}),
    ("metadata", {"job_id": 5}),
    ("body", {"id": 5}),
    ("body", {"attempt": 1.5}),
    ("body", {"attempt": True}),
    ("body", {"attempt": "1"}),
    ("body", {"attempt": LONG_MAX + 1}),
    ("body", {"attempt": LONG_MIN - 1}),
    ("body", {"score": "5"}),
    ("body", {"mastery": 1}),
    ("body", {"created_at": None}),
    ("body", {"created_at": "yesterday"}),
]


@pytest.mark.parametrize(("part", "fields"), REFUSED, ids=str)
def test_other_forms_are_refused(part: str, fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(changed(part, **fields))


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("body", {"attempt": LONG_MAX}),
        ("body", {"attempt": LONG_MIN}),
        ("body", {"title": ""}),
        ("body", {"score": 5}),
        ("body", {"score": None}),
    ],
    ids=str,
)
def test_these_are_taken(part: str, fields: dict[str, Any]) -> None:
    record = decode(changed(part, **fields))
    assert {name: getattr(getattr(record, part), name) for name in fields} == fields


json_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values |= (
    st.text(max_size=3) | st.lists(st.none(), max_size=1) | st.dictionaries(st.text(), st.none(), max_size=1)
)


@given(json_values, st.sampled_from(["", "metadata", "body"]), st.sampled_from(["", "$", "$$"]))
def test_our_own_fields_can_not_be_set_from_outside(value: Any, part: str, prefix: str) -> None:
    event = changed("body")
    (event[part] if part else event)[prefix + ("extra" if part else "event_id")] = value
    with pytest.raises(msgspec.ValidationError):
        decode(event)


def test_our_own_fields_can_be_set_from_inside() -> None:
    record = decode(SAMPLES[RESULT])
    record.event_id, record.metadata.extra, record.body.extra = "1", "{}", "{}"
    assert (record.event_id, record.metadata.extra, record.body.extra) == ("1", "{}", "{}")
