"""The contract against what is released, and the keeping of the released files."""

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from app.schemas.compatibility import Rule
from app.schemas.contract import Contract, ContractError, load_contract, local_schema_id
from app.schemas.released import check_released, load_released, release, unreleased

CONTRACT = load_contract()
EVENT = "rubric_assessed"

HOW_TO_RELEASE = (
    "these events differ from their newest released version; if that is meant, write the next versions with "
    "`python -m app.schemas.released`, and commit the new files under avro/released/"
)


def with_schema(change: Callable[[dict[str, Any]], None]) -> Contract:
    """The contract with the schema of one event changed."""
    schema = copy.deepcopy(CONTRACT.events[EVENT].schema)
    change(schema)
    event = dataclasses.replace(
        CONTRACT.events[EVENT], schema=schema, text=json.dumps(schema), local_id=local_schema_id(schema)
    )
    return Contract(MappingProxyType(dict(CONTRACT.events) | {EVENT: event}), CONTRACT.derived)


def body(schema: dict[str, Any]) -> list[Any]:
    fields: list[Any] = schema["fields"][2]["type"]["fields"]
    return fields


def add_nullable(schema: dict[str, Any]) -> None:
    body(schema).append({"name": "hidden", "type": ["null", "boolean"], "default": None})


def remove_required(schema: dict[str, Any]) -> None:
    del body(schema)[0]


def document(schema: dict[str, Any]) -> None:
    schema["doc"] = body(schema)[0]["doc"] = "Said better."


def change_key(schema: dict[str, Any]) -> None:
    schema["mastery.key"] = ["{event_id}"]


# --- the project's own files


def test_no_released_version_is_broken() -> None:
    assert [str(one) for one in check_released(CONTRACT)] == []


def test_everything_is_released() -> None:
    assert unreleased(CONTRACT) == [], HOW_TO_RELEASE


# --- the keeping


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A root in which the present contract is released once."""
    assert len(release(CONTRACT, tmp_path)) == len(CONTRACT.topics)
    return tmp_path


def test_nothing_released_yet(tmp_path: Path) -> None:
    assert load_released(tmp_path) == {}
    assert check_released(CONTRACT, tmp_path) == []
    assert unreleased(CONTRACT, tmp_path) == list(CONTRACT.topics)


def test_released_once(released: Path) -> None:
    assert load_released(released) == {name: {1: one.schema} for name, one in CONTRACT.topics.items()}
    assert check_released(CONTRACT, released) == []
    assert unreleased(CONTRACT, released) == []
    assert release(CONTRACT, released) == []


def test_a_growing_event_gets_a_next_version(released: Path) -> None:
    grown = with_schema(add_nullable)
    assert check_released(grown, released) == []
    assert unreleased(grown, released) == [EVENT]
    assert release(grown, released) == [released / "avro" / "released" / EVENT / "2.avsc"]
    assert list(load_released(released)[EVENT].values()) == [
        CONTRACT.events[EVENT].schema,
        grown.events[EVENT].schema,
    ]
    assert unreleased(grown, released) == []
    # Back to the first version: compatible, but not the newest.
    assert unreleased(CONTRACT, released) == [EVENT]


def test_a_new_wording_needs_no_release(released: Path) -> None:
    assert unreleased(with_schema(document), released) == []


@pytest.mark.parametrize(
    ("change", "rule", "path"),
    [(remove_required, Rule.MISSING_FIELD, "body.id"), (change_key, Rule.RECORD_KEY, "")],
)
def test_a_breaking_change_is_told_and_not_released(
    released: Path, change: Callable[[dict[str, Any]], None], rule: Rule, path: str
) -> None:
    broken = with_schema(change)
    (found,) = check_released(broken, released)
    assert (found.subject, found.rule, found.path) == (EVENT, rule, path)
    with pytest.raises(ContractError, match=EVENT):
        release(broken, released)
    assert len(load_released(released)[EVENT]) == 1


def test_a_released_event_must_stay(released: Path) -> None:
    events = {name: one for name, one in CONTRACT.events.items() if name != EVENT}
    fewer = Contract(MappingProxyType(events), CONTRACT.derived)
    (found,) = check_released(fewer, released)
    assert (found.subject, found.rule) == (EVENT, Rule.EVENT_REMOVED)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"2.avsc": "{}"}, "without gaps"),
        ({"1.avsc": "{}", "3.avsc": "{}"}, "without gaps"),
        ({"1.avsc": "{"}, "1.avsc: not readable"),
        ({"README.md": ""}, "without any"),
    ],
)
def test_misplaced_files_are_told(tmp_path: Path, files: dict[str, str], message: str) -> None:
    folder = tmp_path / "avro" / "released" / EVENT
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(ContractError, match=message):
        load_released(tmp_path)
