"""`mastery receive https`: requests of Canvas in, their events out to the raw topic."""

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from app.receive.budget import Budget
from app.receive.delivery import Delivery
from app.receive.door import open_door
from app.receive.events import EventEndpoint
from app.receive.health import health_routes
from app.receive.intake import Intake
from app.receive.keys import Fetch, KeySet, fetch_from
from app.receive.metrics import ReceiveMetrics
from app.receive.serving import Server, listen_for, serve_until_stopped
from app.receive.signed import Verifier
from app.settings import Settings

__all__ = ["HttpsReceiver", "receive_https"]

#: Seconds beyond the time-out of requests until the process ends whatever happens.
_GRACE: Final = 2.0


class HttpsReceiver:
    """One receiver, made of its settings. Belongs to the event loop that it is made in."""

    def __init__(self, settings: Settings, *, fetch: Fetch | None = None) -> None:
        self._settings = settings
        door = open_door(settings)
        self._budget = budget = Budget(
            requests=settings.receive_max_requests, size=settings.receive_max_bytes
        )
        self._delivery = Delivery(
            settings,
            limit=settings.receive_max_bytes,
            records=settings.receive_max_requests,
            patience=settings.receive_timeout,
        )
        self.intake = Intake(self._delivery)
        self._keys: KeySet | None = None
        verifier = None
        if settings.receive_signed:
            self._keys = KeySet(
                fetch or fetch_from(settings.receive_jwks_url), settings.receive_jwks_interval
            )
            verifier = Verifier(self._keys, issuer=settings.receive_issuer, leeway=settings.receive_leeway)
        metrics = ReceiveMetrics("https", self._numbers(budget))
        endpoint = EventEndpoint(
            self.intake,
            door,
            budget,
            metrics,
            verifier=verifier,
            largest=settings.max_message_bytes,
            timeout=settings.receive_timeout,
        )
        self.app = Starlette(
            routes=[
                Route("/events", endpoint, methods=["POST"]),
                Route("/events/{secret}", endpoint, methods=["POST"]),
                Mount("/health", routes=health_routes(lambda: self.obstacle)),
                metrics.route(),
            ]
        )
        # An address is right or wrong: Canvas follows no redirects, and one would show the secret.
        self.app.router.redirect_slashes = False

    @property
    def obstacle(self) -> str | None:
        """Why events are not taken now; None when they are."""
        if self._keys is not None and self._keys.fetched is None:
            return self.intake.obstacle or "the keys of Canvas could not be fetched yet"
        return self.intake.obstacle

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set, then what is under way.

        Raises MasteryError when nothing can be delivered any more.
        """
        delivering = asyncio.create_task(self.intake.run())
        keeping = None if self._keys is None else asyncio.create_task(self._keys.keep())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({delivering, stopped}, return_when=asyncio.FIRST_COMPLETED)
            self.intake.stopping = True
            if delivering.done():
                delivering.result()
            await self._drain()
        finally:
            for task in (delivering, keeping, stopped):
                if task is not None:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await task

    async def _drain(self) -> None:
        """Wait for the requests that had come before."""
        deadline = time.monotonic() + self._settings.receive_timeout + _GRACE
        while self._budget.requests and time.monotonic() < deadline:  # noqa: ASYNC110 - it is no event
            await asyncio.sleep(0.01)

    def _numbers(self, budget: Budget) -> dict[str, tuple[str, Callable[[], float]]]:
        numbers: dict[str, tuple[str, Callable[[], float]]] = {
            "ready": ("1 when events are taken, else 0.", lambda: self.obstacle is None),
            "in_flight_requests": ("Requests that wait for an answer.", lambda: budget.requests),
            "in_flight_bytes": ("Bytes of events that are held.", lambda: budget.bytes),
        }
        if (keys := self._keys) is not None:
            numbers |= {
                "keys_age_seconds": (
                    "Seconds since the keys of Canvas were fetched; NaN before.",
                    lambda: math.nan if keys.fetched is None else time.monotonic() - keys.fetched,
                ),
                "key_fetches_total": ("Requests for these keys.", lambda: keys.fetches),
                "key_fetch_failures_total": ("Those that failed.", lambda: keys.failures),
            }
        return numbers


def receive_https(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, and finish what is under way.

    Raises:
        SettingsError: anybody could bring events.
        MasteryError: the address cannot be used, or nothing can be delivered.
    """
    open_door(settings)
    listener = listen_for(settings)
    asyncio.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    receiver = HttpsReceiver(settings)
    server = Server(
        receiver.app, requests=settings.receive_max_requests, grace=settings.receive_timeout + _GRACE
    )
    await serve_until_stopped(server, listener, receiver.run)
