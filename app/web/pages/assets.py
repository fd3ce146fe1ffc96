"""What pages load: style, script, icon. Held in memory, with the hash of its content in its address."""

from hashlib import blake2b
from importlib.resources import files
from pathlib import PurePath
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = ["Asset", "Assets"]

_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".css": "text/css; charset=utf-8",
}


class Asset(NamedTuple):
    """One file."""

    content: bytes
    media_type: str
    tag: str


class Assets:
    """All of them, and their route."""

    def __init__(self) -> None:
        self._held = {}
        for file in (files("app.web.pages") / "static").iterdir():
            media_type = _TYPES.get(PurePath(file.name).suffix)
            if media_type is not None:
                content = file.read_bytes()
                tag = blake2b(content, digest_size=6).hexdigest()
                self._held[file.name] = Asset(content, media_type, tag)

    def url(self, name: str) -> str:
        """Address of a file, with its content's hash."""
        return f"/static/{name}?v={self._held[name].tag}"

    def route(self) -> Route:
        """Serves them: for ever under the address that names the content, else to be asked for each time."""
        return Route("/static/{name}", self._serve, name="static", methods=["GET"])

    async def _serve(self, request: Request) -> Response:
        asset = self._held.get(request.path_params["name"])
        if asset is None:
            return Response("There is no such file.\n", 404, media_type="text/plain")
        headers = {
            "ETag": f'"{asset.tag}"',
            "Cache-Control": "public, max-age=31536000, immutable"
            if request.query_params.get("v") == asset.tag
            else "no-cache",
        }
        if f'"{asset.tag}"' in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.media_type)
