"""Look-ups at a fixed rate, from a process of their own.

Each has its time by the schedule, and is late from that time on: a server that stands still for a moment
makes all look-ups of that moment late, as it would for people. Connections stay open, as a browser's do.
"""

import asyncio
import contextlib
import multiprocessing
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Self

__all__ = ["Answered", "Load"]

_CONNECTIONS = 16
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Answered:
    """One look-up: a student's, or a list. Status 0: no answer. Seconds from its time by the schedule."""

    student: bool
    status: int
    seconds: float
    bytes: int


class Load:
    """Asks 127.0.0.1:`port` while it is on; what was answered is told in the end."""

    def __init__(self, port: int, rate: float, students: Sequence[str], lists: Sequence[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._on = context.Event()
        self._over = context.Event()
        self._mine, theirs = context.Pipe()
        self._process = context.Process(
            target=_ask, args=(port, rate, students, lists, self._on, self._over, theirs), daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._process.join(5)
        self._process.kill()

    def switch(self, *, on: bool) -> None:
        """Begin or pause."""
        (self._on.set if on else self._on.clear)()

    def answers(self) -> list[Answered]:
        """End, and return all that was answered."""
        self._over.set()
        told: list[Answered] = self._mine.recv()
        return told


def _ask(
    port: int,
    rate: float,
    students: Sequence[str],
    lists: Sequence[str],
    on: Event,
    over: Event,
    out: Connection,
) -> None:
    out.send(asyncio.run(_run(port, rate, students, lists, on, over)))


async def _run(
    port: int, rate: float, students: Sequence[str], lists: Sequence[str], on: Event, over: Event
) -> list[Answered]:
    random_ = random.Random(1)  # noqa: S311 - the same look-ups each time
    waiting: asyncio.Queue[tuple[float, str, bool]] = asyncio.Queue()
    answered: list[Answered] = []
    asking = [asyncio.create_task(_connection(port, waiting, answered)) for _ in range(_CONNECTIONS)]
    due = time.perf_counter()
    while not over.is_set():
        now = time.perf_counter()
        if not on.is_set():
            due = now
            await asyncio.sleep(0.02)
            continue
        while due <= now:
            # One in twenty is a page of a list.
            student = random_.random() >= 0.05
            path = f"/api/users/{random_.choice(students)}" if student else random_.choice(lists)
            waiting.put_nowait((due, path, student))
            due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(waiting.join(), _PATIENCE)
    for task in asking:
        task.cancel()
    return answered


async def _connection(
    port: int, waiting: "asyncio.Queue[tuple[float, str, bool]]", answered: list[Answered]
) -> None:
    reader: asyncio.StreamReader | None = None
    while True:
        due, path, student = await waiting.get()
        try:
            if reader is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            status = int(head.split(maxsplit=2)[1])
        except (OSError, ValueError, asyncio.IncompleteReadError):
            reader, status, length = None, 0, 0
        answered.append(Answered(student, status, time.perf_counter() - due, length))
        waiting.task_done()
