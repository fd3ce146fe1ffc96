"""`/api/events`: changes of rows as server-sent events, for as long as the client reads them in time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, Protocol

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from app.web.api.asked import EventsQuery
from app.web.models.stream import Change
from app.web.problems import NotReady
from app.web.security.viewer import Viewer

__all__ = ["Changes", "EventStreams"]

#: Seconds without a change until a comment is sent, so that nobody on the way takes the line for dead.
_KEEPALIVE: Final = 15.0
#: Milliseconds until a browser asks again when the stream ends.
_RETRY: Final = 3000
#: Seconds that a client may take to accept what is sent.
_SLOWEST: Final = 30.0


class Changes(Protocol):
    """Changes from now on, within what `viewer` may see. It ends for a reader that is too slow."""

    def __call__(self, viewer: Viewer, *, local: bool) -> AsyncIterator[Change]:
        """`local`: those of this worker's own partitions alone."""
        ...


class EventStreams:
    """The streams that are open, `most` at a time. For one event loop."""

    def __init__(self, *, most: int = 100, keepalive: float = _KEEPALIVE, slowest: float = _SLOWEST) -> None:
        self._most = most
        self._keepalive = keepalive
        self._slowest = slowest
        self.open = 0

    def response(self, changes: AsyncIterator[Change], query: EventsQuery) -> StreamingResponse:
        """Return the stream, which closes `changes` at its end. Raises NotReady when there are too many."""
        if self.open >= self._most:
            raise NotReady(f"{self._most} clients follow the changes already", headers={"Retry-After": "30"})
        self.open += 1
        return _Stream(self, changes, query)

    async def text(self, changes: AsyncIterator[Change], query: EventsQuery) -> AsyncIterator[str]:
        """Yield events, and comments while there is none."""
        yield f"retry: {_RETRY}\n\n"
        coming: asyncio.Task[Change | None] | None = None
        number = 0
        try:
            while True:
                coming = coming or asyncio.create_task(_next(changes))
                await asyncio.wait([coming], timeout=self._keepalive)
                if not coming.done():
                    yield f": {int(time.time())}\n\n"
                    continue
                change, coming = coming.result(), None
                if change is None:
                    return
                if _wanted(change, query):
                    number += 1
                    at = round(change.changed_at * 1000)
                    yield f"event: change\nid: {at}-{number}\ndata: {change.model_dump_json()}\n\n"
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    @property
    def slowest(self) -> float:
        """Seconds that a client may take to accept what is sent."""
        return self._slowest


class _Stream(StreamingResponse):
    """A stream that ends when the client does not take what is sent in time."""

    def __init__(self, streams: EventStreams, changes: AsyncIterator[Change], query: EventsQuery) -> None:
        self._streams = streams
        self._changes = changes
        self._text = streams.text(changes, query)
        super().__init__(
            self._text,
            media_type="text/event-stream",
            # The last is for nginx, which would hold the events back.
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def stream_response(self, send: Send) -> None:
        """Send each part within the time limit."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self._streams.slowest):
                await send(message)

        with contextlib.suppress(TimeoutError):
            await super().stream_response(in_time)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, and let everything go whatever ends it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.open -= 1
            for one in (self._text, self._changes):
                await _close(one)


async def _close(iterator: AsyncIterator[object]) -> None:
    if isinstance(iterator, AsyncGenerator):
        with contextlib.suppress(RuntimeError):  # it runs still, and ends by its own cancellation
            await iterator.aclose()


async def _next(changes: AsyncIterator[Change]) -> Change | None:
    return await anext(changes, None)


def _wanted(change: Change, query: EventsQuery) -> bool:
    return (
        query.account in (None, change.root_account_uuid)
        and query.user in (None, change.user_uuid)
        and query.outcome in (None, change.learning_outcome_id)
        and (query.course is None or query.course in change.courses)
    )
