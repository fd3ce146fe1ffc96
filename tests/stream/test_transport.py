import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from aiokafka.errors import CorruptRecordException, TopicAuthorizationFailedError
from aiokafka.structs import TopicPartition
from confluent_kafka import Producer
from faust.types import TP

from app.errors import MasteryError
from app.stream.application import StreamApp
from app.stream.batch import Assignment, Output, Touch
from app.stream.checkpoint import Checkpointer
from app.stream.consumer_thread import BatchConsumerThread
from app.stream.errors import FetchRefused, OffsetWentBack
from app.stream.progress import Phase, Progress
from app.stream.transport import BatchConsumer, NoProducer
from tests.stream.copying import CopyingWorker, Scene
from tests.stream.fakes import FakeProducer, FakeRecord, output_of
from tests.support.records import produce

PLACE = TP("raw", 0)


def copy_what_is_committed(scene: Scene) -> tuple[dict[bytes | None, int], int]:
    """Let a worker copy records, some of which were aborted; return values and exit status."""
    scene.create_topics()
    config = {"bootstrap.servers": scene.bootstrap, "log_level": 0}
    transactional = Producer(config | {"transactional.id": scene.name})
    transactional.init_transactions()
    produce(scene.bootstrap, scene.source, [b"plain"] * 5, partition=0)
    for value, end in (
        (b"committed", transactional.commit_transaction),
        (b"aborted", transactional.abort_transaction),
    ):
        transactional.begin_transaction()
        for _ in range(5):
            transactional.produce(scene.source, value, partition=0)
        transactional.flush(10.0)
        end()
    produce(scene.bootstrap, scene.source, [b"plain"] * 5, partition=0)
    transactional.begin_transaction()
    transactional.produce(scene.source, b"aborted", partition=0)
    transactional.flush(10.0)
    transactional.abort_transaction()
    with CopyingWorker(scene, scene.job(max_records=4)).running() as worker:
        # 21 records and the markers of three transactions: past the last of them there is no lag.
        worker.wait_for_records(24)
        exit_status = worker.terminate()
    return dict(scene.copied()), exit_status


SCENARIOS = {"test_records_of_aborted_transactions_are_not_delivered": copy_what_is_committed}


@pytest.mark.kafka
def test_records_of_aborted_transactions_are_not_delivered(outcome: tuple[dict[bytes, int], int]) -> None:
    assert outcome == ({b"plain": 10, b"committed": 5}, 0)


class FakeThread:
    """The consumer's thread: fetches wait in `fetches` until the test answers them."""

    def __init__(self) -> None:
        self.sought: list[dict[tuple[str, int], int]] = []
        self.fetches: asyncio.Queue[asyncio.Future[dict[TP, list[FakeRecord]]]] = asyncio.Queue()
        self.seek_may_end = asyncio.Event()
        self.seek_may_end.set()
        self.read_to: dict[tuple[str, int], int] = {}
        self.earliest = 0

    def positions(self) -> dict[tuple[str, int], int]:
        return self.read_to

    async def earliest_offsets(self, *places: TP) -> dict[TopicPartition, int]:
        return {TopicPartition(*place): self.earliest for place in places}

    def member_id(self) -> str:
        return "member"

    async def seek_all(self, positions: Mapping[tuple[str, int], int]) -> None:
        await self.seek_may_end.wait()
        self.sought.append(dict(positions))

    async def getmany(self, partitions: set[TP], timeout: float) -> dict[TP, list[FakeRecord]]:  # noqa: ASYNC109
        answer = asyncio.get_running_loop().create_future()
        self.fetches.put_nowait(answer)
        return await answer


class FakeOffsets:
    """Stable offsets that are told when the test says so."""

    def __init__(self) -> None:
        self.value = 10
        self.asked = 0

    def positions(self, partitions: frozenset[tuple[str, int]]) -> dict[tuple[str, int], int]:
        self.asked += 1
        return dict.fromkeys(partitions, self.value)


