"""A delivery in an event loop: its reports are made there, and the broker is looked after."""

import asyncio
import contextlib
import logging
from typing import Final

from app.errors import MasteryError
from app.receive.delivery import Delivery, DeliveryReport

__all__ = ["Intake"]

log = logging.getLogger(__name__)

#: Seconds between two looks for reports, while some are waited for and while none are.
_SOON: Final = 0.002
_IDLE: Final = 0.5

#: Seconds between two looks at the broker, until it was seen and afterwards.
_FIRST: Final = 1.0
_LATER: Final = 5.0


class Intake:
    """Belongs to one event loop. `run` must be running for reports to be made.

    Reports are fetched by a look every 2 ms while some are waited for, instead of by a thread: a thread and
    the loop would take the interpreter from each other at each of them.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._sent = asyncio.Event()
        self.stopping = False

    @property
    def obstacle(self) -> str | None:
        """Why no events are taken now, or would be to no avail; None when they are."""
        return "it is being stopped" if self.stopping else self._delivery.obstacle

    @property
    def open(self) -> bool:
        """Whether events can be handed over at all: the raw topic has been seen."""
        return self._delivery.topic_seen

    def send(self, event: bytes, report: DeliveryReport) -> bool:
        """Hand an event over; False when the queue is full. The report is made in this loop.

        Raises BrokerFailure when the producer can do no more.
        """
        taken = self._delivery.send(event, report)
        self._sent.set()
        return taken

    async def run(self) -> None:
        """Make reports until cancelled.

        Raises:
            MasteryError: nothing can be delivered any more, or ever could with these settings.
        """
        watch = asyncio.create_task(self._watch())
        try:
            while not watch.done():
                self._delivery.poll(0)
                if self._delivery.failure is not None:
                    raise self._delivery.failure
                if self._delivery.waiting:
                    await asyncio.sleep(_SOON)
                    continue
                self._sent.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE):
                        await self._sent.wait()
            watch.result()
        finally:
            watch.cancel()

    async def _watch(self) -> None:
        """Look at the broker from time to time; raises what no waiting changes."""
        before: str | None = None
        while True:
            first = not self._delivery.topic_seen
            try:
                await asyncio.to_thread(self._delivery.look)
            except MasteryError:
                # Later on it is somebody's mistake, who mends it: to end would not help.
                if first:
                    raise
            obstacle = self._delivery.obstacle
            if obstacle != before:
                if obstacle is not None:
                    log.error("events are answered with 503: %s", obstacle)
                else:
                    log.info("the broker takes events")
                before = obstacle
            await asyncio.sleep(_FIRST if obstacle is not None else _LATER)
