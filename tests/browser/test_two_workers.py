"""Two workers share the rows: each answers for both, and says so when the other cannot."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from app.web.security.cluster import ClusterIdentity
from app.web.security.viewer import LOCAL
from tests.browser.chromium import watched
from tests.browser.results import result
from tests.browser.running import RunningSite, running_site
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

# A worker is given 2 s; the rest is for a machine that does other things too.
PATIENCE = 4.0


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """Two workers that know where the rows are; a test leaves them so."""
    with running_site(
        tmp_path_factory.mktemp("pair"),
        events=6_000,
        students=200,
        workers=2,
        MASTERY_WEB_RATE_LIMIT="0",
        MASTERY_SESSION_TIMEOUT="12",
    ) as running:
        yield running


def lines(rows: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    names = ("root_account_uuid", "user_uuid", "learning_outcome_id", "course_id", "score", "results_count")
    return Counter(tuple(row[name] for name in names) for row in rows)


def listed(pair: RunningSite) -> tuple[Counter[tuple[Any, ...]], set[str], int]:
    """All lines by one worker's pages, with what the pages say of the workers: their states, and how many."""
    found: list[dict[str, Any]] = []
    told: set[str] = set()
    count, cursor = 0, None
    while True:
        page = pair.get("/api/mastery", limit=500, **({} if cursor is None else {"cursor": cursor}))
        found += page["rows"]
        told |= set(states(page).values())
        count = len(states(page))
        cursor = page["next"]
        if cursor is None:
            return lines(found), told, count


def own_lines(pair: RunningSite, worker: int) -> Counter[tuple[Any, ...]]:
    """The lines that a worker has itself: what it tells the other one."""
    headers = ClusterIdentity(None, open_loopback=True).peer_headers(LOCAL)
    found: list[dict[str, Any]] = []
    query: dict[str, str] = {"limit": "500"}
    while True:
        address = f"{pair.workers[worker].url}/api/mastery"
        page = httpx.get(address, params=query, headers=headers, timeout=20).json()
        found += page["rows"]
        if page["next"] is None:
            return lines(found)
        query["cursor"] = page["next"]


def look_up(pair: RunningSite, user: str, worker: int = 0) -> httpx.Response:
    return httpx.get(f"{pair.workers[worker].url}/api/users/{user}", timeout=20)


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["state"] for one in answer["freshness"]["workers"]}


def test_each_has_a_part_and_tells_all_of_it(pair: RunningSite, browser: Browser) -> None:
    mine, other = own_lines(pair, 0), own_lines(pair, 1)
    assert mine
    assert other
    assert not mine & other
    for worker in (0, 1):
        for sort in ("student", "-score", "assessed"):
            assert lines(pair.rows(worker=worker, sort=sort)) == mine + other
    # A student of the other one, by API and page.
    user = max(other)[1]
    answers = [look_up(pair, user, worker).json() for worker in (0, 1)]
    assert answers[0]["outcomes"] == answers[1]["outcomes"] != []
    with watched(browser, pair.url) as seen:
        assert seen.go(f"/users/{user}").status == 200
        expect(seen.page.locator("article")).to_have_count(len(answers[0]["outcomes"]))
        seen.go("/")
        expect(seen.page.locator(".fresh")).to_contain_text("Both workers answered")


def test_one_that_stops_is_named_and_nothing_is_made_up(pair: RunningSite, browser: Browser) -> None:
    everything = lines(pair.rows())
    mine, other = own_lines(pair, 0), own_lines(pair, 1)
    before = {user: look_up(pair, user).json()["outcomes"] for user in sorted({one[1] for one in other})[:3]}
    stays, stops = pair.workers
    name = stops.url.removeprefix("http://")
    stops.freeze()
    try:
        # All at once: the group takes its partitions away from it soon.
        with ThreadPoolExecutor() as at_once:
            began = time.monotonic()
            listed = at_once.submit(pair.get, "/api/mastery", limit=500)
            looked_up = [at_once.submit(look_up, pair, user) for user in before]
            page = listed.result()
            answers = [one.result() for one in looked_up]
            assert time.monotonic() - began < PATIENCE
        assert states(page)[name] == "silent"
        assert lines(page["rows"]) <= mine
        for answer in answers:
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "2"
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert name in answer.json()["detail"]
        with watched(browser, pair.url) as seen:
            seen.expected = {503}
            seen.go("/mastery")
            expect(seen.page.locator(".fresh")).to_contain_text("1 of 2 workers answered")
            expect(seen.page.locator(".fresh")).to_contain_text(name)
            assert seen.go(f"/users/{next(iter(before))}").status == 503
            expect(seen.page.locator("h1")).to_be_visible()
    finally:
        stops.kill()
    whole_again(pair, before, everything, workers=1)
    # It comes back, and the rows are shared out anew.
    stops.start()
    whole_again(pair, before, everything, workers=2)
    assert stays.running
    # The group may share out once more, when it has heard of all that happened.
    wait_until(
        lambda: own_lines(pair, 0) + own_lines(pair, 1) == everything,
        timeout=30,
        what="each worker to have its part",
        detail=pair.logs,
    )


def test_an_open_overview_outlives_a_restart_of_its_worker(pair: RunningSite, browser: Browser) -> None:
    row = next(row for row in pair.rows() if row["course_id"] is not None and row["score"] is not None)
    with watched(browser, pair.url) as seen:
        with seen.page.expect_request("**/api/events"):
            seen.go("/")
        seen.expected = {503}
        seen.page.evaluate("window.stillTheSamePage = true")
        with seen.page.expect_response(
            lambda one: one.url.endswith("/api/events") and one.ok, timeout=60_000
        ):
            pair.workers[0].terminate()
            pair.workers[0].wait()
            pair.workers[0].start()
        pair.wait_idle()
        pair.send(result(row, 4.0))
        first = seen.page.locator("#changes tr").first
        expect(first.locator("[data-student]")).to_have_text(row["user_uuid"], timeout=20_000)
        assert seen.page.evaluate("window.stillTheSamePage")


def whole_again(
    pair: RunningSite, before: dict[str, Any], everything: Counter[tuple[Any, ...]], *, workers: int
) -> None:
    """Until so many workers answer: never a wrong answer, never an empty one."""

    def whole() -> bool:
        for user, outcomes in before.items():
            answer = look_up(pair, user)
            if answer.status_code == 503:
                assert answer.headers["Retry-After"] == "2"
                assert 0 <= answer.json().get("progress", 0) <= 1
            else:
                assert answer.status_code == 200, answer.text
                assert answer.json()["outcomes"] == outcomes
        found, told, count = listed(pair)
        assert found <= everything
        if told != {"answered"}:
            return False
        # Who says that all answered has all, also while partitions move.
        assert found == everything
        return count == workers

    wait_until(whole, timeout=60, what=f"{workers} workers to have everything", detail=pair.logs)
