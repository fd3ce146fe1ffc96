"""Debian's Chromium under playwright, which must not fetch a browser of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.support.brokers import cannot_run
from tests.support.browsers import chromium_path

__all__ = ["Watched", "chromium", "watched"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium. Without sandbox, as tests may run as root; it sees loopback alone."""
    if (path := chromium_path()) is None:
        cannot_run("no browser: chromium not found on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, headless=True, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, and all that a visitor would not see: console messages, errors, requests to other hosts."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.faults: list[str] = []
        #: Statuses of 400 and more that a test expects, such as of a page for an unknown id.
        self.expected: set[int] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def go(self, path: str) -> Response:
        """Open a page of the site."""
        response = self.page.goto(f"{self.base}{path}", wait_until="load")
        assert response is not None
        return response

    def _console(self, message: ConsoleMessage) -> None:
        # What the browser itself says of a status is looked at as a response.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.faults.append(f"console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:")):
            self.faults.append(f"request to another host: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"status {response.status}: {response.url}")


@contextmanager
def watched(browser: Browser, base: str, **context: object) -> Iterator[Watched]:
    """A page in a fresh profile; fails at its end on everything that went wrong unseen."""
    fresh = browser.new_context(**context)  # type: ignore[arg-type]
    fresh.set_default_timeout(10_000)
    try:
        seen = Watched(fresh.new_page(), base)
        yield seen
        assert seen.faults == []
    finally:
        fresh.close()
