"""Brings what was committed into the state, in a thread of its own: behind the checkpoint."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from app.errors import MasteryError
from app.stream.batch import StateSink
from app.stream.errors import StateNotWritten

__all__ = ["StateWriter"]

log = logging.getLogger(__name__)

#: Seconds. A disk that is slower than that is broken; what is written takes some hundredths as a rule.
_PATIENCE = 60.0


class StateWriter:
    """Writes one checkpoint's changes after another. Used from the event loop only.

    A crash before they are written is mended from the changelog. `on_failure` is called when they cannot be;
    nothing is to be written then any more.
    """

    def __init__(self, state: StateSink, on_failure: Callable[[StateNotWritten], None]) -> None:
        self._state = state
        self._on_failure = on_failure
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="state")
        self._writing: asyncio.Task[None] | None = None
        self._closed = False

    async def idle(self) -> None:
        """Wait until nothing is being written. Waiters may be cancelled; the writing goes on."""
        while self._writing is not None:
            await asyncio.wait((self._writing,))

    def write(self, changes: Sequence[Any], written: Callable[[], None]) -> None:
        """Begin to write, and call `written` in the end. Only when `idle`; nothing happens once closed."""
        if not self._closed:
            self._writing = asyncio.get_running_loop().create_task(self._write(changes, written))

    def close(self) -> None:
        """Wait until what is being written is. To be called once, at the end.

        The state's files may be closed then, and SQLite ends a process that closes what it writes.
        """
        self._closed = True
        self._thread.shutdown(wait=True)

    async def _write(self, changes: Sequence[Any], written: Callable[[], None]) -> None:
        try:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._thread, lambda: self._state.write(changes))
            done, _ = await asyncio.wait((running,), timeout=_PATIENCE)
            if not done:
                self._on_failure(
                    StateNotWritten(
                        f"the state could not be written within {_PATIENCE:.0f} s",
                        hint="look at the disk of MASTERY_STATE_DIR",
                    )
                )
                # The files must not be closed meanwhile. The worker's end has a time-out of its own.
                await asyncio.wait((running,))
                return
            running.result()
        except MasteryError as error:
            self._on_failure(StateNotWritten(str(error), hint=error.hint))
        except Exception as error:
            log.exception("the state could not be written, in an unexpected way")
            self._on_failure(StateNotWritten(f"unexpected {type(error).__name__} in writing the state"))
        else:
            self._state.release(changes)
            written()
        finally:
            self._writing = None
