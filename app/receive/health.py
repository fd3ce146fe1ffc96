"""Is the receiver alive, and is it ready: as a worker answers it."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.web.health import RETRY_AFTER_SECONDS

__all__ = ["health_routes"]


def health_routes(obstacle: Callable[[], str | None]) -> list[Route]:
    """Return the routes below `/health`.

    `/health/live` is 200 as long as anything is answered. `/health/ready` is 200 while events are taken; else
    503 with `Retry-After`, and `obstacle` tells why.
    """

    async def live(_: Request) -> JSONResponse:
        return _answer(200, {"live": True})

    async def ready(_: Request) -> JSONResponse:
        found = obstacle()
        return _answer(200 if found is None else 503, {"ready": found is None, "detail": found or ""})

    return [Route("/live", live, methods=["GET"]), Route("/ready", ready, methods=["GET"])]


def _answer(status: int, body: dict[str, object]) -> JSONResponse:
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse(body, status_code=status, headers=headers)
