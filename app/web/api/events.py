"""`/api/events`: changes of rows as server-sent events, for as long as the client reads them in time."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from app.web.api.asked import EventsQuery
from app.web.models.stream import Change
from app.web.problems import NotReady, TooManyRequests

__all__ = ["EventStreams"]

#: Seconds without a change until a comment is sent, so that nobody on the way takes the line for dead.
_KEEPALIVE: Final = 15.0
#: Milliseconds until a browser asks again when the stream ends.
_RETRY: Final = 3000
#: Seconds that a client may take to accept what is sent.
_SLOWEST: Final = 30.0
#: Seconds after which a client has to ask again, as who has lost its login is not noticed before.
_LONGEST: Final = 900.0
#: Streams of one login at a time.
_EACH: Final = 25


class EventStreams:
    """The streams that are open, `most` at a time, and `each` of one login. For one event loop."""

    def __init__(
        self,
        *,
        most: int = 100,
        each: int = _EACH,
        keepalive: float = _KEEPALIVE,
        slowest: float = _SLOWEST,
        longest: float = _LONGEST,
    ) -> None:
        self._most = most
        self._each = each
        self._keepalive = keepalive
        self._slowest = slowest
        self._longest = longest
        self._by_login: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many there are."""
        return self._by_login.total()

    def response(
        self, changes: AsyncIterator[Change], query: EventsQuery, *, login: str = ""
    ) -> StreamingResponse:
        """Return the stream, which closes `changes` at its end; "" is no login, but another worker.

        Raises NotReady when there are too many, TooManyRequests when one login has too many.
        """
        if self.open >= self._most:
            raise NotReady(f"{self._most} clients follow the changes already", headers={"Retry-After": "30"})
        if login and self._by_login[login] >= self._each:
            raise TooManyRequests(
                f"This login follows the changes {self._each} times already.", headers={"Retry-After": "30"}
            )
        self._by_login[login] += 1
        return _Stream(self, changes, query, login)

    def ended(self, login: str) -> None:
        """Hear of the end of a stream."""
        self._by_login[login] -= 1
        # Names of all who ever came are not to be kept.
        self._by_login = +self._by_login

    async def text(self, changes: AsyncIterator[Change], query: EventsQuery) -> AsyncIterator[str]:
        """Yield events, and comments while there is none."""
        yield f"retry: {_RETRY}\n\n"
        coming: asyncio.Task[Change | None] | None = None
        number = 0
        until = time.monotonic() + self._longest
        try:
            while time.monotonic() < until:
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

    def __init__(
        self, streams: EventStreams, changes: AsyncIterator[Change], query: EventsQuery, login: str
    ) -> None:
        self._streams = streams
        self._login = login
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
            self._streams.ended(self._login)
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
