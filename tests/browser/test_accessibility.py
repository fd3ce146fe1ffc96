"""axe-core finds nothing serious on any page."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.chromium import watched
from tests.browser.running import RunningSite

pytestmark = pytest.mark.browser


def short(address: str) -> str:
    """Of long tables a few lines will do: they are alike."""
    is_list = address.startswith(("/mastery", "/courses", "/dead-letters?")) or address == "/outcomes"
    return f"{address}{'&' if '?' in address else '?'}limit=8" if is_list else address


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        pytest.param("light", 1280, id="light"),
        pytest.param("dark", 1280, id="dark"),
        pytest.param("light", 360, id="phone"),
    ],
)
def test_no_serious_finding(
    site: RunningSite, browser: Browser, addresses: list[str], scheme: str, width: int
) -> None:
    axe = Axe()
    findings = []
    # axe-core comes into the page as a script that the page itself would not allow.
    context = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}
    with watched(browser, site.url, **context) as seen:
        for address in [*addresses, "/no/such/page"]:
            seen.expected = {404} if address == "/no/such/page" else set()
            seen.go(short(address))
            for closed in seen.page.locator("details:not([open]) > summary").all()[:4]:
                if closed.is_visible():
                    closed.click()
            findings += [
                f"{address}: {found['id']} ({found['impact']}): {found['help']}: {found['nodes'][0]['html']}"
                for found in axe.run(seen.page, options={"resultTypes": ["violations"]}).response[
                    "violations"
                ]
                if found["impact"] in {"serious", "critical"}
            ]
    assert findings == []
