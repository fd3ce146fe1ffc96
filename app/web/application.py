"""The routes of the web process, put together."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Scope

from app.web.failures import Failures, problem_handlers
from app.web.health import health_routes
from app.web.metrics import metrics_route
from app.web.problems import Problem
from app.web.registry import registry_app
from app.web.security.guard import guard
from app.web.security.refusal import refusal, wants_page
from app.web.site import Site

__all__ = ["build_application"]


def build_application(site: Site) -> ASGIApp:
    """Return what answers all requests, each within what its login may see.

    Where the settings turn the view of the state off, that is health, metrics and the registry alone.
    Raises WebTokenUnusable or UsersFileUnusable.
    """
    page: Callable[[Request, Problem], Response] = _without_pages
    routes: list[BaseRoute] = [
        Mount("/health", routes=health_routes(site.progress)),
        metrics_route(site.progress, site.expected, site.numbers, lambda: site.worker_pid or "self"),
        Mount("/registry", app=registry_app(lambda: site.schemas)),
    ]
    if site.settings.web_view:
        from app.web.view import view_of  # noqa: PLC0415 - half of what the process loads

        view = view_of(site)
        page = view.problem
        routes += view.routes
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
