"""What is answered where nothing else answers: unknown addresses, refused methods, our own mistakes."""

import http
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.problems import NotFound, Problem
from app.web.security.refusal import refusal, wants_page

__all__ = ["Failures", "problem_handlers"]

Handlers = Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]

log = logging.getLogger(__name__)


class _MethodRefused(Problem):
    status, title = 405, "This site only shows"


class _Unexpected(Problem):
    status, title = 500, "Something went wrong here"


def problem_handlers(page: Callable[[Request, Problem], Response]) -> Handlers:
    """Return handlers for Problems and Starlette's errors: `page` for browsers, problem details else."""

    def answer(request: Request, problem: Problem) -> Response:
        return page(request, problem) if wants_page(request.scope) else refusal(request.scope, problem)

    async def problem_found(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101 - what this handler is registered for
        return answer(request, error)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - what this handler is registered for
        if error.status_code == http.HTTPStatus.NOT_FOUND:
            return answer(request, NotFound("No page has this address.", hint="`/` leads to all there are"))
        return answer(request, _MethodRefused(error.detail, headers=error.headers))

    return {Problem: problem_found, HTTPException: http_error}


class Failures:
    """ASGI middleware: an error that nobody expected is logged without what was asked for, and answered.

    Messages of errors can hold what a request or a record held, so that only their types and places are told.
    """

    def __init__(self, app: ASGIApp, page: Callable[[Request, Problem], Response]) -> None:
        self._app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends one answer and no more
            route = getattr(scope.get("route"), "path", "an address")
            log.error(  # noqa: TRY400 - the traceback without the message
                "unexpected %s while %s was answered:\n%s",
                type(error).__name__,
                route,
                "".join(traceback.format_tb(error.__traceback__)),
            )
            if begun:
                return
            problem = _Unexpected(
                "This is a mistake of ours; the worker's log tells more.", hint="other pages may work"
            )
            make = self._page if wants_page(scope) else lambda request, found: refusal(request.scope, found)
            await make(Request(scope), problem)(scope, receive, send)
