"""The documentation examples are all there, and each is an event of the contract."""

import json
from collections import Counter

import fastavro
import pytest

from app.embedded.samples import Sample, sample_events
from app.schemas.contract import load_contract

CONTRACT = load_contract()
SAMPLES = sample_events()

NUMBER_OF_EXAMPLES = {
    "canvas-docs-learning": 10,
    "canvas-docs-outcomes": 1,
    "canvas-docs-rubric": 1,
    "developer-docs-outcomes": 1,
    "older-docs-learning": 10,
}


def test_every_document_gave_all_its_examples() -> None:
    documents = Counter(sample.name.removesuffix("-" + sample.event_name) for sample in SAMPLES)
    assert documents == NUMBER_OF_EXAMPLES


def test_every_event_of_the_contract_has_an_example() -> None:
    assert {sample.event_name for sample in SAMPLES} == set(CONTRACT.events)


def test_names_are_distinct_and_ordered() -> None:
    names = [sample.name for sample in SAMPLES]
    assert names == sorted(set(names))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_an_example_uses_only_what_the_contract_names(sample: Sample) -> None:
    event = json.loads(sample.raw)
    assert set(event) == {"metadata", "body"}
    schema = json.loads(CONTRACT.events[sample.event_name].text)
    fields = {field["name"]: field["type"] for field in schema["fields"]}
    _check(event["metadata"], fields["metadata"], "metadata")
    _check(event["body"], fields["body"], "body")


def _check(value: object, schema: object, path: str) -> None:
    if isinstance(schema, list):
        if value is None:
            return
        (schema,) = (branch for branch in schema if branch != "null")
    if isinstance(schema, dict) and schema["type"] == "record":
        assert isinstance(value, dict), path
        fields = {field["name"]: field for field in schema["fields"]}
        assert not set(value) - set(fields), path
        for name, field in fields.items():
            if name in value:
                _check(value[name], field["type"], f"{path}.{name}")
            else:
                assert "default" in field, f"{path}.{name}"
    elif isinstance(schema, dict) and schema["type"] == "array":
        assert isinstance(value, list), path
        for item in value:
            _check(item, schema["items"], f"{path}[]")
    elif isinstance(schema, dict):
        assert schema["logicalType"] == "timestamp-millis", path
        assert isinstance(value, str), path
    else:
        assert fastavro.validate(value, schema, raise_errors=False), path
