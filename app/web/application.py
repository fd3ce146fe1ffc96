"""The routes of the web process, put together."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from app import __version__
from app.web.health import health_routes
from app.web.metrics import metrics_route
from app.web.registry import registry_app
from app.web.security.guard import guard
from app.web.site import Site

__all__ = ["build_application"]


def build_application(site: Site) -> ASGIApp:
    """Return what answers all requests. Raises WebTokenUnusable or UsersFileUnusable."""
    health = Mount("/health", routes=health_routes(site.progress))
    routes = [
        Route("/", _index, methods=["GET"]),
        metrics_route(site.progress, site.expected, site.numbers, lambda: site.worker_pid or "self"),
        Mount("/registry", app=registry_app(lambda: site.schemas)),
    ]
    # Above all of it, paths that do not exist included.
    return guard(Starlette(routes=[health, *routes]), site.settings)


async def _index(_: Request) -> Response:
    body: dict[str, Any] = {
        "name": "mastery-stream",
        "version": __version__,
        "paths": ["/health/live", "/health/ready", "/metrics", "/registry/subjects"],
    }
    return JSONResponse(body)
