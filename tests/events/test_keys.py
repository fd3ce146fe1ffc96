"""Record keys, as the contract describes them."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from app.events.keys import key_function
from app.schemas.contract import ContractError, TopicSchema
from tests.support.events import CONTRACT

CREATED_AND_UPDATED = [
    ("learning_outcome", "learning_outcome_id"),
    ("learning_outcome_group", "learning_outcome_group_id"),
    ("learning_outcome_link", "learning_outcome_link_id"),
    ("outcome_proficiency", "outcome_proficiency_id"),
]
BY_ID = [
    ("rubric_assessed", "id"),
    *[
        (f"{name}_{change}", field)
        for name, field in CREATED_AND_UPDATED
        for change in ("created", "updated")
    ],
]
RESULTS = ["learning_outcome_result_created", "learning_outcome_result_updated"]
CLONE = "outcomes.retry_outcome_alignment_clone"


def record(account: str | None = "acc", **body: Any) -> Any:
    return SimpleNamespace(
        event_id="e1", metadata=SimpleNamespace(root_account_uuid=account), body=SimpleNamespace(**body)
    )


def key(event_name: str, made: Any) -> bytes:
    return key_function(CONTRACT.events[event_name])(made)


@pytest.mark.parametrize(("event_name", "field"), BY_ID)
def test_most_events_go_by_their_id(event_name: str, field: str) -> None:
    assert key(event_name, record(**{field: "12"})) == b"acc:12"


@pytest.mark.parametrize("event_name", RESULTS)
def test_results_go_by_the_student(event_name: str) -> None:
    assert key(event_name, record(user_uuid="user", learning_outcome_id="7")) == b"acc:user"


@pytest.mark.parametrize("event_name", RESULTS)
@pytest.mark.parametrize("nobody", [None, ""])
def test_results_without_a_student_go_by_the_outcome(event_name: str, nobody: str | None) -> None:
    assert key(event_name, record(user_uuid=nobody, learning_outcome_id="7")) == b"acc::7"


def test_clones_go_by_the_new_assignment_or_else_alone() -> None:
    assert key(CLONE, record(new_assignment_resource_link_id="link")) == b"acc:link"
    assert key(CLONE, record(new_assignment_resource_link_id=None)) == b"acc:e1"


@pytest.mark.parametrize("nowhere", [None, ""])
def test_an_account_that_is_not_named_is_a_dash(nowhere: str | None) -> None:
    assert key("rubric_assessed", record(nowhere, id="12")) == b"-:12"


def test_keys_are_utf_8() -> None:
    assert key("rubric_assessed", record("é", id="12")) == "é:12".encode()


def test_an_empty_id_is_an_id() -> None:
    assert key("rubric_assessed", record(id="")) == b"acc:"


def with_templates(*templates: str) -> TopicSchema:
    event = CONTRACT.events["rubric_assessed"]
    return dataclasses.replace(event, schema=event.schema | {"mastery.key": list(templates)})


@pytest.mark.parametrize(
    ("templates", "why"),
    [
        ([], "never null"),
        (["{body.id}"], "not supported"),
        (["{metadata.root_account_uuid}:{body.nothing}"], "names a field nothing"),
        (["{metadata.root_account_uuid}:{body.context_uuid}"], "never null"),
    ],
)
def test_a_contract_without_good_templates_is_an_error(templates: list[str], why: str) -> None:
    with pytest.raises(ContractError, match=why):
        key_function(with_templates(*templates))
