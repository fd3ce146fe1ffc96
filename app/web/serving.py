"""Serves the site for as long as the worker wants it: what the web process does once it is loaded."""

import contextlib
import gc
import logging
import os
import socket
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Final, NoReturn

import uvicorn
from typing_extensions import override

from app.errors import MasteryError
from app.logs import log_to_stderr
from app.schemas.contract import load_contract
from app.schemas.known import SchemaCatalogue
from app.schemas.registry import reload_from
from app.web.application import build_application
from app.web.connections import TimedConnection
from app.web.report import KnownSchemas, Reports, Stop, WebStart
from app.web.site import Site, build_site

__all__ = ["serve"]

#: The stream comes first where both want the last core: reading can wait a few milliseconds, a consumer that
#: falls behind cannot. 5 is a third of the weight, so that nobody who reads starves either.
_NICE: Final = 5

#: Seconds that requests may hold up the end which are being answered: streams of events never end otherwise.
_GRACE: Final = 1

#: Seconds that an idle connection stays open: longer than other workers (5) and reverse proxies (60) keep
#: theirs, so that no request meets a connection that is being closed.
_KEEP_ALIVE: Final = 75

#: Seconds after which it ends whatever happens.
_LIMIT: Final = 3.0

#: New objects after which the interpreter looks for garbage among them: an answer is made of some thousands.
_NEW_OBJECTS: Final = 20_000

log = logging.getLogger(__name__)


def serve(listener: int, pipe: int) -> NoReturn:
    """Serve on a socket until a pipe tells that the worker stops; both by their file descriptors."""
    told = Connection(pipe, writable=False)
    start = told.recv()
    assert isinstance(start, WebStart)  # noqa: S101 - what WebProcess sends first
    log_to_stderr(start.settings.log_level, start.settings.log_format)
    os.nice(_NICE)
    try:
        status = _serve(start, socket.socket(fileno=listener), told)
    except MasteryError as error:
        # Such as a file of logins that is wrong now; the worker starts this anew after a while.
        log.error("%s; %s", error, error.hint or "the web server cannot serve")  # noqa: TRY400 - says it all
        status = error.exit_code
    # Queries that still run are of no use to anybody.
    logging.shutdown()
    os._exit(status)


def _serve(start: WebStart, listener: socket.socket, pipe: Connection) -> int:
    reports = Reports(start.report)
    site = build_site(start, reports)
    if site.settings.web_view:
        from app.web.assembly import assemble  # noqa: PLC0415 - half of what the process loads

        assemble(site)
    server = _Server(site)
    told = (pipe, reports, site, server)
    threading.Thread(target=_listen_to_worker, args=told, name="worker", daemon=True).start()
    # All that is loaded stays. To look through it for garbage would hold up answers for as long as ten take.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
    server.run(sockets=[listener])
    site.close()
    return 0


class _Server(uvicorn.Server):
    """Uvicorn that leaves signals to the worker."""

    def __init__(self, site: Site) -> None:
        super().__init__(
            uvicorn.Config(
                build_application(site),
                http=TimedConnection,
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
                timeout_keep_alive=_KEEP_ALIVE,
            )
        )

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen_to_worker(pipe: Connection, reports: Reports, site: Site, server: uvicorn.Server) -> None:
    """Take in what the worker tells, in a thread, until it ends."""
    try:
        while True:
            told = pipe.recv()
            match told:
                case Stop():
                    # Streams of events that are cut off by the end are no errors.
                    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
                    server.should_exit = True
                    late = threading.Timer(_LIMIT, os._exit, (0,))
                    late.daemon = True
                    late.start()
                case KnownSchemas(schemas):
                    site.schemas = SchemaCatalogue(schemas, reload_from(site.settings, load_contract()))
                case _:
                    reports.take(told)
                    site.take(told)
    except (EOFError, OSError):
        # app.web.child sees it, too, and ends the process.
        return
    except Exception as error:
        # To go on deaf would be to tell what is no longer so. The worker starts this anew.
        log.critical("unexpected %s in the web process", type(error).__name__, exc_info=True)
        os._exit(1)
