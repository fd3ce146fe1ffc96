import asyncio
import logging
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.errors import MasteryError
from app.stream import checkpoint
from app.stream.batch import Assignment, Output, RecordBatch, Touch
from app.stream.checkpoint import Checkpointer
from app.stream.errors import CheckpointFailed, CheckpointStuck, OutOfOrder, ProducerFenced, StateNotWritten
from app.stream.group_metadata import encode_group_metadata
from app.stream.progress import Progress
from tests.stream.fakes import FakeProducer, FakeState, assignment_of, make_batch, output_of
from tests.stream.step_loop import StepLoop

INTERVAL = 0.025
ROUNDING = 1e-6


class Setup:
    """A checkpointer with a fake producer, on a loop where nothing happens by itself."""

    def __init__(self) -> None:
        self.loop = StepLoop()
        self.producer = FakeProducer(busy=lambda: self.busy)
        self.progress = Progress()
        self.failures: list[CheckpointFailed] = []
        self.clock = mock.patch.object(checkpoint, "time", SimpleNamespace(monotonic=self.loop.time))
        self.clock.start()
        self.state = FakeState()
        self.checkpointer = Checkpointer(
            self.producer,
            self.progress,
            "group",
            interval=INTERVAL,
            on_failure=self.failures.append,
            state=self.state,
        )

    def close(self) -> None:
        self.clock.stop()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        self.checkpointer.close()
        self.loop.close()

    def open(self, assignment: Assignment, position: int = 0) -> None:
        self.checkpointer.open(assignment, dict.fromkeys(assignment.partitions, position))

    def open_behind(self, assignment: Assignment, records: int) -> None:
        """Open at offset 0, with so many records to be read in one partition."""
        self.open(assignment)
        self.progress.assigned(assignment.generation, {("raw", 0): 0})
        self.progress.ends({("raw", 0): records})

    def write(self, batch: RecordBatch) -> asyncio.Task[bool]:
        return self.loop.start(self.checkpointer.write(batch, output_of(batch)))

    def touch(self, assignment: Assignment, output: Output, partition: int = 0) -> asyncio.Task[bool]:
        return self.loop.start(self.checkpointer.write(Touch("raw", partition, assignment), output))

    def drain(self) -> asyncio.Task[None]:
        return self.loop.start(self.checkpointer.drain())

    @property
    def busy(self) -> bool:
        """A commit or abort is on its way in the thread."""
        return bool(self.loop.jobs)

    @property
    def committing(self) -> bool:
        """A commit is on its way; after a failure it is an abort."""
        return self.busy and self.checkpointer._failure is None

    @property
    def counted(self) -> int:
        return sum(self.progress.snapshot().events.values())


@pytest.fixture
def setup() -> Iterator[Setup]:
    made = Setup()
    yield made
    made.close()


