"""A real worker with the data of a school, and a browser to look at it with."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import chromium
from tests.browser.running import RunningSite, running_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """One worker with more than 10,000 rows, for all tests: none takes anything of it away."""
    with running_site(
        tmp_path_factory.mktemp("site"), events=40_000, students=900, MASTERY_WEB_RATE_LIMIT="0"
    ) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; pages of their own profiles by `watched`."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def richest(site: RunningSite) -> dict[str, Any]:
    """The row of a course that has the most results."""
    rows = [row for row in site.rows() if row["course_id"] is not None and row["score"] is not None]
    found: dict[str, Any] = max(rows, key=lambda one: (one["results_count"], one["user_uuid"]))
    return found


@pytest.fixture(scope="session")
def addresses(site: RunningSite, richest: dict[str, Any]) -> list[str]:
    """A page of each kind."""
    account = {"account": richest["root_account_uuid"]}
    letter = site.get("/api/dead-letters")["letters"][0]
    return [
        "/",
        "/mastery",
        "/mastery?sort=-score&mastered=false",
        site.address("/users", richest["user_uuid"], **account),
        "/outcomes",
        site.address("/outcomes", richest["learning_outcome_id"], **account),
        "/courses",
        site.address("/courses", richest["course_id"], **account),
        "/dead-letters",
        f"/dead-letters/{letter['partition']}/{letter['offset']}",
        "/topics",
        "/topics/canvas.outcome_mastery",
        "/status",
        "/api/docs",
    ]
