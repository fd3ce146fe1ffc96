"""The Faust app of a worker, with the stream core in place of Faust's delivery."""

import asyncio
import contextlib
import gc
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol, cast

import faust
from faust.app.base import BootStrategy
from mode.supervisors import CrashingSupervisor
from typing_extensions import override

from app.errors import MasteryError
from app.logs import fields
from app.stream.batch import Assignment, StateSink
from app.stream.checkpoint import Checkpointer
from app.stream.errors import GroupRefused
from app.stream.handover import Handover
from app.stream.offsets import StableOffsets
from app.stream.producer import TransactionalProducer
from app.stream.progress import Phase, Progress
from app.stream.recovery import StreamTableManager
from app.stream.runner import StreamWorker
from app.stream.transport import BatchConsumer, StreamTransport

__all__ = ["Delivery", "StreamApp"]

log = logging.getLogger(__name__)

#: Seconds. Both looks are at what the consumer knows, so they cost no request.
_LOOK_EVERY = 1.0

#: Seconds that a failed worker has for leaving the group in good order before it is ended all the same.
_LAST_BREATH = 10.0

#: Seconds for a stop. aiokafka waits 90 s for the answer when it leaves the group, and a checkpoint up to 20.
_STOP_LIMIT = 25.0

#: Seconds for a stop while `prepare` runs: nothing was begun, and what it waits for cannot be interrupted.
_UNBEGUN_STOP_LIMIT = 1.0


#: Objects that Python's collector can look into: those of some batches. Cycles wait no longer than that.
_NEW_OBJECTS = 50_000


class Delivery(Protocol):
    """What an app needs before its first record, made by `prepare` once the broker has been checked."""

    @property
    def producer(self) -> TransactionalProducer:
        """The initialised producer."""

    @property
    def stable_offsets(self) -> StableOffsets:
        """Reads where to start."""

    @property
    def state(self) -> StateSink | None:
        """State that is kept along with the checkpoints; None for a stream without."""


class _WithoutWeb(BootStrategy):
    """Starts all of Faust but its web server, which `faust -A ... worker` would open on every address."""

    enable_web = False


