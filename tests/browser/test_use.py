"""What people do with the pages: the keyboard, paper, the colours, an overview left open."""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import watched
from tests.browser.results import result
from tests.browser.running import RunningSite

pytestmark = pytest.mark.browser


def test_a_change_appears_on_the_open_overview(
    site: RunningSite, browser: Browser, richest: dict[str, Any]
) -> None:
    with watched(browser, site.url) as seen:
        page = seen.page
        with page.expect_request("**/api/events"):
            seen.go("/")
        page.evaluate("window.stillTheSamePage = true")
        site.send(result(richest, 4.0))
        first = page.locator("#changes tr").first
        expect(first.locator("[data-student]")).to_have_text(richest["user_uuid"], timeout=20_000)
        assert page.evaluate("window.stillTheSamePage")
        # It is a line like the others: its links lead on.
        first.locator("[data-student]").click()
        expect(page.locator("h1")).to_contain_text("Student")


def test_a_student_left_open_says_that_it_has_changed(
    site: RunningSite, browser: Browser, richest: dict[str, Any]
) -> None:
    with watched(browser, site.url) as seen:
        page = seen.page
        with page.expect_request("**/api/events"):
            seen.go(f"/users/{richest['user_uuid']}")
        expect(page.locator("#changed")).to_be_hidden()
        site.send(result(richest, 4.5))
        expect(page.locator("#changed")).to_be_visible(timeout=20_000)
        page.get_by_role("link", name="Reload").click()
        expect(page.locator("#changed")).to_be_hidden()


def test_keyboard_alone(site: RunningSite, browser: Browser, richest: dict[str, Any]) -> None:
    with watched(browser, site.url) as seen:
        page = seen.page
        seen.go("/mastery")
        page.keyboard.press("Tab")
        skip = page.locator("a.skip")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_label("Student", exact=True)).to_be_focused()
        page.keyboard.type(richest["user_uuid"])
        page.keyboard.press("Enter")
        page.wait_for_url("**/mastery?*user=*")
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('tbody a.why')"):
                break
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) != "none", "the focus must be seen"
        page.keyboard.press("Enter")
        page.wait_for_url("**/users/*")
        focusable = page.locator("main summary").first
        focusable.focus()
        details = page.locator("main details").first
        was_open = details.get_attribute("open") is not None
        page.keyboard.press("Enter")
        assert (details.get_attribute("open") is not None) is not was_open


def test_colours_are_those_of_the_system_or_the_button(site: RunningSite, browser: Browser) -> None:
    def is_dark() -> bool:
        color: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in color[4:-1].split(",")[:3]) < 200

    for scheme in ("dark", "light"):
        with watched(browser, site.url, color_scheme=scheme) as seen:
            page = seen.page
            seen.go("/")
            assert is_dark() is (scheme == "dark")
            page.locator("[data-theme-toggle]").click()
            assert is_dark() is (scheme == "light")
            # It is kept for the next page.
            seen.go("/status")
            assert is_dark() is (scheme == "light")


def test_print(site: RunningSite, browser: Browser, addresses: list[str]) -> None:
    with watched(browser, site.url, color_scheme="dark") as seen:
        for address in addresses:
            seen.go(address)
            seen.page.emulate_media(media="print")
            if address == "/api/docs":
                continue
            expect(seen.page.locator("h1")).to_be_visible()
            expect(seen.page.locator("nav.nav")).to_be_hidden()
            expect(seen.page.locator("[data-theme-toggle]")).to_be_hidden()
            color = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert color in {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}, address
            assert len(seen.page.pdf()) > 1_000


def test_copying_an_id(site: RunningSite, browser: Browser, richest: dict[str, Any]) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with watched(browser, site.url, permissions=permissions) as seen:
        seen.go(f"/users/{richest['user_uuid']}")
        seen.page.locator("main .copy").first.click()
        assert seen.page.evaluate("navigator.clipboard.readText()") == richest["user_uuid"]
