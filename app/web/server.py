"""The worker's web server, in a thread and an event loop of its own: it answers while the stream works."""

import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping

import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from app import __version__
from app.errors import MasteryError
from app.mastery_numbers import MasteryNumbers
from app.schemas.known import SchemaCatalogue
from app.settings import Settings
from app.stream.progress import Progress
from app.web.auth import RequireToken, read_token, require_token_for
from app.web.health import health_routes
from app.web.metrics import metrics_route
from app.web.registry import registry_app

__all__ = ["AddressUnusable", "PortInUse", "WebServer"]

# How long a request that is being answered may hold up the end of the process.
_GRACE_SECONDS = 2
_START_SECONDS = 10.0
_BACKLOG = 128
# So many ports from the default one on are tried: more workers than that on one machine choose theirs.
_NEAR = 100

log = logging.getLogger(__name__)


class PortInUse(MasteryError):
    """Another process listens on the web server's port."""


class AddressUnusable(MasteryError):
    """The web server cannot listen on this address."""


class WebServer:
    """Serves health, metrics and schemas from `start()` to `stop()`.

    Start it first of all, so that health answers from the first second; the schemas may come later, by
    `serve_schemas`. Until then `/registry` answers 503. `expected` names the label values that counters start
    with (see `ProgressCollector`).

    Where a token is set, everything but `/health` wants it. Where other machines reach the address, one must
    be set.
    """

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        schema_catalogue: SchemaCatalogue | None = None,
        *,
        expected: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self._settings = settings
        self._schemas = schema_catalogue
        self._progress = progress
        self._expected = expected
        self._numbers: Callable[[], MasteryNumbers] | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._address: tuple[str, int] | None = None

    @property
    def address(self) -> str:
        """HOST:PORT that it listens on, once started; IPv6 hosts stand in brackets."""
        if self._address is None:
            raise RuntimeError("the web server is not started")
        host, port = self._address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def port(self) -> int:
        """Port that it listens on, once started: the one that was found if the setting says 0."""
        if self._address is None:
            raise RuntimeError("the web server is not started")
        return self._address[1]

    @property
    def url(self) -> str:
        """Address for a browser or a client, without a slash at the end, once started."""
        return f"http://{self.address}"

    def serve_schemas(self, catalogue: SchemaCatalogue) -> None:
        """Serve these schemas from now on."""
        self._schemas = catalogue

    def tell_numbers(self, numbers: Callable[[], MasteryNumbers]) -> None:
        """Have the metrics tell these numbers from now on."""
        self._numbers = numbers

    def start(self) -> None:
        """Listen, and return when requests are answered. Taken, the default port means the next free one.

        Raises PortInUse, AddressUnusable, WebTokenMissing or WebTokenUnusable.
        """
        if self._thread is not None:
            raise RuntimeError("the web server is started already")
        token = read_token(self._settings)
        listener = _listen_nearby(self._settings, token)
        self._address = listener.getsockname()[:2]
        answering = threading.Event()
        app = _application(self._progress, lambda: self._schemas, self._expected, self._count, token)
        self._server = _Server(app, answering)
        # A daemon: a process that ends without stop() must not hang on its web server.
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="web", daemon=True)
        self._thread.start()
        if not answering.wait(_START_SECONDS):
            self.stop()
            raise AddressUnusable(f"the web server did not start within {_START_SECONDS:.0f} s")

    def stop(self) -> None:
        """End it and wait for its thread; the port is free afterwards. Does nothing if it does not run."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(_GRACE_SECONDS + 3)
        self._server = self._thread = None

    def _count(self) -> MasteryNumbers | None:
        return None if self._numbers is None else self._numbers()


class _Server(uvicorn.Server):
    """Uvicorn that says when it answers, keeps off signals (not in the main thread) and off the log."""

    def __init__(self, app: Starlette, answering: threading.Event) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._answering = answering

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then say so."""
        await super().startup(sockets=sockets)
        self._answering.set()


def _listen_nearby(settings: Settings, token: SecretStr | None) -> socket.socket:
    """Listen where the settings say; without a port in them, on the default one or the next free one."""
    first = settings.web_port
    chosen = "web_port" in settings.model_fields_set
    for port in () if chosen else range(first, first + _NEAR):
        try:
            listener = _listen(settings.web_host, port, token)
        except PortInUse:
            continue
        if port != first:
            log.warning("port %d is in use, so the web server takes %d", first, port)
        return listener
    return _listen(settings.web_host, first, token)


def _listen(host: str, port: int, token: SecretStr | None) -> socket.socket:
    """Bind now, in the caller's thread: what is wrong with the address is the caller's to know."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        require_token_for(host, str(address[0]), token)
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} on {host} is in use by another process",
                hint="set MASTERY_WEB_PORT to another port, or to 0 for any free one",
            ) from None
        raise AddressUnusable(
            f"the web server cannot listen on {host}, port {port}: {error.strerror or error}",
            hint="check MASTERY_WEB_HOST and MASTERY_WEB_PORT",
        ) from None


def _application(
    progress: Progress,
    schemas: Callable[[], SchemaCatalogue | None],
    expected: Mapping[str, Iterable[str]] | None,
    numbers: Callable[[], MasteryNumbers | None],
    token: SecretStr | None,
) -> Starlette:
    health = Mount("/health", routes=health_routes(progress))
    routes = [
        Route("/", _index, methods=["GET"]),
        metrics_route(progress, expected, numbers),
        Mount("/registry", app=registry_app(schemas)),
    ]
    if token is None:
        return Starlette(routes=[health, *routes])
    # Below the guard stands all that is not health, paths that do not exist included.
    return Starlette(routes=[health, Mount("/", app=RequireToken(Starlette(routes=routes), token))])


async def _index(_: Request) -> Response:
    return JSONResponse(
        {
            "name": "mastery-stream",
            "version": __version__,
            "paths": ["/health/live", "/health/ready", "/metrics", "/registry/subjects"],
        }
    )
