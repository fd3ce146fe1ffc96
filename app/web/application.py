"""The routes of the web process, put together."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Scope

from app.web.answers import Answers
from app.web.api.application import ApiRoute, api_app
from app.web.failures import Failures, problem_handlers
from app.web.health import health_routes
from app.web.metrics import metrics_route
from app.web.pages.rendering import Pages
from app.web.pages.routes import page_routes
from app.web.problems import NotReady, Problem, Unauthorized
from app.web.registry import registry_app
from app.web.security.guard import guard
from app.web.security.refusal import refusal, wants_page
from app.web.security.viewer import Viewer
from app.web.site import Site

__all__ = ["build_application"]


def build_application(site: Site) -> ASGIApp:
    """Return what answers all requests, each within what its login may see.

    Where the settings turn the view of the state off, that is health, metrics and the registry alone.
    Raises WebTokenUnusable or UsersFileUnusable.
    """
    pages = _pages(site)
    page = pages.problem if site.settings.web_view else _without_pages
    routes: list[BaseRoute] = [
        Mount("/health", routes=health_routes(site.progress)),
        metrics_route(site.progress, site.expected, site.numbers, lambda: site.worker_pid or "self"),
        Mount("/registry", app=registry_app(lambda: site.schemas)),
    ]
    if site.settings.web_view:
        routes += [ApiRoute(api_app(site.guarded_answers, site.guarded_changes)), *page_routes(pages)]
    app = Starlette(
        routes=routes,
        exception_handlers=problem_handlers(page),
        middleware=[Middleware(Failures, page=page)],
    )

    def refuse(scope: Scope, problem: Problem) -> Response:
        return page(Request(scope), problem) if wants_page(scope) else refusal(scope, problem)

    # Above all of it, paths that do not exist included.
    return guard(app, site.settings, refuse=refuse)


def _without_pages(request: Request, problem: Problem) -> Response:
    return refusal(request.scope, problem)


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