class SlowState:
    """State whose restore ends when the test says so, or when it is not wanted any more."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.restoring = 0
        self.most_at_once = 0
        self.given_up = 0
        self.error: MasteryError | None = None

    def take_over(self, assignment: Assignment, cancelled: Callable[[], bool]) -> bool:
        self.restoring += 1
        self.most_at_once = max(self.most_at_once, self.restoring)
        self.began.set()
        try:
            while not self.may_end.wait(0.005):
                if cancelled():
                    return False
            if self.error is not None:
                raise self.error
            return not cancelled()
        finally:
            self.restoring -= 1

    def give_up(self) -> None:
        self.given_up += 1

    def write(self, changes: Iterable[Any]) -> None:
        raise NotImplementedError

    def release(self, changes: Iterable[Any]) -> None:
        raise NotImplementedError


class Worker:
    """A consumer of a real app, between a thread and a producer that are made up."""

    def __init__(self) -> None:
        self.app = StreamApp(
            "group",
            progress=Progress(),
            prepare=mock.Mock(),
            checkpoint_interval=0.0,
            options={"broker": "kafka://127.0.0.1:1"},
        )
        self.app.finalize()
        self.producer = FakeProducer()
        self.failures: list[Exception] = []
        self.app.checkpointer = Checkpointer(
            self.producer, self.app.progress, "group", interval=0.0, on_failure=self.failures.append
        )
        self.app.stable_offsets = self.offsets = FakeOffsets()
        self.consumer: BatchConsumer = self.app.consumer
        self.consumer._thread.thread_loop.close()
        self.consumer._thread = self.thread = FakeThread()
        self.delivered: list[Any] = []
        self.consumer.callback = self.deliver
        # What Faust does with a rebalance beyond the consumer.
        self.after_revoke = mock.AsyncMock()
        self.consumer._on_partitions_revoked = self.after_revoke
        self.consumer._on_partitions_assigned = mock.AsyncMock()
        self.consumer.resume_flow()
        self.fetcher = SimpleNamespace(_stopped=asyncio.Event())

    async def deliver(self, message: Any) -> None:
        self.delivered.append(message.value)

    async def assign(self, generation: int) -> Assignment:
        await self.consumer.on_partitions_assigned({PLACE}, generation)
        assert self.consumer._assigned is not None
        return self.consumer._assigned

    async def revoke(self) -> None:
        await self.consumer.on_partitions_revoked({PLACE})

    def reading(self) -> asyncio.Task[None]:
        """Start the inner loop."""
        return asyncio.ensure_future(self.consumer._drain_messages(self.fetcher))

    async def fetch(self) -> asyncio.Future[dict[TP, list[FakeRecord]]]:
        """Wait for the next fetch; the test answers it."""
        return await asyncio.wait_for(self.thread.fetches.get(), 5.0)


def records(*offsets: int) -> dict[TP, list[FakeRecord]]:
    return {PLACE: [FakeRecord(offset) for offset in offsets]}


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def run(test: Callable[[Worker], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an async test with a worker of its own."""

    def wrapped() -> None:
        async def main() -> None:
            worker = Worker()
            try:
                await asyncio.wait_for(test(worker), 20.0)
            finally:
                worker.app.checkpointer.close()

        asyncio.run(main())

    wrapped.__name__ = test.__name__
    return wrapped


@run
async def test_partitions_are_read_from_their_stable_offsets(worker: Worker) -> None:
    assignment = await worker.assign(3)
    assert await worker.consumer.take_over()
    assert worker.thread.sought == [{("raw", 0): 10}]
    assert worker.app.checkpointer.is_current(assignment)
    seen = worker.app.progress.snapshot()
    assert (seen.phase, seen.generation, seen.partitions[0].committed) == (Phase.RUNNING, 3, 10)


@run
async def test_a_fetch_becomes_one_batch_of_its_partition(worker: Worker) -> None:
    assignment = await worker.assign(3)
    await worker.consumer.take_over()
    reading = worker.reading()
    (await worker.fetch()).set_result(records(12, 13))
    (await worker.fetch()).set_result(records(14, 16))
    await worker.fetch()
    reading.cancel()
    batches = [(batch.start, batch.position, batch.assignment) for batch in worker.delivered]
    assert batches == [(10, 14, assignment), (14, 17, assignment)]
    assert worker.app.progress.snapshot().partitions[0].read == 17


