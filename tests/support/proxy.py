"""A TCP proxy that makes faults: slow, cut, silent and half-open links.

Own code rather than toxiproxy, a Go program that a machine would have to build first; and this one can look
into what it passes on (`KafkaProxy` in tests/chaos/network.py).
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self, TypeVar

from tests.support.ports import stable_port

__all__ = ["FaultProxy", "Link"]

_T = TypeVar("_T")
_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)


class Link:
    """One connection of a client, and the one behind it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._ends = (client, server)
        #: Answers are swallowed, and the first of them resets the link.
        self.deaf = False

    def reset(self) -> None:
        """End both connections with a TCP reset: what is on its way is lost."""
        for end in self._ends:
            raw = end.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


class FaultProxy:
    """Passes connections to `port` on 127.0.0.1 on to `upstream` (HOST:PORT), in a thread of its own.

    Faults hold for all links, those of now and those to come, until `heal`. They can be set from any thread.
    """

    def __init__(self, upstream: str = "", *, port: int | None = None) -> None:
        self.port = stable_port() if port is None else port
        self.upstream = upstream
        self.links: set[Link] = set()
        #: Connections that were accepted since the start.
        self.accepted = 0
        self._latency = 0.0
        self._rate: float | None = None
        self._refusing = False
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Address for clients, HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to accept connections."""
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._accept, "127.0.0.1", self.port), self._loop
        )
        self._server = listening.result(10.0)

    def close(self) -> None:
        """End all links and the thread."""
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()

    def slow(self, latency: float = 0.0, rate: float | None = None) -> None:
        """Hold each chunk (64 KiB at most) up for `latency` s, then let through `rate` bytes a second.

        Each way of each link by itself. A chunk waits for the one before it, as behind a full TCP window.
        """

        def set_both() -> None:
            self._latency, self._rate = latency, rate

        self._do(set_both)

    def reset(self) -> None:
        """Reset every link once; new ones are taken."""
        self._do(self._reset_all)

    def cut(self) -> None:
        """Reset every link, and each new one at once."""

        def cut() -> None:
            self._refusing = True
            self._reset_all()

        self._do(cut)

    def blackhole(self) -> None:
        """Links stay open and new ones are taken, but nothing comes through, not even that an end closed.

        What was sent meanwhile arrives after `heal`, as TCP would send it again.
        """
        self._do(self._flowing.clear)

    def heal(self) -> None:
        """End every fault."""

        def heal() -> None:
            self._refusing, self._latency, self._rate = False, 0.0, None
            self._flowing.set()

        self._do(heal)

    def sent(self, link: Link, data: bytes) -> bool:
        """Look at what a client sent, in the proxy's thread; False to have the link reset instead."""
        return True

    def opened(self, link: Link) -> None:
        """Learn of a new link, in the proxy's thread."""

    def closed(self, link: Link) -> None:
        """Learn of a link's end, in the proxy's thread."""

    def _do(self, call: Callable[[], _T]) -> _T:
        """Run it in the proxy's thread, and wait for it."""

        async def run() -> _T:
            return call()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        self._reset_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _reset_all(self) -> None:
        for link in self.links:
            link.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._refusing:
            writer.transport.abort()
            return
        await self._flowing.wait()
        host, _, port = self.upstream.rpartition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, far_writer)
        self.links.add(link)
        self.opened(link)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(link, reader, far_writer, from_client=True))
                both.create_task(self._pump(link, far_reader, writer, from_client=False))
        except* OSError:
            pass
        finally:
            self.links.discard(link)
            self.closed(link)
            link.reset()

    async def _pump(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_client: bool
    ) -> None:
        while True:
            data = await reader.read(_CHUNK)
            await self._flowing.wait()
            if not data:
                # One side has closed: the other learns it, and this ends both.
                raise ConnectionError
            if (delay := self._latency + (len(data) / self._rate if self._rate else 0.0)) > 0:
                await asyncio.sleep(delay)
                await self._flowing.wait()
            if from_client:
                if not self.sent(link, data):
                    raise ConnectionError
            elif link.deaf:
                raise ConnectionError
            writer.write(data)
            await writer.drain()
