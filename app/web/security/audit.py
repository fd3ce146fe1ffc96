"""The audit log: one line for each look at a student, and for each list of students."""

import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.errors import MasteryError
from app.web.security.viewer import Viewer

__all__ = ["Audit", "AuditFileUnusable"]

log = logging.getLogger(__name__)
#: Where lines go without a file. The one logger that may name students.
_lines = logging.getLogger("mastery.audit")

_MOST: Final = 10_000
_BATCH: Final = 500
_STOP_SECONDS: Final = 2.0
#: Seconds between two batches: to wake for each line would cost whoever looks more than the line itself.
_PAUSE: Final = 0.1


class AuditFileUnusable(MasteryError):
    """The file for the audit log cannot be written to."""

    exit_code = 2


class Audit:
    """Writes lines in a thread of its own: whoever looks never waits for a disk.

    A line is a JSON object: `time` (RFC 3339, UTC), `login`, `role`, `client` (address), `path`, then
    `student`, or `rows` and `filters` (names of the filters, not their values), and `outcome`: `shown`, or
    the name of what it was refused with. Lines that come faster than they can be written, beyond 10,000, are
    counted, and the count is written. Raises AuditFileUnusable when it is made.
    """

    def __init__(self, file: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._queue: queue.Queue[str | None] = queue.Queue(_MOST)
        self._lost = 0
        self._failing = False
        if file is not None:
            try:
                _append(file, b"")
            except OSError as error:
                raise AuditFileUnusable(
                    f"MASTERY_WEB_AUDIT_FILE: {file} cannot be written: {error.strerror or error}",
                    hint="name a file in a folder that the worker may write to",
                ) from None
        self._thread: threading.Thread | None = None

    def student(self, viewer: Viewer, student: str, outcome: str = "shown") -> None:
        """Tell of a look at one student."""
        self._put(viewer, {"student": student, "outcome": outcome})

    def students(
        self,
        viewer: Viewer,
        rows: int,
        filters: Sequence[str] = (),
        *,
        student: str | None = None,
        outcome: str = "shown",
    ) -> None:
        """Tell of a list: how many rows, and which filters; `student` if they are all of one."""
        one = {} if student is None else {"student": student}
        self._put(viewer, {**one, "rows": rows, "filters": list(filters), "outcome": outcome})

    def stop(self) -> None:
        """Write what is waiting, for two seconds at most, and end."""
        if self._thread is None:
            return
        try:
            self._queue.put(None, timeout=_STOP_SECONDS)
        except queue.Full:
            return
        self._thread.join(_STOP_SECONDS)

    def _put(self, viewer: Viewer, more: dict[str, Any]) -> None:
        time = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        line = {
            "time": time.replace("+00:00", "Z"),
            "login": viewer.name,
            "role": viewer.role.value,
            "client": viewer.client,
            "path": viewer.path,
            **more,
        }
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
            self._thread.start()
        try:
            # ASCII alone: one line for every tool, whatever is in a name.
            self._queue.put_nowait(json.dumps(line))
        except queue.Full:
            self._lost += 1

    def _write(self) -> None:
        while True:
            lines = [self._queue.get()]
            while len(lines) < _BATCH and lines[-1] is not None:
                try:
                    lines.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            if lost := self._lost:
                self._lost -= lost
                lines.insert(0, json.dumps({"lost": lost}))
            self._out([line for line in lines if line is not None])
            if lines[-1] is None:
                return
            if len(lines) < _BATCH:
                time.sleep(_PAUSE)

    def _out(self, lines: list[str]) -> None:
        if self._file is not None:
            try:
                _append(self._file, "".join(f"{line}\n" for line in lines).encode("ascii"))
            except OSError as error:
                if not self._failing:
                    log.error(  # noqa: TRY400 - one line says it all
                        "the audit file cannot be written, so its lines go to the log: %s", error.strerror
                    )
                self._failing = True
            else:
                self._failing = False
                return
        for line in lines:
            _lines.info("%s", line)


def _append(file: Path, content: bytes) -> None:
    """Open it anew each time: whoever turns logs over may move it away."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)
