"""A small web server in this process, that ends in good order: what is being answered is answered."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from app.settings import Settings, variable
from app.web.connections import TimedConnection
from app.web.listen import AddressUnusable, PortInUse, address_text

__all__ = ["Server", "listen_for", "serve_until_stopped"]

log = logging.getLogger(__name__)

#: Seconds that an idle connection stays open: longer than reverse proxies keep theirs.
_KEEP_ALIVE: Final = 75

#: Connections beyond the requests that are waited for: health, metrics, and such as say nothing yet.
_MORE_CONNECTIONS: Final = 200

_BACKLOG: Final = 512


def listen_for(settings: Settings) -> socket.socket:
    """Listen where the settings of `mastery receive` say. Raises PortInUse or AddressUnusable."""
    host, port = settings.receive_host, settings.receive_port
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        name = variable("receive_port")
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} on {host} is in use by another process", hint=f"set {name} to another port"
            ) from None
        raise AddressUnusable(
            f"nothing can listen on {host}, port {port}: {error.strerror or error}",
            hint=f"check {variable('receive_host')} and {name}",
        ) from None


class Server(uvicorn.Server):
    """Uvicorn that leaves signals alone, and takes no more connections than it can have use for."""

    def __init__(self, app: ASGIApp, *, requests: int, grace: float) -> None:
        most = requests + _MORE_CONNECTIONS

        class Connection(TimedConnection):
            """Closed at once when there are too many: each takes memory for what it sends unasked."""

            @override
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                if len(self.connections) >= most:
                    transport.abort()
                    return
                super().connection_made(transport)

            @override
            def connection_lost(self, exc: Exception | None) -> None:
                if self in self.connections:
                    super().connection_lost(exc)

            @override
            def data_received(self, data: bytes) -> None:
                if self in self.connections:
                    super().data_received(data)

        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,  # addresses have the secret in them
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=round(grace),
                timeout_keep_alive=_KEEP_ALIVE,
            )
        )

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_until_stopped(
    server: Server, listener: socket.socket, work: Callable[[asyncio.Event], Awaitable[None]]
) -> None:
    """Serve while `work` runs, which ends soon after its event is set: by SIGTERM or SIGINT.

    Raises what `work` raises.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        # No new connections from now on; those that are answered meanwhile are answered.
        server.should_exit = True
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    host, port = listener.getsockname()[:2]
    serving = asyncio.create_task(server.serve([listener]))
    log.info("listening on http://%s", address_text(host, port))
    try:
        await work(stop)
    finally:
        server.should_exit = True
        await serving
