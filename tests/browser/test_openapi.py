"""Whatever is asked of a real worker's API, it answers as its OpenAPI document says."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.openapi import from_url
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.browser.running import RunningSite

pytestmark = pytest.mark.browser


def test_answers_are_as_the_document_says(site: RunningSite, richest: dict[str, Any]) -> None:
    letter = site.get("/api/dead-letters")["letters"][0]
    real = {
        "/api/users/{uuid}": {"uuid": richest["user_uuid"]},
        "/api/outcomes/{id}": {"id": richest["learning_outcome_id"]},
        "/api/courses/{id}": {"id": richest["course_id"]},
        "/api/topics/{name}": {"name": "canvas.outcome_mastery"},
        "/api/dead-letters/{partition}/{offset}": {
            "partition": letter["partition"],
            "offset": letter["offset"],
        },
    }
    statuses: Counter[tuple[str, int]] = Counter()

    def ask(case: Any, of_real: bool) -> None:
        # Names of its own making name nothing that is there.
        if of_real and case.path in real:
            case.path_parameters = real[case.path]
            if "id" in case.path_parameters:
                # Several root accounts may have it.
                case.query = {**(case.query or {}), "account": richest["root_account_uuid"]}
        # What it makes up may be no cursor, and no id.
        answer = case.call_and_validate(excluded_checks=[positive_data_acceptance], timeout=20)
        statuses[case.path, answer.status_code] += 1

    # The events have no end.
    document = from_url(f"{site.url}/openapi.json").exclude(path="/api/events")
    operations = [one.ok() for one in document.get_all_operations()]
    for operation in operations:
        quick = settings(
            max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        quick(given(case=operation.as_strategy(), of_real=st.booleans())(ask))()
    assert {path for path, status in statuses if status == 200} == {one.path for one in operations}
    assert not [one for one in statuses if one[1] >= 500]
