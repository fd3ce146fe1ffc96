"""The worker's web server, as a process of its own: what it reads never holds up the stream.

Threads would not do: one interpreter runs one thread at a time. The worker binds the socket and starts the
process, tells it twice a second how it stands, and starts it anew if it ends. The process ends when the pipe
closes, which it does however the worker ends.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path

from app import __version__
from app.definitions.lookup import DefinitionCounts
from app.schemas.known import SchemaCatalogue
from app.settings import Settings
from app.stream.progress import Progress
from app.web.listen import address_text, listen, url_of
from app.web.report import Group, KnownSchemas, Stop, WebStart, WorkerReport
from app.web.security.audit import Audit
from app.web.security.pseudonyms import key_of

__all__ = ["WebProcess"]

#: Seconds between two reports.
_EVERY = 0.5

#: Seconds between two counts of definitions, a millisecond of work for 10,000.
_COUNT_EVERY = 5.0

#: Seconds that the process has for its end: it gives one to requests that are being answered.
_STOP_SECONDS = 4.0

#: Seconds in which it loads, a second's work: it could not hear that it is to stop, and is ended at once.
_YOUNG = 2.0

#: Seconds before it is started again: once, then twice as long up to the second number.
_BACK_OFF = (0.5, 30.0)

#: Signals that reach the whole group, such as Ctrl-C in a terminal, a process manager's SIGTERM or those that
#: have Faust tell its tasks: the worker follows them, the web process follows the worker.
_OF_THE_WORKER = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})

#: Seconds after which it counts as having run well.
_RAN_WELL = 60.0

log = logging.getLogger(__name__)


class WebProcess:
    """Serves the web view, health, metrics and schemas from `start()` to `stop()`.

    Start it first of all, so that health answers from the first second; what else there is to tell may come
    later. `expected` names the label values that counters start with (see `ProgressCollector`).
    """

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        *,
        expected: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._expected = {name: tuple(labels) for name, labels in (expected or {}).items()}
        self._schemas: KnownSchemas | None = None
        self._definitions: Callable[[], DefinitionCounts] | None = None
        self._counted: DefinitionCounts | None = None
        self._counted_at = float("-inf")
        self._group: Callable[[], Group] | None = None
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    @property
    def address(self) -> str:
        """HOST:PORT that it listens on, once started; IPv6 hosts stand in brackets."""
        return address_text(*self._listening().getsockname()[:2])

    @property
    def port(self) -> int:
        """Port that it listens on, once started: the one that was found if the setting says 0."""
        return int(self._listening().getsockname()[1])

    @property
    def url(self) -> str:
        """Address for a browser on this machine, without a slash at the end, once started."""
        return f"http://{self.address}"

    @property
    def advertised_url(self) -> str:
        """Address for the other workers, once started."""
        return self._settings.web_advertised_url or url_of(self._listening())

    @property
    def pid(self) -> int | None:
        """Id of the process; None before the first and between two."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def serve_schemas(self, catalogue: SchemaCatalogue) -> None:
        """Serve these schemas from now on."""
        self._schemas = KnownSchemas(tuple(catalogue.schemas()))

    def tell_definitions(self, counts: Callable[[], DefinitionCounts]) -> None:
        """Tell these counts from now on; they are asked for in a thread, every 5 seconds."""
        self._definitions = counts

    def tell_group(self, group: Callable[[], Group]) -> None:
        """Tell this of the consumer group from now on; it is asked for in a thread, every half second."""
        self._group = group

    def start(self) -> None:
        """Listen, and have the process started. Requests wait until it answers, a second or so.

        Taken, the default port means the next free one. Raises PortInUse, AddressUnusable, LoginMissing,
        UsersFileUnusable, WebTokenUnusable, AuditFileUnusable or KeyUnusable.
        """
        if self._thread is not None:
            raise RuntimeError("the web process is started already")
        _check(self._settings)
        self._listener = listen(self._settings)
        self._stopping.clear()
        # A daemon: a worker that ends without stop() must not hang on it.
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the process and wait for that; the port is free afterwards. Does nothing if it does not run."""
        if self._thread is None:
            return
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive() and self._process is not None:
            # It does not read what it is told, so that telling it waits.
            self._process.kill()
        self._thread.join()
        self._thread = None
        self._listening().close()
        self._listener = None

    def _listening(self) -> socket.socket:
        if self._listener is None:
            raise RuntimeError("the web process is not started")
        return self._listener

    def _run(self) -> None:
        # A new process has the mask of the thread that starts it: so from its first instruction on.
        signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_WORKER)
        pause, longest = _BACK_OFF
        while not self._stopping.is_set():
            began = time.monotonic()
            self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - began > _RAN_WELL:
                pause = _BACK_OFF[0]
            status = None if self._process is None else self._process.returncode
            log.error("the web process has ended (exit status %s); it is started again", status)
            self._stopping.wait(pause)
            pause = min(2 * pause, longest)

    def _run_once(self) -> None:
        try:
            pipe = self._spawn()
        except OSError as error:
            self._process = None
            log.error("the web process cannot be started: %s", error.strerror)  # noqa: TRY400 - says it all
            return
        process = self._process
        assert process is not None  # noqa: S101 - what `_spawn` has just set
        began = time.monotonic()
        with pipe:
            # Its end shows in the pipe, too.
            with contextlib.suppress(OSError):
                self._tell(pipe, process)
                pipe.send(Stop())
            young = time.monotonic() - began < _YOUNG
            try:
                process.wait(0 if young else _STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _spawn(self) -> Connection:
        read, write = os.pipe()
        listener = self._listening().fileno()
        # Found as this process found it, not in whatever folder it was started from.
        root = str(Path(__file__).parents[2])
        path = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, this package, two numbers
                [sys.executable, "-P", "-m", "app.web.child", str(listener), str(read)],
                stdin=subprocess.DEVNULL,
                pass_fds=(listener, read),
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
            )
        except BaseException:
            os.close(write)
            raise
        finally:
            os.close(read)
        return Connection(write, readable=False)

    def _tell(self, pipe: Connection, process: subprocess.Popen[bytes]) -> None:
        """Tell it all until one of both ends. Raises OSError when it has."""
        pipe.send(WebStart(self._settings, self._expected, self._report()))
        told: KnownSchemas | None = None
        while process.poll() is None and not self._stopping.wait(_EVERY):
            if self._schemas is not told:
                told = self._schemas
                pipe.send(told)
            pipe.send(self._report())

    def _report(self) -> WorkerReport:
        if self._definitions is not None and time.monotonic() >= self._counted_at + _COUNT_EVERY:
            self._counted = self._definitions()
            self._counted_at = time.monotonic()
        snapshot = self._progress.snapshot()
        group = Group(self.advertised_url) if self._group is None else self._group()
        return WorkerReport(time.time(), os.getpid(), __version__, snapshot, group, self._counted)


def _check(settings: Settings) -> None:
    """Raise what would keep the process from serving: the worker's start ends with it, in one line."""
    Audit(settings.web_audit_file).stop()
    if settings.web_pseudonyms:
        key_of(settings)
