"""Messages of a queue that were fetched together, on their way into the raw topic."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, Protocol

from app.receive.delivery import Delivery, Outcome
from app.receive.queue import Message, Queue, QueueUnusable

__all__ = ["Batch", "Watcher"]

#: Seconds between two tries to write what the broker did not take.
_AGAIN: Final = 1.0

#: Seconds that are waited for the broker when the process is to stop.
_LAST_WAIT: Final = 5.0

#: Seconds that a message rests in the queue which the raw topic does not take.
_REST: Final = 3600

#: Tries to delete.
_TRIES: Final = 3


class Watcher(Protocol):
    """Is told what becomes of messages."""

    def done(self, messages: Sequence[Message], seconds: float, undeleted: int) -> None:
        """Events are written, `seconds` after they were fetched; so many messages could not be deleted."""

    def leave(self, message: Message) -> None:
        """One stays in the queue: it is larger than the raw topic takes."""

    def complain(self, error: QueueUnusable) -> None:
        """A call to the queue failed."""


class Batch:
    """Messages that were fetched together, until each is deleted, left, or given back."""

    def __init__(
        self,
        queue: Queue,
        delivery: Delivery,
        messages: Sequence[Message],
        watcher: Watcher,
    ) -> None:
        self._queue = queue
        self._delivery = delivery
        self._watcher = watcher
        #: Not deleted yet.
        self._here = {message.id: message for message in messages}
        self._outcomes: dict[str, Outcome] = {}
        self._changed = threading.Condition()
        self._began = time.monotonic()

    def run(self, stop: threading.Event, keep_every: float) -> None:
        """Write all, and delete what is written; what is not yet is kept from others meanwhile."""
        self._send(self._here.values())
        kept = time.monotonic()
        until: float | None = None
        while self._here:
            with self._changed:
                if not self._outcomes:
                    self._changed.wait(min(_AGAIN, keep_every))
                outcomes, self._outcomes = self._outcomes, {}
            again = self._settle(outcomes)
            now = time.monotonic()
            if self._here and now - kept > keep_every:
                kept = now
                self._call(partial(self._queue.hide, list(self._here.values())))
            if stop.is_set():
                until = until or now + _LAST_WAIT
                if now > until or self._delivery.failure is not None:
                    break
            elif again:
                stop.wait(_AGAIN)
            self._send(again)
        if self._here:
            self._call(partial(self._queue.hide, list(self._here.values()), 0))

    def _send(self, messages: Iterable[Message]) -> None:
        for message in messages:
            report = partial(self._report, message.id)
            if not self._delivery.send(message.event, report):
                report(Outcome(delivered=False))

    def _report(self, name: str, outcome: Outcome) -> None:
        with self._changed:
            self._outcomes[name] = outcome
            self._changed.notify()

    def _settle(self, outcomes: dict[str, Outcome]) -> list[Message]:
        """Delete what is written, leave what is too large; return what is to be tried again."""
        found = [(self._here[name], outcome) for name, outcome in outcomes.items()]
        written = [message for message, outcome in found if outcome.delivered]
        too_large = [message for message, outcome in found if outcome.too_large]
        for message in (*written, *too_large):
            del self._here[message.id]
        if written:
            seconds = time.monotonic() - self._began
            self._watcher.done(written, seconds, self._delete(written))
        if too_large:
            for message in too_large:
                self._watcher.leave(message)
            self._call(partial(self._queue.hide, too_large, _REST))
        return [message for message, outcome in found if not (outcome.delivered or outcome.too_large)]

    def _delete(self, messages: list[Message]) -> int:
        """Return how many could not be deleted: they come again, and are the same bytes then."""
        for _ in range(_TRIES):
            if not messages:
                break
            try:
                messages = self._queue.delete(messages)
            except QueueUnusable as error:
                self._watcher.complain(error)
                break
        return len(messages)

    def _call(self, call: Callable[[], None]) -> None:
        try:
            call()
        except QueueUnusable as error:
            self._watcher.complain(error)
