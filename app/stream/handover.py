"""Between an agent and the checkpoint: batches that are processed and wait to be written.

While a checkpoint is on its way nothing can be written (30-60 ms on a broker at rest). Without this queue the
agent would wait with one batch in its hands for most of that time.
"""

import asyncio
import contextlib

from app.stream.batch import Output, RecordBatch, Touch
from app.stream.checkpoint import Checkpointer

__all__ = ["Handover"]

#: Batches. One checkpoint's time is worth two or three; a batch is at most one fetch of a partition, about 1
#: MiB.
_ROOM = 8


class Handover:
    """A bounded queue with one writer, so that batches are written in the order they were put in.

    That is the order in which `put` was called, whoever called it: a row that is computed again is made from
    what a batch before it staged.

    What still waits when the partitions are revoked is dropped by the checkpoint: it was not committed, so it
    is read again by the next owner.
    """

    def __init__(self, checkpointer: Checkpointer) -> None:
        self._checkpointer = checkpointer
        self._queue: asyncio.Queue[tuple[RecordBatch | Touch, Output]] = asyncio.Queue(_ROOM)
        # Queue.put lets a newcomer pass who is called while a waiter wakes up; Lock does not.
        self._turn = asyncio.Lock()
        self._emptied = asyncio.Event()

    async def put(self, batch: RecordBatch | Touch, output: Output) -> None:
        """Leave a processed batch to the writer; waits while there is no room."""
        async with self._turn:
            await self._queue.put((batch, output))
            self._emptied.clear()

    async def spare(self, patience: float) -> None:
        """Return once nothing waits to be written, after `patience` seconds at the latest.

        For work that is to let others go first: it is asked for before the work is done, not with its output
        in hand.
        """
        if not self._queue.empty():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._emptied.wait()

    async def run(self) -> None:
        """Write batches one after another, for ever.

        Raises:
            CheckpointFailed: nothing can be written any more.
        """
        while True:
            batch, output = await self._queue.get()
            if self._queue.empty():
                self._emptied.set()
            await self._checkpointer.write(batch, output)
