"""From an answer to a page: templates, what they can call, and what a handler needs."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app import __version__
from app.web.answers import Answers
from app.web.models.base import Answer
from app.web.pages import words
from app.web.pages.assets import Assets
from app.web.pages.colours import colour, ink, mark
from app.web.problems import Problem
from app.web.security.viewer import Viewer

__all__ = ["NAVIGATION", "Handler", "Pages", "href", "templates"]

#: Address and name of each page that every page leads to.
NAVIGATION: Final = (
    ("/", "Overview"),
    ("/mastery", "Mastery"),
    ("/outcomes", "Outcomes"),
    ("/courses", "Courses"),
    ("/dead-letters", "Dead letters"),
    ("/topics", "Topics"),
    ("/status", "Status"),
)


def href(path: str, *parts: str | int, **query: object) -> str:
    """An address of this site: `parts` are escaped, query values that are None or "" left out."""
    address = "/".join([path.rstrip("/"), *(quote(str(part), safe="") for part in parts)]) or "/"
    given = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in query.items()
        if value is not None and value != ""
    }
    return f"{address}?{urlencode(given)}" if given else address


def templates() -> Environment:
    """The environment of all templates: everything is escaped, a name that is not there is an error."""
    environment = Environment(
        loader=PackageLoader("app.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        breakable=words.breakable,
        byte_count=words.byte_count,
        colour=colour,
        count=words.count,
        date_time=words.date_time,
        day=words.day,
        duration=words.duration,
        full_time=words.full_time,
        ink=ink,
        iso_time=words.iso_time,
        number=words.number,
        rate=words.rate,
        sentence=words.sentence,
        short_id=words.short_id,
    )
    environment.globals.update(
        ago=words.ago,
        href=href,
        level_step=words.level_step,
        mark=mark,
        navigation=NAVIGATION,
        no_evidence=words.NO_EVIDENCE,
        percent=words.percent,
        threshold=words.threshold,
        version=__version__,
    )
    return environment


@dataclass
class Pages:
    """What the handlers of pages are made with.

    `answers_of` may raise a Problem too. `canvas_url`: where Canvas is, without a slash at the end; None
    makes no links to it. `new_names`: of a root account, see `words.method_words`.
    """

    answers_of: Callable[[Request], Answers]
    viewer_of: Callable[[Request], Viewer]
    canvas_url: str | None = None
    new_names: Callable[[str], bool] = lambda _account: True
    clock: Callable[[], float] = time.time
    assets: Assets = field(default_factory=Assets)
    _templates: Environment = field(init=False, default_factory=templates)

    def __post_init__(self) -> None:
        self._templates.globals.update(
            asset=self.assets.url, canvas_link=self.canvas_link, method=self.method, now=self.clock
        )

    def page(
        self,
        request: Request,
        template: str,
        answer: Answer | None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Response:
        """A page: `template` with `answer`, `more`, and what every page has (`viewer`, `path`)."""
        text = self._templates.get_template(template).render(
            answer=answer, path=request.url.path, viewer=self._viewer(request), **more
        )
        return HTMLResponse(text, status, headers={"Cache-Control": "private, no-cache", **(headers or {})})

    def problem(self, request: Request, problem: Problem) -> Response:
        """The page that tells of a problem, and what to do about it."""
        return self.page(
            request,
            "problem.html",
            None,
            status=problem.status,
            headers=problem.headers,
            problem=problem,
            retry_after=problem.headers.get("Retry-After"),
            progress=problem.more.get("progress"),
            parameter=problem.more.get("parameter"),
            choices=[(one, _with_account(request, one)) for one in problem.more.get("accounts", ())],
        )

    def route(self, path: str, handler: "Handler") -> Route:
        """A route whose handler's problems become pages."""

        @wraps(handler)
        async def endpoint(request: Request) -> Response:
            try:
                return await handler(self, request)
            except Problem as problem:
                return self.problem(request, problem)

        return Route(path, endpoint, methods=["GET"])

    def method(self, account: str, method: str | None, n: int | None = None) -> str:
        """Name of a method in a root account."""
        return words.method_words(method, n, new_names=self.new_names(account))

    def canvas_link(self, *parts: str) -> str | None:
        """Address in Canvas, where it is known."""
        return None if self.canvas_url is None else href(self.canvas_url, *parts)

    def _viewer(self, request: Request) -> Viewer | None:
        """Whoever asks; a page about a problem may be for somebody unknown."""
        try:
            return self.viewer_of(request)
        except Problem:
            return None


def _with_account(request: Request, account: str) -> str:
    """The address asked for, of one root account."""
    return str(request.url.include_query_params(account=account).replace(scheme="", netloc=""))


Handler = Callable[[Pages, Request], Awaitable[Response]]
