import asyncio

import pytest

from app.stream.batch import Output, RecordBatch
from app.stream.errors import CheckpointFailed
from app.stream.handover import _ROOM, Handover
from tests.stream.fakes import assignment_of, make_batch

ASSIGNMENT = assignment_of(1)


class SlowCheckpoint:
    """Writes when it is allowed to."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.allowed = asyncio.Semaphore(0)
        self.failure: CheckpointFailed | None = None

    async def write(self, batch: RecordBatch, output: Output) -> bool:
        await self.allowed.acquire()
        if self.failure is not None:
            raise self.failure
        self.written.append(batch.start)
        return True


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_batches_are_written_in_order_and_few_wait() -> None:
    async def main() -> None:
        checkpoint = SlowCheckpoint()
        handover = Handover(checkpoint)
        writing = asyncio.ensure_future(handover.run())
        put: list[int] = []

        async def agent() -> None:
            for number in range(20):
                await handover.put(make_batch(ASSIGNMENT, start=number), Output())
                put.append(number)

        agent_task = asyncio.ensure_future(agent())
        await turns()
        # One with the writer, the rest in the queue.
        assert len(put) == _ROOM + 1
        assert checkpoint.written == []
        for _ in range(20):
            checkpoint.allowed.release()
        await turns()
        assert checkpoint.written == list(range(20))
        assert agent_task.done()
        writing.cancel()

    asyncio.run(main())


def test_a_failed_checkpoint_ends_the_writer() -> None:
    async def main() -> None:
        checkpoint = SlowCheckpoint()
        handover = Handover(checkpoint)
        checkpoint.failure = CheckpointFailed("no")
        checkpoint.allowed.release()
        await handover.put(make_batch(ASSIGNMENT), Output())
        with pytest.raises(CheckpointFailed):
            await asyncio.wait_for(handover.run(), 5.0)

    asyncio.run(main())
