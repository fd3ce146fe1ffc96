"""Several workers of one command: a process for each, started, heard and ended together.

A worker is bound by one core, so a machine with several of them runs several workers. Each is a full member
of the group, with a state folder and a web port of its own.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import IO, Final

from pydantic import HttpUrl

from app.settings import Settings, variable

__all__ = ["WorkerGroup", "environment_of"]

log = logging.getLogger(__name__)

#: Seconds from SIGTERM to SIGKILL: less than process managers wait. A worker ends by itself within 25.
_STOP_LIMIT: Final = 28.0

#: Waits on a pipe that only this process holds open, and ends the workers when it is gone, however it went.
_GUARD: Final = 'read -r _; kill -s TERM "$@"'


def environment_of(
    settings: Settings, number: int, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of worker `number`, from 1 on, where several run.

    Its state is in `<state_dir>/<number>`. Where a port is set, for the web server or in the address under
    which others reach it, the first worker has it, the second the next, and so on.
    """
    own = {"state_dir": str(settings.state_dir / str(number))}
    if "web_port" in settings.model_fields_set and settings.web_port:
        own["web_port"] = str(settings.web_port + number - 1)
    if settings.web_advertised_url:
        own["web_advertised_url"] = str(_moved(HttpUrl(settings.web_advertised_url), number - 1))
    names = {variable(name): value for name, value in own.items()}
    # Variables are read whatever their case.
    return {name: value for name, value in environ.items() if name.upper() not in names} | names


def _moved(url: HttpUrl, by: int) -> HttpUrl:
    path = (url.path or "").lstrip("/")
    return HttpUrl.build(scheme=url.scheme, host=url.host or "", port=(url.port or 80) + by, path=path)


class WorkerGroup:
    """Runs one command in several processes, one for each environment, until all have ended.

    SIGTERM and SIGINT end all of them in good order. When one ends by itself, the others are ended, too: the
    whole is started again, by whoever started it. What they write to stderr comes out here, each line marked
    with the number of its worker.
    """

    def __init__(
        self,
        command: Sequence[str],
        environments: Sequence[Mapping[str, str]],
        *,
        as_json: bool = False,
        out: IO[bytes] | None = None,
    ) -> None:
        self._command = command
        self._environments = environments
        self._mark = _mark_json if as_json else _mark_text
        self._out = sys.stderr.buffer if out is None else out
        self._turn = threading.Lock()
        #: The number of a worker that has ended, or None: end them all.
        self._events: SimpleQueue[int | None] = SimpleQueue()
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def run(self) -> int:
        """Run them, and return the exit status: of the first that ended by itself, or failed to end well."""
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: self._events.put(None))
        try:
            for number, environment in enumerate(self._environments, 1):
                self._start(number, environment)
            with self._guarded():
                return self._watch()
        finally:
            for process in self._running.values():
                process.kill()

    def _start(self, number: int, environment: Mapping[str, str]) -> None:
        process = subprocess.Popen(  # noqa: S603 - what the caller names, without a shell
            self._command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Ctrl-C in a terminal is for this process, which passes it on once.
            start_new_session=True,
        )
        self._running[number] = process
        threading.Thread(target=self._hear, args=(number, process), daemon=True).start()

    def _hear(self, number: int, process: subprocess.Popen[bytes]) -> None:
        if process.stderr is not None:
            with process.stderr as lines:
                for line in lines:
                    with self._turn:
                        self._out.write(self._mark(number, line))
                        self._out.flush()
        process.wait()
        self._events.put(number)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        pids = [str(process.pid) for process in self._running.values()]
        guard = subprocess.Popen(  # noqa: S603 - a constant script and numbers
            ["/bin/sh", "-c", _GUARD, "guard", *pids],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield
        finally:
            # Before its pipe closes: the numbers may be those of other processes soon.
            guard.kill()
            guard.communicate()

    def _watch(self) -> int:
        status = 0
        stopping = False
        patience = None
        while self._running:
            try:
                number = self._events.get(timeout=patience)
            except Empty:
                log.error("workers %s did not end in time, and are killed", [*self._running])  # noqa: TRY400
                patience = None
                self._signal(signal.SIGKILL)
                continue
            if number is not None:
                ended = self._running.pop(number).returncode
                if stopping and ended == -signal.SIGTERM:
                    ended = 0  # it had not yet begun to listen
                # As shells have it, for a process that a signal ended.
                status = status or (128 - ended if ended < 0 else ended)
                if not stopping and self._running:
                    log.error("worker %d ended with status %d: the others are stopped", number, status)
            if not stopping:
                stopping, patience = True, _STOP_LIMIT
                self._signal(signal.SIGTERM)
        return status

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running.values():
            process.send_signal(number)


def _mark_text(number: int, line: bytes) -> bytes:
    return b"%d | %s" % (number, line)


def _mark_json(number: int, line: bytes) -> bytes:
    """Add the number to a line's object; what is none, such as a line of librdkafka's own, stays as it is."""
    return b'{"worker": %d, %s' % (number, line[1:]) if line.startswith(b'{"') else line
