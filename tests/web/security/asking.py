"""An app behind the guard, and requests to it from any address."""

import asyncio
import base64
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from app.settings import load_settings
from app.web.security.guard import Guard, guard

__all__ = ["TOKEN", "ask", "basic", "bearer", "guarded", "users_file"]

TOKEN = "a-web-token-that-is-long-enough"


async def _who(request: Request) -> JSONResponse:
    """Tell what the guard told."""
    viewer = request.state.viewer
    return JSONResponse(
        {
            "name": viewer.name,
            "role": viewer.role,
            "accounts": viewer.accounts and sorted(viewer.accounts),
            "courses": viewer.courses and sorted(viewer.courses),
            "client": viewer.client,
            "path": viewer.path,
            "local": request.state.local,
            "headers": dict(request.headers),
        }
    )


async def _open(request: Request) -> JSONResponse:
    return JSONResponse({"headers": dict(request.headers)}, headers={"Cache-Control": "max-age=60"})


def guarded(**settings: Any) -> Guard:
    """An app that tells who asks, at every path, behind the guard."""
    routes = [Route("/health/live", _open), Route("/static/{name:path}", _open), Route("/{path:path}", _who)]
    return guard(Starlette(routes=routes), load_settings(**settings))


def ask(
    app: ASGIApp,
    path: str = "/api/mastery",
    headers: Any = None,
    *,
    client: str = "127.0.0.1",
    method: str = "GET",
    **more: Any,
) -> httpx.Response:
    """Ask it, by the name 127.0.0.1 unless `headers` name another host."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(client, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:6066") as asking:
            return await asking.request(method, path, headers=headers, **more)

    return asyncio.run(run())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def users_file(folder: Any, *entries: str) -> Any:
    """A users file of these entries."""
    file = folder / "users.toml"
    file.write_text("\n".join(entries), encoding="utf-8")
    return file
