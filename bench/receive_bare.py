"""What an ASGI service costs that takes events and does nothing: `python -m bench.receive_bare PORT`.

The same server, the same framework, a handler that reads the body and answers 200.
"""

import asyncio
import socket
import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.receive.serving import Server

__all__ = ["main"]


async def _take(request: Request) -> Response:
    await request.body()
    return Response()


def main() -> None:
    """Serve until ended."""
    app = Starlette(routes=[Route("/events/{secret}", _take, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    asyncio.run(Server(app, requests=1000, grace=1).serve([listener]))


if __name__ == "__main__":
    main()
