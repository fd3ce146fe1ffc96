"""Every page in a real browser, over a real worker with real data."""

import csv
import io
from collections import Counter
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import watched
from tests.browser.running import RunningSite

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "context",
    [
        pytest.param({}, id="wide"),
        pytest.param({"color_scheme": "dark"}, id="dark"),
        pytest.param({"viewport": {"width": 360, "height": 740}}, id="phone"),
        pytest.param({"java_script_enabled": False}, id="no-script"),
    ],
)
def test_every_page(
    site: RunningSite, browser: Browser, addresses: list[str], context: dict[str, Any]
) -> None:
    with watched(browser, site.url, **context) as seen:
        for address in addresses:
            assert seen.go(address).status == 200, address
            expect(seen.page.locator("h1")).to_have_count(1)
            if "viewport" in context:
                # Wide tables scroll in a box of their own.
                too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert seen.page.evaluate(too_wide) <= 0, address


def students(page: Page) -> list[str]:
    """The student of each line, in order."""
    found: list[str] = page.eval_on_selector_all(
        "tbody tr th a[href^='/users/']",
        "links => links.map(a => decodeURIComponent(a.pathname.split('/')[2]))",
    )
    return found


def test_paging_shows_every_row_once(site: RunningSite, browser: Browser) -> None:
    """By the links that a person follows, through all pages and some of the way back."""
    wanted = Counter(
        (row["user_uuid"], row["learning_outcome_id"], row["course_id"]) for row in site.rows(sort="-score")
    )
    assert wanted.total() > 10_000
    assert set(wanted.values()) == {1}
    with watched(browser, site.url) as seen:
        seen.go("/mastery?sort=-score&limit=500")
        pages, users = [], Counter[str]()
        while True:
            found = students(seen.page)
            pages.append(found)
            users.update(found)
            following = seen.page.locator("a[rel=next]")
            if not following.count():
                break
            following.first.click()
            seen.page.wait_for_load_state()
        assert users == Counter(user for user, _, _ in wanted)
        for expected in reversed(pages[-4:-1]):
            seen.page.locator("a[rel=prev]").first.click()
            seen.page.wait_for_load_state()
            assert expected == students(seen.page)


def test_search_lives_in_the_address(site: RunningSite, browser: Browser, richest: dict[str, Any]) -> None:
    with watched(browser, site.url) as seen:
        seen.go("/mastery")
        seen.page.get_by_label("Student", exact=True).fill(richest["user_uuid"])
        seen.page.get_by_label("Mastery", exact=True).select_option("true")
        seen.page.get_by_role("button", name="Search").click()
        seen.page.wait_for_load_state()
        assert f"user={richest['user_uuid']}" in seen.page.url
        assert "mastered=true" in seen.page.url
        shown = seen.page.locator("tbody tr").count()
        assert shown == len(site.rows(user=richest["user_uuid"], mastered="true"))


def test_down_to_the_formula(site: RunningSite, browser: Browser, richest: dict[str, Any]) -> None:
    """From the list to the student to each result behind a score, and how it came about."""
    answer = site.get(f"/api/users/{richest['user_uuid']}", account=richest["root_account_uuid"])
    outcome = next(
        one for one in answer["outcomes"] if one["learning_outcome_id"] == richest["learning_outcome_id"]
    )
    course = next(one for one in outcome["courses"] if one["course_id"] == richest["course_id"])
    assert len(course["results"]) > 1
    with watched(browser, site.url) as seen:
        page = seen.page
        query = {"user": richest["user_uuid"], "outcome": richest["learning_outcome_id"]}
        seen.go(f"/mastery?{urlencode(query)}&course={richest['course_id']}")
        page.locator("tbody a.why").first.click()
        # It opens at the outcome that was asked for.
        card = page.locator(f"[id='outcome-{outcome['root_account_uuid']}-{outcome['learning_outcome_id']}']")
        expect(card).to_be_in_viewport()
        opened = card.locator("details.standing").filter(
            has_text=course["formula"].replace(" * ", " \N{MULTIPLICATION SIGN} ")
        )
        expect(opened.first.locator(".formula")).to_be_visible()
        results = opened.first.locator("tbody tr")
        expect(results).to_have_count(len(course["results"]))
        for line, one in zip(results.all(), course["results"], strict=True):
            expect(line).to_contain_text(one["work"])
            expect(line).to_contain_text(one["state"])
            if one["value"] is not None:
                expect(line).to_contain_text(f"{one['value']:.4f}".rstrip("0").rstrip("."))


def test_unknown_ids_and_bad_parameters_are_told(site: RunningSite, browser: Browser) -> None:
    with watched(browser, site.url) as seen:
        seen.expected = {400, 404}
        assert seen.go("/users/nobody-has-this-id").status == 404
        expect(seen.page.locator("h1")).to_be_visible()
        assert seen.go("/outcomes/999999").status == 404
        assert seen.go("/courses/999999").status == 404
        assert seen.go("/topics/none").status == 404
        assert seen.go("/no/such/page").status == 404
        assert seen.go("/mastery?score_from=much").status == 400
        assert "score_from" in seen.page.locator("main").inner_text()
        assert seen.go("/mastery?cursor=none").status == 400


def test_what_is_shown_is_what_the_csv_and_json_hold(site: RunningSite, browser: Browser) -> None:
    with watched(browser, site.url) as seen:
        seen.go("/mastery?mastered=true&sort=-assessed&limit=20")
        seen.page.locator("a[rel=next]").first.click()
        seen.page.wait_for_load_state()
        shown = students(seen.page)
        links = {
            name: seen.page.get_by_role("link", name=name, exact=True).get_attribute("href")
            for name in ("JSON", "CSV")
        }
        assert links["JSON"] is not None
        assert links["CSV"] is not None
        assert [row["user_uuid"] for row in site.get(links["JSON"])["rows"]] == shown
        lines = list(csv.DictReader(io.StringIO(httpx.get(site.url + links["CSV"]).text)))
        assert [line["user_uuid"] for line in lines] == shown


def test_hostile_text_stays_text(site: RunningSite, browser: Browser) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'`{{7*7}}%00<script>alert(1)</script>"
    with watched(browser, site.url) as seen:
        seen.expected = {400, 404}
        for address in (
            "/mastery?user=",
            "/mastery?outcome=",
            "/outcomes?text=",
            "/users/",
            "/topics/",
            "/no",
        ):
            seen.go(address + quote(hostile, safe=""))
            assert seen.page.locator("img").count() == 0
            assert seen.page.locator("script:not([src])").count() == 0
            expect(seen.page.locator("h1")).to_have_count(1)