@run
async def test_markers_after_the_last_record_belong_to_its_batch(worker: Worker) -> None:
    await worker.assign(3)
    await worker.consumer.take_over()
    reading = worker.reading()
    fetch = await worker.fetch()
    worker.thread.read_to = {("raw", 0): 15}
    fetch.set_result(records(10, 11))
    await worker.fetch()
    reading.cancel()
    assert [(batch.start, batch.position) for batch in worker.delivered] == [(10, 15)]


@run
async def test_a_partition_read_on_without_records_is_committed_on_but_not_all_the_time(
    worker: Worker,
) -> None:
    await worker.assign(3)
    await worker.consumer.take_over()
    worker.app.progress.ends({("raw", 0): 12})
    reading = worker.reading()
    for position in (12, 14):
        fetch = await worker.fetch()
        worker.thread.read_to = {("raw", 0): position}
        fetch.set_result({})
    await worker.fetch()
    reading.cancel()
    (batch,) = worker.delivered
    assert (batch.start, batch.position, batch.records) == (10, 12, [])
    await worker.app.checkpointer.write(batch, Output())
    await worker.app.checkpointer.drain()
    assert worker.producer.committed[0][1] == {("raw", 0): 12}
    assert worker.app.progress.snapshot().partitions[0].lag == 0


