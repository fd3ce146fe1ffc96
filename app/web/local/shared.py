"""What is slow to find out, found out in a thread, once for all who ask at the same time."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import MasteryError
from app.kafka import AccessDenied
from app.web.problems import BrokerAway, BrokerRefuses, Problem

__all__ = ["PATIENCE", "Made", "Shared", "broker_away", "from_broker"]

#: Seconds that a request waits for Kafka.
PATIENCE = 2.0
_RETRY = {"Retry-After": "5"}

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Made(Generic[_Value]):
    """What was found, and when: seconds since 1970 at which finding out began, so nothing is older."""

    value: _Value
    at: float


class Shared(Generic[_Value]):
    """The outcome of `make`, kept for `keep` seconds; a failure is kept as long, so that nobody storms.

    `make` runs in a daemon thread, never twice at once: a broker that is gone must hold neither a request
    nor the end of the process.
    """

    def __init__(
        self, make: Callable[[], _Value], *, keep: float, name: str, patience: float = PATIENCE
    ) -> None:
        self.patience = patience
        """Seconds that whoever asks waits."""
        self._make = make
        self._keep = keep
        self._name = name
        self._lock = threading.Lock()
        self._running: Future[Made[_Value]] | None = None
        self._ended = float("-inf")

    async def get(self, patience: float | None = None) -> Made[_Value]:
        """Return what is known, or wait for it: as long as `patience` says, in seconds, or its own.

        Raises TimeoutError, while it goes on being found out, and whatever `make` raises.
        """
        waiting = asyncio.wrap_future(self._begun())
        # Whoever stops waiting must not cancel it for the others, nor have its failure go unheard of.
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        longest = self.patience if patience is None else patience
        return await asyncio.wait_for(asyncio.shield(waiting), longest)

    def _begun(self) -> Future[Made[_Value]]:
        with self._lock:
            running = self._running
            fresh = time.monotonic() - self._ended < self._keep
            if running is not None and (not running.done() or fresh):
                return running
            self._running = running = Future()
            running.set_running_or_notify_cancel()
        threading.Thread(target=self._find_out, args=(running,), name=self._name, daemon=True).start()
        return running

    def _find_out(self, running: Future[Made[_Value]]) -> None:
        began = time.time()
        try:
            value = self._make()
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for it
            self._ended = time.monotonic()
            running.set_exception(error)
        else:
            self._ended = time.monotonic()
            running.set_result(Made(value, began))


async def from_broker(shared: Shared[_Value], broker: str) -> Made[_Value]:
    """Return what is shared; raises BrokerAway where Kafka does not give it in time, or refuses."""
    try:
        return await shared.get()
    except (TimeoutError, MasteryError) as error:
        raise broker_away(error, broker, shared.patience) from None


def broker_away(error: Exception, broker: str, patience: float = PATIENCE) -> Problem:
    """Say that Kafka does not give what was asked for: in time, to this worker, or at all."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, AccessDenied):
        return BrokerRefuses(str(error), hint=error.hint, headers=_RETRY)
    if isinstance(error, MasteryError):
        return BrokerAway(str(error), hint=error.hint, headers=_RETRY)
    return BrokerAway(
        f"Kafka at {broker} has not answered within {patience:.0f} s",
        hint="students and outcomes can be looked at meanwhile: they are in the workers' own state",
        headers=_RETRY,
    )
