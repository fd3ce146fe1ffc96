"""Connections on which a request comes in time, or which are closed: each takes one of few open files."""

import asyncio
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["TimedConnection"]

#: Seconds for the head of a request, from its first byte or from the connection's begin on. Uvicorn waits for
#: ever: whoever opens connections and says nothing would take all that a process may have, without a login.
_HEAD: Final = 10.0


class TimedConnection(H11Protocol):
    """Uvicorn's HTTP with a time limit for a request to come in; `timeout_keep_alive` holds between two."""

    _late: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    @override
    def data_received(self, data: bytes) -> None:
        if self._late is None and not self._answers():
            self._wait()
        super().data_received(data)
        if self._answers():
            self._end()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def _answers(self) -> bool:
        """Whether a request has come that is not answered yet."""
        # Before the first request there is no cycle, whatever its annotation says.
        return getattr(self.cycle, "response_complete", True) is False

    def _wait(self) -> None:
        self._late = self.loop.call_later(_HEAD, self.transport.close)

    def _end(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