@pytest.mark.parametrize(("earliest", "logged"), [(10, []), (14, ["4 records of raw partition 0"])])
def test_a_gap_is_a_loss_only_where_the_partition_begins_above_it(
    earliest: int, logged: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    @run
    async def test(worker: Worker) -> None:
        worker.thread.earliest = earliest
        await worker.assign(3)
        await worker.consumer.take_over()
        await worker.consumer.add_future(worker.consumer._report_loss(PLACE, 10))

    test()
    told = [record.getMessage() for record in caplog.records if "deleted by retention" in record.getMessage()]
    assert [line.partition(" were ")[0] for line in told] == logged


@run
async def test_a_reset_below_the_position_ends_the_stream(worker: Worker) -> None:
    await worker.assign(3)
    await worker.consumer.take_over()
    reading = worker.reading()
    fetch = await worker.fetch()
    worker.thread.read_to = {("raw", 0): 0}
    worker.app.fail = mock.Mock()
    fetch.set_result({})
    await asyncio.wait_for(reading, 5.0)
    (error,) = worker.app.fail.call_args.args
    assert isinstance(error, OffsetWentBack)


@run
async def test_nothing_is_taken_over_without_an_assignment(worker: Worker) -> None:
    assert not await worker.consumer.take_over()
    assert worker.offsets.asked == 0


@run
async def test_revoked_while_offsets_are_read(worker: Worker) -> None:
    assignment = await worker.assign(3)
    taking_over = asyncio.ensure_future(worker.consumer.take_over())
    await asyncio.sleep(0)
    await worker.revoke()
    assert not await taking_over
    assert worker.thread.sought == []
    assert not worker.app.checkpointer.is_current(assignment)
    assert worker.app.progress.snapshot().phase is Phase.JOINING


@run
async def test_revoked_and_assigned_again_while_it_seeks(worker: Worker) -> None:
    first = await worker.assign(3)
    worker.thread.seek_may_end.clear()
    taking_over = asyncio.ensure_future(worker.consumer.take_over())
    await asyncio.sleep(0.05)
    await worker.revoke()
    second = await worker.assign(4)
    worker.thread.seek_may_end.set()
    assert not await taking_over
    assert not worker.app.checkpointer.is_current(first)
    assert not worker.app.checkpointer.is_current(second)
    assert await worker.consumer.take_over()
    assert worker.app.checkpointer.is_current(second)


async def restoring(worker: Worker) -> tuple[SlowState, Assignment, asyncio.Task[bool]]:
    """Begin a take-over, and return in the middle of its restore."""
    worker.app.stream_state = state = SlowState()
    assignment = await worker.assign(3)
    taking_over = asyncio.ensure_future(worker.consumer.take_over())
    await asyncio.to_thread(state.began.wait, 5.0)
    return state, assignment, taking_over


@run
async def test_nothing_is_read_before_the_state_is_restored(worker: Worker) -> None:
    state, assignment, taking_over = await restoring(worker)
    # What an earlier owner committed is in the changelog once its offsets are stable.
    assert worker.offsets.asked == 1
    assert worker.thread.sought == []
    assert not worker.app.checkpointer.is_current(assignment)
    state.may_end.set()
    assert await taking_over
    assert worker.app.checkpointer.is_current(assignment)


@run
async def test_a_restore_that_is_not_wanted_any_more_ends_before_the_next_begins(worker: Worker) -> None:
    state, first, taking_over = await restoring(worker)
    await worker.revoke()
    assert state.given_up == 1
    second = await worker.assign(4)
    assert not await taking_over
    state.may_end.set()
    assert await worker.consumer.take_over()
    assert state.most_at_once == 1
    assert not worker.app.checkpointer.is_current(first)
    assert worker.app.checkpointer.is_current(second)


@run
async def test_a_stop_ends_a_restore(worker: Worker) -> None:
    _, _, taking_over = await restoring(worker)
    await worker.consumer.wait_empty()
    assert not await asyncio.wait_for(taking_over, 2.0)
    assert worker.thread.sought == []


@run
async def test_state_that_cannot_be_restored_is_told_and_nothing_is_read(worker: Worker) -> None:
    worker.app.stream_state = state = SlowState()
    state.error = MasteryError("the disk is full")
    state.may_end.set()
    assignment = await worker.assign(3)
    with pytest.raises(MasteryError, match="full"):
        await worker.consumer.take_over()
    assert not worker.app.checkpointer.is_current(assignment)


@run
async def test_what_was_staged_is_forgotten_after_the_last_commit(worker: Worker) -> None:
    worker.app.stream_state = state = SlowState()
    state.may_end.set()
    assignment = await worker.assign(3)
    await worker.consumer.take_over()
    worker.producer.commit = lambda *_: state.given_up and worker.failures.append(AssertionError("too early"))
    touch = Touch("raw", 0, assignment)
    assert await worker.app.checkpointer.write(touch, Output())
    assert await worker.app.checkpointer.write(touch, Output())
    await worker.revoke()
    assert (state.given_up, worker.failures) == (1, [])


@run
async def test_a_fetch_of_before_is_waited_for_and_dropped(worker: Worker) -> None:
    await worker.assign(3)
    await worker.consumer.take_over()
    reading = worker.reading()
    fetch = await worker.fetch()
    await worker.revoke()
    await worker.assign(4)
    worker.offsets.value = 12
    taking_over = asyncio.ensure_future(worker.consumer.take_over())
    await asyncio.sleep(0.05)
    assert not taking_over.done(), "a seek under a fetch that is on its way"
    fetch.set_result(records(10, 11))
    assert await taking_over
    assert worker.thread.sought[-1] == {("raw", 0): 12}
    worker.consumer.resume_flow()
    (await worker.fetch()).set_result(records(12))
    await worker.fetch()
    reading.cancel()
    assert [batch.start for batch in worker.delivered] == [12]


@run
async def test_a_batch_in_hand_at_a_rebalance_is_not_written(worker: Worker) -> None:
    await worker.assign(3)
    await worker.consumer.take_over()
    reading = worker.reading()
    (await worker.fetch()).set_result(records(10, 11))
    await turns()
    reading.cancel()
    (batch,) = worker.delivered
    await worker.revoke()
    await worker.assign(4)
    await worker.consumer.take_over()
    assert not await worker.app.checkpointer.write(batch, output_of(batch))
    assert worker.producer.calls == []


@run
async def test_what_was_written_is_committed_before_the_partitions_go(worker: Worker) -> None:
    await worker.assign(3)
    await worker.consumer.take_over()
    reading = worker.reading()
    (await worker.fetch()).set_result(records(10, 11))
    await turns()
    reading.cancel()
    (batch,) = worker.delivered
    await worker.app.checkpointer.write(batch, output_of(batch))
    worker.after_revoke.side_effect = lambda _: worker.producer.calls.append("given back")
    await worker.revoke()
    assert worker.producer.calls == ["begin", "produce", "commit", "given back"]
    assert worker.producer.committed[0][1] == {("raw", 0): 12}


@run
async def test_a_stop_commits_what_was_written_and_takes_no_more(worker: Worker) -> None:
    assignment = await worker.assign(3)
    await worker.consumer.take_over()
    reading = worker.reading()
    (await worker.fetch()).set_result(records(10, 11))
    await turns()
    reading.cancel()
    (batch,) = worker.delivered
    await worker.app.checkpointer.write(batch, output_of(batch))
    await worker.consumer.wait_empty()
    assert worker.producer.committed[0][1] == {("raw", 0): 12}
    assert not worker.app.checkpointer.is_current(assignment)
    assert not await worker.consumer.take_over()


@run
async def test_an_offset_below_the_position_ends_the_stream(worker: Worker) -> None:
    await worker.assign(3)
    await worker.consumer.take_over()
    reading = worker.reading()
    (await worker.fetch()).set_result(records(9))
    worker.app.fail = mock.Mock()
    await asyncio.wait_for(reading, 5.0)
    (error,) = worker.app.fail.call_args.args
    assert isinstance(error, OffsetWentBack)
    assert "raw partition 0 delivered offset 9, below the position 10" in str(error)
    assert worker.delivered == []


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        (TopicAuthorizationFailedError("raw"), "grant Read on topic raw: kafka-acls"),
        (CorruptRecordException("Invalid CRC"), "look at the broker's log"),
    ],
)
def test_a_refused_fetch_ends_the_stream_with_one_line(refusal: Exception, advice: str) -> None:
    @run
    async def test(worker: Worker) -> None:
        await worker.assign(3)
        await worker.consumer.take_over()
        reading = worker.reading()
        fetch = await worker.fetch()
        worker.app.fail = mock.Mock()
        fetch.set_exception(refusal)
        await asyncio.wait_for(reading, 5.0)
        (error,) = worker.app.fail.call_args.args
        assert isinstance(error, FetchRefused)
        assert str(error) == f"the broker does not hand out records of raw: {type(refusal).__name__}"
        assert advice in error.hint

    test()