class StreamApp(faust.App):
    """A Faust app whose agents get `RecordBatch`es and hand their output over to be written.

    `prepare` runs once, before anything connects for good: either the caller runs it beforehand
    (`prepare_now`), or the app does in a thread when Faust starts it.
    """

    BootStrategy = _WithoutWeb
    #: mode logs the service's start and stop under the logger of its class.
    logger = logging.getLogger("faust.stream")
    checkpointer: Checkpointer
    handover: Handover
    stable_offsets: StableOffsets
    consumer: BatchConsumer

    def __init__(
        self,
        group_id: str,
        *,
        progress: Progress,
        prepare: Callable[[], Delivery],
        checkpoint_interval: float,
        options: Mapping[str, Any],
    ) -> None:
        self.progress = progress
        self.failure: MasteryError | None = None
        self.stream_state: StateSink | None = None
        self._prepare = prepare
        self._delivery: Delivery | None = None
        self._checkpoint_interval = checkpoint_interval
        self._crashing: asyncio.Task[None] | None = None
        self._running_in: asyncio.AbstractEventLoop | None = None
        self._preparing = False
        self._written = False
        super().__init__(
            group_id,
            store="memory://",
            # Topics are declared by `mastery topics apply`, never by accident.
            topic_allow_declare=False,
            topic_disable_leader=True,
            consumer_auto_offset_reset="earliest",
            # Each message is a whole batch: a few in the queue keep the agent busy, more would only hold
            # memory.
            stream_buffer_maxsize=4,
            # An agent that fails must not be restarted with the next batch: its own would be lost.
            agent_supervisor=CrashingSupervisor,
            Worker=StreamWorker,
            TableManager=StreamTableManager,
            recovery_consistency_check=False,
            **options,
        )
        self.timer(interval=_LOOK_EVERY)(self._note_end_offsets)

    def prepare_now(self) -> None:
        """Run `prepare`, if it has not run yet. Blocks.

        Raises:
            MasteryError: something is missing or wrong; the message says what to do.
        """
        if self._delivery is None:
            self._delivery = self._prepare()

    @override
    async def on_first_start(self) -> None:
        """Prepare, fence what an earlier run of this worker left open, then let Faust start."""
        loop = asyncio.get_running_loop()
        self._running_in = loop
        self._preparing = True
        try:
            await loop.run_in_executor(None, self.prepare_now)
        except MasteryError as error:
            _end_unstarted(error)
        finally:
            self._preparing = False
        _collect_rarely()
        delivery = cast(Delivery, self._delivery)
        self.stable_offsets = delivery.stable_offsets
        self.stream_state = delivery.state
        self.checkpointer = Checkpointer(
            delivery.producer,
            self.progress,
            self.conf.id,
            interval=self._checkpoint_interval,
            on_failure=self.fail,
            state=delivery.state,
        )
        self.handover = Handover(self.checkpointer)
        self.add_future(self.handover.run())
        self.add_future(self._watch_membership())
        self.progress.enter(Phase.JOINING, "waiting for partitions")
        await super().on_first_start()

    @override
    async def on_stop(self) -> None:
        """Stop as Faust does (the last checkpoint is part of it). The process ends within `_STOP_LIMIT`."""
        _later(_UNBEGUN_STOP_LIMIT if self._preparing else _STOP_LIMIT, self._end_stop)
        if not self.crashed:
            self.progress.enter(Phase.STOPPING)
        elif self.failure is None:
            self.progress.enter(Phase.FAILED, f"unexpected {type(self.crash_reason).__name__}")
        try:
            await super().on_stop()
        finally:
            if hasattr(self, "checkpointer"):
                self.checkpointer.close()
        self._written = not self.crashed

    def _end_stop(self) -> None:
        """End the process: 0 when nothing is missing but answers from the broker.

        Also when the app has stopped by then: Python waits at its end for threads that wait for the broker.
        """
        log.warning("stopped without an answer from the broker")
        os._exit(0 if self._written else 1)

    async def _watch_membership(self) -> None:
        while not self.should_stop:
            await self.sleep(_LOOK_EVERY)
            try:
                self.consumer.check_membership()
            except GroupRefused as error:
                self.fail(error)
                return

    def on_revoked(self) -> None:
        """A rebalance has begun."""
        # Faust tells it before the first assignment, too.
        if self.progress.snapshot().phase is Phase.RUNNING:
            log.info("rebalance: partitions given back")
        self.progress.enter(Phase.JOINING, "rebalancing")

    def on_taken_over(self, assignment: Assignment, positions: Mapping[tuple[str, int], int]) -> None:
        """The partitions of an assignment are about to be read."""
        self.progress.assigned(assignment.generation, dict(positions))
        self.progress.enter(Phase.RUNNING)
        level = logging.INFO if positions else logging.WARNING
        places = sorted(positions)
        log.log(
            level,
            "running with %d partitions in generation %d: %s",
            len(places),
            assignment.generation,
            " ".join(f"{topic}[{partition}]" for topic, partition in places) or "none",
            extra=fields(
                generation=assignment.generation,
                offsets={f"{topic}[{partition}]": positions[topic, partition] for topic, partition in places},
            ),
        )

    async def _note_end_offsets(self) -> None:
        self.progress.ends(self.consumer.end_offsets(), self.consumer.answered_at())

    def fail_soon(self, error: MasteryError) -> None:
        """`fail`, from any thread. Does nothing before the app starts and after it has ended.

        Whatever failed before the start has to say so when it is used.
        """
        loop = self._running_in
        if loop is not None:
            # Closed in this very moment: the app has ended.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self.fail, error)

    def fail(self, error: MasteryError) -> None:
        """End the process for a known reason. A restart takes up where the last commit was.

        Only the first reason counts: a worker that stops leaves the group before its last checkpoint fails.
        """
        if self.crashed:
            log.warning("%s, while the worker stops", error)
            return
        self.failure = error
        self.progress.enter(Phase.FAILED, str(error))
        log.error("%s; the worker stops", error)
        # Fenced, it would join the group anew, and hold its share of partitions without working on them.
        self.consumer.stay_out()
        # mode would print one traceback for each of its dozen services, all of this error.
        for name in ("faust", "mode"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        _later(_LAST_BREATH, lambda: os._exit(1))
        self._crashing = asyncio.get_running_loop().create_task(self.crash(error))

    @override
    def _new_transport(self) -> StreamTransport:
        return StreamTransport(self.conf.broker_consumer, self)

    @override
    def _new_producer_transport(self) -> StreamTransport:
        return StreamTransport(self.conf.broker_producer, self)


def _collect_rarely() -> None:
    """Let Python's collector look for cycles once in some batches, and never again at what is there by now.

    Its default, after each 700 new objects, looks at all that waits to be written again and again: 8 % of the
    worker's processor time. What the stream makes has no cycles, and goes without it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


def _later(seconds: float, call: Callable[[], None]) -> None:
    """Call it in a thread, if the process still lives then."""
    watchdog = threading.Timer(seconds, call)
    watchdog.daemon = True
    watchdog.start()


def _end_unstarted(error: MasteryError) -> NoReturn:
    """End the process as `mastery worker` would: one line and a hint. Under Faust's own command alone.

    Raised, the error would come out as the tracebacks of three services; and nothing is open yet.
    """
    # Faust puts its log in the place of sys.stderr.
    stderr = sys.__stderr__ or sys.stderr
    stderr.write(f"{error.report}\n")
    stderr.flush()
    os._exit(error.exit_code)
