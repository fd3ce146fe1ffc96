"""Posts events as Canvas does: one a request, and again those that were not answered with 200."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

__all__ = ["Poster"]

_PATIENCE = 15.0  # Canvas's
_AGAIN = 0.2  # not Canvas's, which waits for minutes


class Poster:
    """Sends `count` events over so many connections at a time; `event(n)` makes the n-th.

    `accepted` holds those that were answered with 200, `statuses` counts all answers (0: none), and `seconds`
    are what those with 200 took.
    """

    def __init__(
        self, port: int, path: str, event: Callable[[int], bytes], count: int, connections: int = 64
    ) -> None:
        self._port = port
        self._path = path
        self._event = event
        self._numbers = iter(range(count))
        self._connections = connections
        self.accepted: set[int] = set()
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.stop = False

    async def run(self) -> None:
        """Send until all were answered with 200, or `stop` is set."""
        await asyncio.gather(*(self._send() for _ in range(self._connections)))

    async def _send(self) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for number in self._numbers:
            body = self._event(number)
            head = f"POST {self._path} HTTP/1.1\r\nHost: receiver\r\nContent-Length: {len(body)}\r\n\r\n"
            while not self.stop:
                status = 0
                began = time.perf_counter()
                try:
                    if streams is None:
                        streams = await asyncio.open_connection("127.0.0.1", self._port)
                    streams[1].write(head.encode() + body)
                    async with asyncio.timeout(_PATIENCE):
                        status, close = await _answer(streams[0])
                    if close:
                        streams[1].close()
                        streams = None
                except (OSError, TimeoutError, asyncio.IncompleteReadError):
                    if streams is not None:
                        streams[1].close()
                        streams = None
                self.statuses[status] += 1
                if status == 200:
                    self.accepted.add(number)
                    self.seconds.append(time.perf_counter() - began)
                    break
                await asyncio.sleep(_AGAIN)
        if streams is not None:
            streams[1].close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Return the status, and whether the connection is closed after it."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    await reader.readexactly(length)
    return int(head.split(None, 2)[1]), b"connection: close" in head