@run
async def test_a_stop_after_a_failed_start_is_quiet(worker: Worker) -> None:
    checkpointer = worker.app.checkpointer
    del worker.app.checkpointer
    await worker.consumer.wait_empty()
    worker.app.checkpointer = checkpointer


@run
async def test_without_partitions_nothing_is_fetched(worker: Worker) -> None:
    await worker.consumer.on_partitions_assigned(set(), 3)
    assert await worker.consumer.take_over()
    reading = worker.reading()
    await asyncio.sleep(0.05)
    reading.cancel()
    assert worker.thread.fetches.empty()


@run
async def test_a_stop_in_the_middle_of_a_rebalance_is_no_crash(worker: Worker) -> None:
    await worker.assign(3)
    await worker.consumer.take_over()
    reading = worker.reading()
    fetch = await worker.fetch()
    await worker.revoke()
    fetch.set_result({})
    await turns()
    worker.fetcher._stopped.set()
    reading.cancel()
    await turns()
    # Faust's Fetcher looks at nothing else: cancelled, while the app rebalances, is a crash.
    assert reading.done()
    assert not reading.cancelled()


@run
async def test_a_cancelled_inner_loop_that_should_go_on_is_an_error(worker: Worker) -> None:
    reading = worker.reading()
    await turns()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@run
async def test_faust_itself_commits_and_sends_nothing(worker: Worker) -> None:
    consumer = worker.consumer
    assert not await consumer.commit()
    assert not await consumer.force_commit()
    assert not consumer.ack(mock.Mock())
    assert isinstance(worker.app.producer, NoProducer)
    with pytest.raises(NotImplementedError):
        await worker.app.producer.send("out", None, b"", None, None, None)


def test_end_offsets_are_told_as_far_as_they_are_known() -> None:
    states = {TP("raw", 0): 5, TP("raw", 1): None, TP("raw", 2): -1}
    assignment = SimpleNamespace(
        tps=list(states), state_value=lambda place: SimpleNamespace(lso=states[place])
    )
    subscriptions = [None, SimpleNamespace(assignment=None), SimpleNamespace(assignment=assignment)]
    told = []
    for subscription in subscriptions:
        consumer = SimpleNamespace(_subscription=SimpleNamespace(subscription=subscription))
        thread = SimpleNamespace(_ensure_consumer=lambda consumer=consumer: consumer)
        thread._partition_states = lambda thread=thread: BatchConsumerThread._partition_states(thread)
        told.append(BatchConsumerThread.end_offsets(thread))
    assert told == [{}, {}, {("raw", 0): 5}]
