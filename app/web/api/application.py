"""The API as an app: everything below /api, and /openapi.json."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from app.web.answers import Answers, Changes
from app.web.api.docs import docs_route
from app.web.api.document import make_document
from app.web.api.events import EventStreams
from app.web.api.problems import handle_problems
from app.web.api.routes import ApiSource, api_router

__all__ = ["ApiRoute", "api_app"]

_DOCUMENT = "/openapi.json"


def api_app(
    answers: Callable[[], Answers | None],
    changes: Callable[[], Changes | None] = lambda: None,
    *,
    streams: EventStreams | None = None,
) -> FastAPI:
    """Return the app. `answers` and `changes` give None while there is nothing to answer from: 503.

    It wants a Viewer in `request.state.viewer`, and in `request.state.local` whether another worker asks: see
    app.web.security.guard. `streams` holds the open event streams.
    """
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    handle_problems(app)
    app.include_router(api_router(ApiSource(answers, changes, streams or EventStreams())))
    document = make_document(app)

    async def openapi_json(_: Any) -> JSONResponse:
        return JSONResponse(document, headers={"Cache-Control": "private, no-cache"})

    app.router.add_route(_DOCUMENT, openapi_json, methods=["GET"])
    app.router.routes.append(docs_route(document))
    return app


class ApiRoute(BaseRoute):
    """Hands over everything below /api, and /openapi.json, with their addresses as they are."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it is for the API."""
        path = scope["path"]
        found = scope["type"] == "http" and (path in (_DOCUMENT, "/api") or path.startswith("/api/"))
        return (Match.FULL if found else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Return the address of a route of the API."""
        return self._app.url_path_for(name, **path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self._app(scope, receive, send)


def _operation_id(route: APIRoute) -> str:
    return route.name
