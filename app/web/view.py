"""What a browser and the API show of the state: routes, and the page of a problem."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from app.web.answers import Answers
from app.web.api.application import ApiRoute, api_app
from app.web.pages.rendering import Pages
from app.web.pages.routes import page_routes
from app.web.problems import NotReady, Problem, Unauthorized
from app.web.security.viewer import Viewer
from app.web.site import Site

__all__ = ["View", "view_of"]


class View(NamedTuple):
    """The routes, and what makes the page that tells a problem."""

    routes: Sequence[BaseRoute]
    problem: Callable[[Request, Problem], Response]


def view_of(site: Site) -> View:
    """Return the view of a site. It answers 503 until the site has answers."""
    pages = _pages(site)
    api = ApiRoute(api_app(site.guarded_answers, site.guarded_changes))
    return View([api, *page_routes(pages)], pages.problem)


def _pages(site: Site) -> Pages:
    def answers(_: Request) -> Answers:
        guarded = site.guarded_answers()
        if guarded is None:
            raise NotReady(
                "the worker has just started", hint="ask again in a moment", headers={"Retry-After": "2"}
            )
        return guarded

    rules = site.settings.mastery_rules
    return Pages(
        answers,
        _viewer,
        canvas_url=site.settings.canvas_url,
        new_names=lambda account: rules.of(account).new_decaying_average,
    )


def _viewer(request: Request) -> Viewer:
    viewer = getattr(request.state, "viewer", None)
    if not isinstance(viewer, Viewer):
        raise Unauthorized("nobody has logged in")
    return viewer
