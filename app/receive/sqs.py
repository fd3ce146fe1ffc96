"""`mastery receive sqs`: events out of the queue that Canvas sends them to, and into the raw topic."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.routing import Mount

from app.errors import MasteryError
from app.receive.batch import Batch
from app.receive.delivery import Delivery
from app.receive.health import health_routes
from app.receive.metrics import ReceiveMetrics
from app.receive.queue import BATCH, Message, Queue, QueueUnusable
from app.receive.serving import Server, listen_for, serve_until_stopped
from app.settings import Settings, SettingsError, variable

__all__ = ["SqsReceiver", "receive_sqs"]

log = logging.getLogger(__name__)

#: Bytes of the largest message that SQS takes (since August 2025; 256 KiB before).
_LARGEST: Final = 1024 * 1024

#: Seconds between two calls that fail, at first and at last.
_AGAIN: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


_COUNTERS: Final = {
    "sqs_redelivered_total": "Messages that the queue had delivered before.",
    "sqs_left_total": "Times that a message was left in the queue as too large for the raw topic.",
    "sqs_undeleted_total": "Messages whose events were written, but that could not be deleted.",
    "sqs_failures_total": "Calls to the queue that failed.",
}


class SqsReceiver:
    """Empties a queue in several threads. A message is deleted once the broker has its event."""

    def __init__(self, settings: Settings) -> None:
        if settings.receive_sqs_queue is None:
            name = variable("receive_sqs_queue")
            raise SettingsError(f"{name} is not set", hint="docs/ingest.md tells how to make the queue")
        self._settings = settings
        pollers = settings.receive_sqs_pollers
        self._queue = Queue(
            settings.receive_sqs_queue, visibility=settings.receive_sqs_visibility, calls=pollers + 1
        )
        self._delivery = Delivery(
            settings, limit=pollers * BATCH * _LARGEST, records=pollers * BATCH, patience=0
        )
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._reports_over = False
        self._failed: MasteryError | None = None
        self._trouble: str | None = None
        self._age = 0.0
        self._counts = dict.fromkeys(_COUNTERS, 0)
        self._metrics = ReceiveMetrics("sqs", self._numbers())
        self.app = Starlette(
            routes=[Mount("/health", routes=health_routes(lambda: self.obstacle)), self._metrics.route()]
        )

    @property
    def obstacle(self) -> str | None:
        """Why events are not taken now; None when they are."""
        if self._stop.is_set():
            return "it is being stopped"
        return self._delivery.obstacle or self._trouble

    async def run(self, stop: asyncio.Event) -> None:
        """Empty the queue until `stop` is set. What was fetched is written, or given back.

        Raises MasteryError when the queue or Kafka cannot be used at all.
        """
        threads = [threading.Thread(target=self._guarded, args=(self._poll_reports,), name="reports")]
        try:
            await asyncio.to_thread(self._queue.check)
        except QueueUnusable as error:
            if error.permanent:
                raise
            self.complain(error)
        for number in range(self._settings.receive_sqs_pollers):
            name = f"sqs-{number + 1}"
            threads.append(threading.Thread(target=self._guarded, args=(self._empty,), name=name))
        threads.append(threading.Thread(target=self._guarded, args=(self._watch,), name="watch"))
        for thread in threads:
            thread.start()
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stopped.done() and self._failed is None:
                await asyncio.wait({stopped}, timeout=0.2)
        finally:
            stopped.cancel()
            self._stop.set()
            for thread in threads[1:]:
                await asyncio.to_thread(thread.join)
            self._reports_over = True
            await asyncio.to_thread(threads[0].join)
        if self._failed is not None:
            raise self._failed

    def _guarded(self, work: Callable[[], None]) -> None:
        """Run a thread's work; whatever ends it ends the process, for a process manager to start it again."""
        try:
            work()
        except MasteryError as error:
            self._failed = self._failed or error
        except Exception as error:
            log.critical("unexpected %s", type(error).__name__, exc_info=True)
            self._failed = self._failed or MasteryError(f"unexpected {type(error).__name__}")

    def _poll_reports(self) -> None:
        while not self._reports_over:
            self._delivery.poll(0.1)
            if self._delivery.failure is not None:
                raise self._delivery.failure

    def _watch(self) -> None:
        """Look at the broker from time to time."""
        while not self._stop.is_set():
            first = not self._delivery.topic_seen
            try:
                self._delivery.look()
            except MasteryError as error:
                # Later on it is somebody's mistake, who mends it: the queue keeps everything meanwhile.
                if first:
                    raise
                log.error("%s", error)  # noqa: TRY400 - the message says it all
            self._stop.wait(_AGAIN if self._delivery.obstacle else 5 * _AGAIN)

    def _empty(self) -> None:
        pause = _AGAIN
        while not self._stop.is_set():
            # Nothing is fetched that could not be written: it would only be hidden from others.
            if not self._delivery.topic_seen:
                self._stop.wait(0.1)
                continue
            try:
                messages = self._queue.receive()
            except QueueUnusable as error:
                self.complain(error)
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause, self._trouble = _AGAIN, None
            if messages:
                self._age = messages[0].age
                self._counts["sqs_redelivered_total"] += sum(message.deliveries > 1 for message in messages)
                Batch(self._queue, self._delivery, messages, self).run(
                    self._stop, self._settings.receive_sqs_visibility / 3
                )

    def done(self, messages: Sequence[Message], seconds: float, undeleted: int) -> None:
        """Count messages whose events were written, `seconds` after they were fetched."""
        with self._lock:
            for message in messages:
                self._metrics.accepted(len(message.event), seconds)
        self._count("sqs_undeleted_total", undeleted)

    def leave(self, message: Message) -> None:
        """Count and tell of one that stays in the queue."""
        self._count("sqs_left_total")
        log.error(
            "message %s is larger than the raw topic takes (%d bytes): it is left in the queue",
            message.id,
            len(message.event),
        )

    def complain(self, error: QueueUnusable) -> None:
        """Count and tell of a call that failed."""
        self._count("sqs_failures_total")
        self._trouble = str(error)
        log.error("%s", error)

    def _count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] += by

    def _numbers(self) -> dict[str, tuple[str, Callable[[], float]]]:
        counters = {name: (text, partial(self._counts.__getitem__, name)) for name, text in _COUNTERS.items()}
        return counters | {
            "ready": ("1 when events are taken, else 0.", lambda: self.obstacle is None),
            "in_flight_requests": ("Events that wait for the broker.", lambda: self._delivery.waiting),
            "sqs_age_seconds": ("Time that the newest message was in the queue.", lambda: self._age),
        }


def receive_sqs(settings: Settings) -> None:
    """Empty the queue until SIGTERM or SIGINT; health and metrics are served meanwhile.

    Raises:
        SettingsError: no queue is set.
        MasteryError: the address, the queue or Kafka cannot be used.
    """
    receiver = SqsReceiver(settings)
    asyncio.run(_serve(settings, receiver))


async def _serve(settings: Settings, receiver: SqsReceiver) -> None:
    server = Server(receiver.app, requests=0, grace=1)
    await serve_until_stopped(server, listen_for(settings), receiver.run)