class Schedules(RuleBasedStateMachine):
    """Any order of writes, commits, failures, rebalances and cancellations keeps the promises."""

    def __init__(self) -> None:
        super().__init__()
        self.setup = Setup()
        self.loop = self.setup.loop
        self.assignment: Assignment | None = None
        self.old: list[tuple[Assignment, dict[int, int]]] = []
        self.generation = 0
        self.fetched: dict[int, int] = {}
        self.committed: dict[int, int] = {}
        self.writers: dict[int, tuple[asyncio.Task[bool], RecordBatch, int]] = {}
        self.batches: dict[bytes, RecordBatch] = {}
        self.went_in: list[bytes] = []
        self.dropped: list[bytes] = []
        self.drains: list[asyncio.Task[None]] = []
        self.last_end = 0.0
        self.provoked = False
        self.calls_at_failure: list[str] | None = None
        self.committing_since: float | None = None
        self.seen_commits = 0
        self.reopen()

    def teardown(self) -> None:
        self.setup.close()

    # What can happen.

    @precondition(lambda self: self.assignment is None and not any(not task.done() for task in self.drains))
    @rule()
    def reopen(self) -> None:
        """The next assignment, read from what is committed."""
        self.generation += 1
        self.assignment = assignment_of(self.generation)
        self.fetched = {number: self.committed.get(number, 0) for number in range(3)}
        self.setup.checkpointer.open(
            self.assignment, {("raw", number): offset for number, offset in self.fetched.items()}
        )

    @rule(partition=st.integers(0, 2), size=st.integers(1, 3), gap=st.integers(0, 2))
    def write(self, partition: int, size: int, gap: int) -> None:
        """An agent writes the next batch of a partition, one at a time."""
        if self.assignment is None or partition in self.writers:
            return
        batch = make_batch(self.assignment, partition, self.fetched[partition], size, gap)
        self.start(partition, batch)

    @precondition(lambda self: self.old)
    @rule(partition=st.integers(0, 2), data=st.data())
    def write_of_before(self, partition: int, data: st.DataObject) -> None:
        """An agent writes what it got before a rebalance."""
        if partition not in self.writers:
            assignment, fetched = data.draw(st.sampled_from(self.old))
            self.start(partition, make_batch(assignment, partition, fetched[partition], 2))

    @rule(seconds=st.sampled_from([0.001, 0.02, 0.03]))
    def time_passes(self, seconds: float) -> None:
        self.loop.settle(seconds)

    @precondition(lambda self: not self.setup.busy)
    @rule()
    def much_time_passes(self) -> None:
        self.loop.settle(1.0)

    @precondition(lambda self: self.loop.jobs)
    @rule()
    def thread_succeeds(self) -> None:
        self.loop.do_job()

    @precondition(lambda self: self.setup.committing)
    @rule(error=st.sampled_from([CheckpointFailed("no"), ProducerFenced("no"), RuntimeError("no")]))
    def thread_fails(self, error: Exception) -> None:
        self.provoked = True
        self.loop.do_job(error)

    @rule()
    def revoke(self) -> None:
        """A rebalance begins, or the app stops."""
        if self.assignment is not None:
            self.old.append((self.assignment, self.fetched))
            self.assignment = None
        self.drains.append(self.setup.drain())

    @precondition(lambda self: self.writers)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """An agent is stopped while it waits."""
        task, _, _ = self.writers[data.draw(st.sampled_from(sorted(self.writers)))]
        task.cancel()
        self.loop.settle()

    @precondition(lambda self: len(self.setup.producer.committed) > 1)
    @rule(error=st.sampled_from([CheckpointFailed("full"), RuntimeError("no")]))
    def producer_refuses(self, error: Exception) -> None:
        """From now on only a part of an output goes into the transaction."""
        self.provoked = True
        self.setup.producer.produce_error = error

    def start(self, partition: int, batch: RecordBatch) -> None:
        self.batches[b"%d" % id(batch)] = batch
        before = self.setup.busy
        task = self.setup.write(batch)
        if before and batch.assignment is self.assignment and self.calls_at_failure is None:
            assert not task.done(), "a write went past a commit that is on its way"
        self.writers[partition] = (task, batch, batch.position)

    # What must hold.

    @invariant()
    def writers_end_as_they_should(self) -> None:
        for partition, (task, batch, position) in list(self.writers.items()):
            if not task.done():
                continue
            del self.writers[partition]
            if task.cancelled():
                continue
            if task.exception() is not None:
                assert isinstance(task.exception(), CheckpointFailed)
                assert self.setup.checkpointer._failure is not None
            elif task.result():
                self.went_in.append(b"%d" % id(batch))
                if batch.assignment is self.assignment:
                    self.fetched[partition] = position
            else:
                assert batch.assignment is not self.assignment
                self.dropped.append(b"%d" % id(batch))

    @invariant()
    def a_transaction_holds_what_its_offsets_say(self) -> None:
        for keys, positions, metadata in self.setup.producer.committed[self.seen_commits :]:
            batches = [self.batches[key] for key in keys]
            assignment = batches[0].assignment
            assert all(batch.assignment is assignment for batch in batches)
            assert metadata == encode_group_metadata("group", assignment.generation, assignment.member_id)
            for batch in batches:
                assert batch.start == self.committed.get(batch.partition, 0), "not where the last one ended"
                self.committed[batch.partition] = batch.position
            assert positions == {("raw", batch.partition): batch.position for batch in batches}
            self.last_end = self.loop.now
        self.seen_commits = len(self.setup.producer.committed)

    @invariant()
    def nothing_is_written_while_a_commit_is_on_its_way(self) -> None:
        assert len(self.loop.jobs) <= 1
        assert not self.setup.producer.misused

    @invariant()
    def work_is_committed_in_time_and_not_too_often(self) -> None:
        waited = self.loop.now - self.last_end - INTERVAL
        committing = self.setup.committing
        if committing and not self.drains:
            assert waited > -ROUNDING or self.committing_since is not None, "a commit before its time"
        self.committing_since = self.loop.now if committing else None
        if self.setup.producer.open and not self.setup.busy:
            assert waited < ROUNDING, "a commit is due"

    @invariant()
    def a_drain_leaves_nothing_behind(self) -> None:
        for task in [task for task in self.drains if task.done()]:
            self.drains.remove(task)
            if task.exception() is None and self.setup.checkpointer._failure is None:
                assert self.setup.producer.open is None
                written = [self.batches[key] for key in self.went_in]
                done = [key for keys, _, _ in self.setup.producer.committed for key in keys]
                assert len(done) == len(set(done))
                assert {id(batch) for batch in written} <= {int(key) for key in done}

    @invariant()
    def a_failure_is_final(self) -> None:
        failure = self.setup.checkpointer._failure
        if failure is None:
            assert not self.setup.failures
            return
        assert self.provoked, "nothing went wrong"
        if self.calls_at_failure is None:
            self.calls_at_failure = list(self.setup.producer.calls)
        added = self.setup.producer.calls[len(self.calls_at_failure) :]
        assert added in ([], ["abort"]), "something was written after the failure"
        assert len(self.setup.failures) <= 1
        if not self.setup.busy:
            assert self.setup.failures == [failure]
            assert self.setup.producer.calls[-1] == "abort"

    @invariant()
    def progress_tells_what_was_committed(self) -> None:
        keys = [key for keys, _, _ in self.setup.producer.committed for key in keys]
        assert self.setup.counted == sum(len(self.batches[key].records) for key in keys)
        assert not set(self.dropped) & set(keys)


TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_a_first_batch_is_committed_at_once_and_the_next_after_the_interval(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.write(make_batch(assignment, 0, 0))
    assert setup.busy
    setup.loop.do_job()
    setup.write(make_batch(assignment, 0, 1))
    setup.write(make_batch(assignment, 1, 0))
    setup.write(make_batch(assignment, 0, 2))
    setup.loop.settle(INTERVAL * 0.9)
    assert not setup.busy
    setup.loop.settle(INTERVAL * 0.2)
    setup.loop.do_job()
    assert [positions for _, positions, _ in setup.producer.committed] == [
        {("raw", 0): 1},
        {("raw", 0): 3, ("raw", 1): 1},
    ]


def test_the_interval_counts_from_the_end_of_the_last_commit(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.write(make_batch(assignment, 0, 0))
    waiting = setup.write(make_batch(assignment, 0, 1))
    setup.loop.settle(1.0)
    assert not waiting.done()
    setup.loop.do_job()
    assert waiting.result()
    assert not setup.busy
    setup.loop.settle(INTERVAL)
    assert setup.busy


def test_an_output_that_went_in_by_half_is_never_committed(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.write(make_batch(assignment, 0, 0))
    setup.loop.do_job()
    setup.write(make_batch(assignment, 0, 1))
    setup.producer.produce_error = RuntimeError("something that nobody thought of")
    refused = setup.write(make_batch(assignment, 1, 0))
    setup.loop.settle(1.0)
    setup.loop.do_job()
    assert isinstance(refused.exception(), CheckpointFailed)
    stop = setup.drain()
    assert stop.exception() is None
    assert setup.producer.calls[-1] == "abort"
    assert len(setup.producer.committed) == 1
    assert setup.failures == [refused.exception()]


def test_a_failed_begin_ends_the_worker(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    with mock.patch.object(setup.producer, "begin", side_effect=ProducerFenced("fenced")):
        task = setup.write(make_batch(assignment))
    setup.loop.do_job()
    assert isinstance(task.exception(), ProducerFenced)
    assert setup.failures == [task.exception()]


@pytest.mark.parametrize("start", [5, 15])
def test_a_batch_out_of_turn_is_refused(setup: Setup, start: int) -> None:
    assignment = assignment_of(1)
    setup.open(assignment, position=10)
    task = setup.write(make_batch(assignment, 0, start))
    setup.loop.do_job()
    assert isinstance(task.exception(), OutOfOrder)
    assert setup.failures == [task.exception()]
    assert setup.producer.calls == ["abort"]


def test_offsets_that_markers_take_are_no_gap(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment, position=10)
    setup.write(make_batch(assignment, 0, 10, size=2, gap=3))
    setup.loop.do_job()
    setup.write(make_batch(assignment, 0, 15, size=1, gap=1))
    setup.loop.settle(INTERVAL)
    setup.loop.do_job()
    assert [positions[("raw", 0)] for _, positions, _ in setup.producer.committed] == [15, 17]


def test_a_touch_commits_where_its_partition_stands_in_the_name_of_its_generation(setup: Setup) -> None:
    """So the broker refuses rows that a worker computes again after it was given up."""
    assignment = assignment_of(3)
    setup.open(assignment, position=7)
    setup.touch(assignment, Output(typed=[("out", b"", b"row", -1, None, None, 1)]))
    setup.loop.do_job()
    metadata = encode_group_metadata("group", assignment.generation, assignment.member_id)
    assert setup.producer.committed == [([b"row"], {("raw", 0): 7}, metadata)]


def test_a_touch_never_takes_back_what_a_batch_has_moved(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.touch(assignment, Output())
    setup.loop.do_job()
    setup.write(make_batch(assignment, 0, 0, size=5))
    setup.touch(assignment, Output())
    setup.write(make_batch(assignment, 0, 5, size=2))
    setup.touch(assignment, Output(), partition=1)
    setup.loop.settle(INTERVAL)
    setup.loop.do_job()
    assert [positions for _, positions, _ in setup.producer.committed] == [
        {("raw", 0): 0},
        {("raw", 0): 7, ("raw", 1): 0},
    ]


def test_a_touch_of_an_assignment_that_is_over_is_dropped(setup: Setup) -> None:
    former = assignment_of(1)
    setup.open(former)
    setup.open(assignment_of(2))
    dropped = setup.touch(former, Output(changes=["of before"]))
    setup.loop.settle(1.0)
    assert dropped.result() is False
    assert (setup.producer.calls, setup.state.calls) == ([], [])


def test_commits_are_rarer_while_much_waits(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open_behind(assignment, 50_000)
    setup.write(make_batch(assignment, 0, 0, size=5))
    setup.loop.do_job()
    setup.write(make_batch(assignment, 0, 5, size=5))
    setup.loop.settle(0.9)
    assert not setup.loop.jobs
    setup.loop.settle(0.11)
    setup.loop.do_job()
    setup.progress.ends({("raw", 0): 11})
    setup.write(make_batch(assignment, 0, 10, size=1))
    setup.loop.settle(INTERVAL + ROUNDING)
    assert len(setup.loop.jobs) == 1


def test_state_is_written_after_the_commit_and_then_released(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.touch(assignment, Output(changes=["first"]))
    setup.loop.do_job()
    assert (setup.producer.calls, setup.state.calls) == (["begin", "produce", "commit"], [])
    setup.loop.do_job()
    assert setup.state.calls == [("write", ["first"]), ("release", ["first"])]
    setup.touch(assignment, Output(changes=["second"]))
    setup.write(make_batch(assignment))
    setup.touch(assignment, Output(changes=["third", "fourth"]), partition=1)
    setup.loop.settle(INTERVAL)
    setup.loop.do_job()
    setup.loop.do_job()
    later = ["second", "third", "fourth"]
    assert setup.state.calls[2:] == [("write", later), ("release", later)]


def test_batches_are_taken_while_state_is_written(setup: Setup) -> None:
    """And committed, too; but no transaction is open while the state of two would wait."""
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.touch(assignment, Output(changes=["first"]))
    setup.loop.do_job()
    setup.loop.settle(INTERVAL)
    taken = setup.touch(assignment, Output(changes=["second"]))
    assert taken.result() is True
    waiting = setup.write(make_batch(assignment))
    writing, _ = setup.loop.jobs
    setup.loop.jobs.rotate()
    setup.loop.do_job()
    assert setup.producer.calls == ["begin", "produce", "commit", "begin", "produce", "commit"]
    setup.loop.settle(10 * INTERVAL)
    assert not waiting.done()
    assert list(setup.loop.jobs) == [writing]
    assert setup.progress.snapshot().checkpoints == 0
    setup.loop.do_job()
    assert setup.state.calls == [("write", ["first"]), ("release", ["first"])]
    assert setup.progress.snapshot().checkpoints == 1
    assert waiting.result() is True
    setup.loop.do_job()
    assert setup.state.calls[2:] == [("write", ["second"]), ("release", ["second"])]
    assert setup.progress.snapshot().checkpoints == 2


def test_a_transaction_does_not_grow_without_bound_while_much_waits(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open_behind(assignment, 1_000_000)
    setup.write(make_batch(assignment, 0, 0, size=1))
    setup.loop.do_job()
    for number in range(1, 20):
        setup.write(make_batch(assignment, 0, number, size=1))
        assert not setup.loop.jobs, "not before its time either"
    setup.loop.settle(INTERVAL)
    assert not setup.loop.jobs
    setup.write(make_batch(assignment, 0, 20, size=1))
    assert len(setup.loop.jobs) == 1


def test_draining_waits_until_the_state_is_written(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.touch(assignment, Output(changes=["first"]))
    setup.loop.do_job()
    setup.touch(assignment, Output(changes=["second"]))
    draining = setup.drain()
    for _ in range(3):
        assert not draining.done()
        setup.loop.do_job()
    assert draining.exception() is None
    assert [name for name, _ in setup.state.calls] == ["write", "release", "write", "release"]


def test_what_was_not_committed_is_never_in_the_state(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.touch(assignment, Output(changes=["lost"]))
    setup.loop.do_job(error=ProducerFenced("another generation"))
    setup.loop.do_job()
    assert [type(failure) for failure in setup.failures] == [ProducerFenced]
    assert setup.state.calls == []


def test_a_disk_that_is_full_ends_the_worker_with_its_own_words_and_nothing_is_aborted(setup: Setup) -> None:
    """The transaction is committed: a restart finds it in the changelog."""
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.state.error = MasteryError("no room", hint="make room")
    setup.touch(assignment, Output(changes=["kept by Kafka"]))
    setup.loop.do_job()
    setup.loop.do_job()
    [failure] = setup.failures
    assert (type(failure), str(failure), failure.hint) == (StateNotWritten, "no room", "make room")
    assert setup.producer.calls == ["begin", "produce", "commit"]
    refused = setup.write(make_batch(assignment))
    assert refused.exception() is failure
    assert setup.drain().exception() is None


def test_state_that_cannot_be_written_while_the_next_checkpoint_drains_is_told_once(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.state.error = MasteryError("no room", hint="make room")
    setup.touch(assignment, Output(changes=["first"]))
    setup.loop.do_job()
    setup.touch(assignment, Output(changes=["second"]))
    draining = setup.drain()
    setup.loop.do_job()
    [failure] = setup.failures
    setup.loop.do_job()
    assert setup.producer.calls[3:] == ["begin", "produce", "commit"], "Kafka has what the state lacks"
    assert draining.exception() is failure
    assert setup.failures == [failure]


@pytest.mark.parametrize("end", ["close", "drain"])
def test_the_state_is_left_alone_only_when_it_is_written(end: str) -> None:
    """Whoever closes a checkpointer, or takes partitions away, closes the files that are being written."""
    begun, go_on = threading.Event(), threading.Event()
    written: list[object] = []

    class SlowState(FakeState):
        def write(self, changes: Iterable[object]) -> None:
            begun.set()
            assert go_on.wait(10.0)
            written.extend(changes)

    async def ended() -> list[object]:
        checkpointer = Checkpointer(
            FakeProducer(busy=lambda: False),
            Progress(),
            "group",
            interval=INTERVAL,
            on_failure=lambda _: None,
            state=SlowState(),
        )
        assignment = assignment_of(1)
        checkpointer.open(assignment, dict.fromkeys(assignment.partitions, 0))
        await checkpointer.write(Touch("raw", 0, assignment), Output(changes=["row"]))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)
        threading.Timer(0.1, go_on.set).start()
        if end == "drain":
            await checkpointer.drain()
        else:
            checkpointer.close()
        return list(written)

    assert asyncio.run(ended()) == ["row"]


def test_a_checkpoint_without_changes_does_not_touch_the_state(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.write(make_batch(assignment))
    setup.loop.do_job()
    assert "write" not in [name for name, _ in setup.state.calls]


def test_a_cancelled_writer_does_not_cancel_the_commit(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.write(make_batch(assignment, 0, 0))
    waiting = setup.write(make_batch(assignment, 1, 0))
    stopping = setup.drain()
    waiting.cancel()
    setup.loop.settle()
    assert waiting.cancelled()
    setup.loop.do_job()
    assert stopping.done()
    assert setup.counted == 1


def test_a_failure_while_draining_is_raised(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.write(make_batch(assignment, 0, 0))
    setup.loop.do_job()
    setup.write(make_batch(assignment, 0, 1))
    stopping = setup.drain()
    setup.loop.do_job(ProducerFenced("fenced"))
    setup.loop.do_job()
    assert isinstance(stopping.exception(), ProducerFenced)
    assert setup.counted == 1
    assert setup.drain().exception() is None


def test_an_abort_that_hangs_does_not_keep_the_worker(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.write(make_batch(assignment, 0, 0))
    setup.loop.do_job(ProducerFenced("fenced"))
    assert setup.failures == []
    setup.loop.settle(20.1)
    assert [type(failure) for failure in setup.failures] == [ProducerFenced]


def test_progress_counts_only_what_was_committed(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.progress.assigned(1, {("raw", 0): 0})
    setup.write(make_batch(assignment, 0, 0, size=3))
    setup.loop.settle(0.5)
    assert setup.counted == 0
    setup.loop.do_job()
    seen = setup.progress.snapshot()
    assert (setup.counted, seen.checkpoints, seen.last_checkpoint_seconds) == (3, 1, 0.5)
    assert seen.partitions[0].committed == 3


def test_the_newest_event_is_noted_when_it_is_committed(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    for start, day in enumerate((2, 1)):
        batch = make_batch(assignment, 0, start)
        output = output_of(batch)
        output.newest["rubric_assessed", "account"] = datetime(2026, 1, day, tzinfo=UTC)
        setup.loop.start(setup.checkpointer.write(batch, output))
    assert setup.progress.snapshot().last_events == {}
    setup.loop.do_job()
    setup.loop.settle(1.0)
    setup.loop.do_job()
    newest = {("rubric_assessed", "account"): datetime(2026, 1, 2, tzinfo=UTC).timestamp()}
    assert setup.progress.snapshot().last_events == newest


def test_a_checkpoint_is_one_line_of_the_log_and_only_at_debug(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    assignment = assignment_of(7)
    setup.open(assignment)
    with caplog.at_level(logging.INFO, "app"):
        setup.write(make_batch(assignment, 0, 0, size=3))
        setup.loop.do_job()
    assert not caplog.records
    with caplog.at_level(logging.DEBUG, "app"):
        setup.write(make_batch(assignment, 0, 3, size=2))
        setup.write(make_batch(assignment, 1, 0))
        setup.loop.settle(0.5)
        setup.loop.do_job()
    (line,) = caplog.records
    assert line.getMessage() == (
        "checkpoint: 3 events, 0 dead letters, 0 ignored, 0 ms, generation 7, next offsets raw[0]=5 raw[1]=1"
    )
    told = line.__dict__["fields"]
    assert (told["events"], told["offsets"]) == (3, {"raw[0]": 5, "raw[1]": 1})


def test_close_aborts_what_is_open(setup: Setup) -> None:
    assignment = assignment_of(1)
    setup.open(assignment)
    setup.write(make_batch(assignment, 0, 0))
    setup.loop.do_job()
    setup.write(make_batch(assignment, 0, 1))
    setup.checkpointer.close()
    setup.loop.settle(1.0)
    assert setup.producer.calls[-1] == "abort"
    assert len(setup.producer.committed) == 1


def test_the_loop_goes_on_while_a_commit_blocks_a_thread() -> None:
    release, threads = threading.Event(), []

    class SlowProducer(FakeProducer):
        def commit(self, *arguments: Any) -> None:
            threads.append(threading.current_thread())
            assert release.wait(10.0)
            super().commit(*arguments)

    async def run() -> None:
        producer = SlowProducer()
        checkpointer = Checkpointer(producer, Progress(), "group", interval=0.0, on_failure=print)
        assignment = assignment_of(1)
        checkpointer.open(assignment, {("raw", 0): 0})
        batch = make_batch(assignment)
        assert await asyncio.wait_for(checkpointer.write(batch, output_of(batch)), 5.0)
        stopping = asyncio.ensure_future(checkpointer.drain())
        await asyncio.sleep(0.01)
        assert not stopping.done()
        release.set()
        await asyncio.wait_for(stopping, 5.0)
        assert len(producer.committed) == 1
        checkpointer.close()

    asyncio.run(run())
    assert threads != [threading.main_thread()]


def test_a_call_that_never_returns_ends_the_worker_without_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """librdkafka's send_offsets_to_transaction can hang for ever, whatever its time-out."""
    monkeypatch.setattr(checkpoint, "_PATIENCE", 0.2)
    let_go = threading.Event()
    producer = FakeProducer()
    producer.commit = lambda *_: let_go.wait(30) and None  # type: ignore[method-assign]
    progress, failures = Progress(), list[CheckpointFailed]()

    async def main() -> None:
        checkpointer = Checkpointer(
            producer, progress, "group", interval=INTERVAL, on_failure=failures.append
        )
        assignment = assignment_of(1)
        checkpointer.open(assignment, dict.fromkeys(assignment.partitions, 0))
        batch = make_batch(assignment)
        assert await checkpointer.write(batch, output_of(batch))
        await asyncio.sleep(0.1)
        assert progress.snapshot().checkpoint_running > 0.05
        with pytest.raises(CheckpointStuck):
            await checkpointer.write(make_batch(assignment, start=1), output_of(batch))
        await checkpointer.drain()
        let_go.set()
        checkpointer.close()

    asyncio.run(main())
    assert [type(error) for error in failures] == [CheckpointStuck]
    assert "abort" not in producer.calls
    assert progress.snapshot().events == {}
