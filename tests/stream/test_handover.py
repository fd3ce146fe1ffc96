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


def test_nobody_overtakes_whoever_waits_for_room() -> None:
    """Output that was staged first must be written first, or an older row would be the last of its key."""

    async def main() -> None:
        checkpoint = SlowCheckpoint()
        handover = Handover(checkpoint)
        writing = asyncio.ensure_future(handover.run())
        for number in range(_ROOM + 1):
            await handover.put(make_batch(ASSIGNMENT, start=number), Output())
            await turns()

        async def first() -> None:
            await handover.put(make_batch(ASSIGNMENT, start=100), Output())

        async def second() -> None:
            # Awake in the very turn in which room was made, before `first` is.
            while handover._queue.full():  # noqa: ASYNC110 - each turn counts
                await asyncio.sleep(0)
            await handover.put(make_batch(ASSIGNMENT, start=101), Output())

        spinning = asyncio.ensure_future(second())
        waiting = asyncio.ensure_future(first())
        await turns()
        for _ in range(_ROOM + 3):
            checkpoint.allowed.release()
            await turns()
        assert checkpoint.written[-2:] == [100, 101]
        assert waiting.done()
        assert spinning.done()
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


def test_who_lets_others_go_first_waits_until_nothing_waits() -> None:
    async def main() -> None:
        checkpoint = SlowCheckpoint()
        handover = Handover(checkpoint)
        writing = asyncio.ensure_future(handover.run())
        await handover.spare(60.0)
        for number in range(3):
            await handover.put(make_batch(ASSIGNMENT, start=number), Output())
        sparing = asyncio.ensure_future(handover.spare(60.0))
        await turns()
        checkpoint.allowed.release()
        await turns()
        # The second is with the writer, the third waits.
        assert not sparing.done()
        checkpoint.allowed.release()
        await turns()
        assert sparing.done()
        await handover.put(make_batch(ASSIGNMENT, start=3), Output())
        again = asyncio.ensure_future(handover.spare(60.0))
        await turns()
        assert not again.done()
        again.cancel()
        writing.cancel()

    asyncio.run(main())


def test_who_lets_others_go_first_does_not_wait_for_ever() -> None:
    async def main() -> None:
        handover = Handover(SlowCheckpoint())
        await handover.put(make_batch(ASSIGNMENT), Output())
        await asyncio.wait_for(handover.spare(0.01), 5.0)

    asyncio.run(main())
