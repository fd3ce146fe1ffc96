"""One run under faults: topics of its own, a feeder, watched offsets, workers, and the verdict at the end."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from tests.chaos.commits import positions, read_commits, went_back
from tests.chaos.faults import Fault, RecoveryClock
from tests.chaos.feeder import Feeder
from tests.chaos.record import RunRecord
from tests.chaos.runs import Cluster
from tests.chaos.sampler import OffsetSampler, OutputEnds
from tests.chaos.verify import Judge
from tests.chaos.watched_worker import WatchedWorker
from tests.chaos.workload import Event
from tests.support.records import CommittedOffsets, Record, end_offsets, read_all
from tests.support.waiting import wait_until
from tests.support.worker import CHECKOUT, command_environment

if TYPE_CHECKING:
    from app.settings import Settings

__all__ = ["EVENT_NAMES", "FAULTY_WORKER", "FaultRun"]

#: Seconds within which a worker that keeps up has something uncommitted: events come each some milliseconds.
_LOOK_FOR = 2.0

FAULTY_WORKER = ("tests.chaos.faulty_worker",)

EVENT_NAMES = (
    "learning_outcome_created",
    "learning_outcome_updated",
    "learning_outcome_group_created",
    "learning_outcome_group_updated",
    "learning_outcome_link_created",
    "learning_outcome_link_updated",
    "learning_outcome_result_created",
    "learning_outcome_result_updated",
    "outcome_proficiency_created",
    "outcome_proficiency_updated",
    "outcomes.retry_outcome_alignment_clone",
    "rubric_assessed",
)


class FaultRun:
    """Sets everything up on entering, ends every worker on leaving. Workers are made with `worker`.

    `kafka.bootstrap` is where feeder and judge look; workers go to the broker of the settings.
    """

    def __init__(
        self,
        kafka: Cluster,
        settings: "Settings",
        folder: Path,
        events: Iterator[Event],
        *,
        rate: int,
        record: RunRecord,
    ) -> None:
        self.kafka, self.settings, self.folder, self.record = kafka, settings, folder, record
        self.raw = settings.raw_topic_name
        self.feeder = Feeder(kafka.bootstrap, self.raw, events, partitions=settings.partitions, rate=rate)
        self.workers: list[WatchedWorker] = []
        #: Exit statuses of workers that ended by themselves and were started again.
        self.own_exits: list[int] = []
        #: What a judge found wrong first, in the order of feeding.
        self.first_wrong = ""
        self._clock = RecoveryClock(record)
        self._managed: set[WatchedWorker] = set()
        self._closing = threading.Event()
        self._manager = threading.Thread(target=self._manage, name="process manager", daemon=True)

    def __enter__(self) -> Self:
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", "topics", "apply"],
            env=command_environment(self.settings),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"topics apply failed:\n{done.stdout}{done.stderr}"
        self._offsets = self._open_offsets()
        self._before = positions(self.kafka.bootstrap)
        outputs = [*map(self.settings.typed_topic, EVENT_NAMES), self.settings.dead_letter_topic]
        self.sampler = OffsetSampler(
            CommittedOffsets(
                self.kafka.bootstrap, self.settings.group_id, [self.raw, *self.settings.result_topics]
            ),
            raw=self.raw,
            ends=OutputEnds.of_one_broker(self.kafka.bootstrap, outputs),
            on_sample=self._clock.saw,
        )
        self.sampler.start()
        self.feeder.start()
        self._manager.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        if self._manager.is_alive():
            self._manager.join(10.0)
        for worker in self.workers:
            worker.end()
        self.kafka.thaw()
        if self.kafka.running:
            self.feeder.close()
        if hasattr(self, "sampler"):
            self.sampler.stop()
            self._offsets.close()

    def _open_offsets(self) -> CommittedOffsets:
        return CommittedOffsets(self.kafka.bootstrap, self.settings.group_id, [self.raw])

    def note(self, text: str) -> None:
        """Add a line to the timeline."""
        self.record.note(text)

    def measure(self, **figures: Any) -> None:
        """Set figures of the run, such as `records_fed=100`."""
        self.record.measure(**figures)

    @contextmanager
    def fault(
        self,
        text: str,
        *,
        left: Literal["after", "before", "now", "maybe"] = "after",
        required: bool = True,
    ) -> Iterator[Fault]:
        """Note and count what is done within; begin to measure the time until the next commit.

        Fails if nothing was left to do: of the events fed before the fault, some must be uncommitted `after`
        it, or `before` it where the broker or the worker goes on within; of those fed until `now` where the
        worker itself was waited for, or is so quick that between two events nothing is on the way. With
        `maybe`, which is `after`, or where work is not `required`, the caller looks at the fault's `left`.
        """
        fed, fault = self.feeder.positions(), Fault(text)
        if left == "before":
            fault.left = self.require_work_left(timeout=_LOOK_FOR)
        self.note(text)
        yield fault
        committed = self.committed()
        if left == "now":
            fault.left = _first_left(lambda: self._left(self.feeder.positions(), committed), _LOOK_FOR)
        elif left != "before":
            fault.left = self._left(fed, committed)
        self._clock.began(committed)
        self.note(f"done: {text}; {fault.left} events were left to do")
        assert fault.left > 0 or left == "maybe" or not required, (
            f"nothing was left to do: {text} proves nothing"
        )
        self.record.count(faults=fault.left > 0)

    def require_work_left(self, timeout: float = 0.0) -> int:
        """Return how many of the events fed are not committed as soon as there are some; else fail."""
        left = _first_left(lambda: self.left_of(self.feeder.positions()), timeout)
        assert left > 0, "nothing is left to do: what comes now would prove nothing"
        return left

    def worker(
        self, name: str, *, module: tuple[str, ...] = ("app.cli", "worker"), **variables: str
    ) -> WatchedWorker:
        """Return a new worker, not started, that is killed at the end of the run."""
        worker = WatchedWorker(
            self.settings,
            self.folder,
            name=name,
            module=module,
            variables=variables,
            record=self.record,
            fault=variables.get("FAULT", ""),
        )
        self.workers.append(worker)
        return worker

    def start_managed(self, *names: str) -> list[WatchedWorker]:
        """Start workers, again when they end by themselves, and wait until they are ready."""
        workers = [self.worker(name) for name in names]
        self.manage(*workers)
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.wait_ready(90.0)
        return workers

    def manage(self, *workers: WatchedWorker) -> None:
        """From now on start these again when they end by themselves, as a process manager would."""
        self._managed.update(workers)

    def release(self, worker: WatchedWorker) -> None:
        """No longer start it again."""
        self._managed.discard(worker)

    def _manage(self) -> None:
        while not self._closing.wait(0.1):
            for worker in list(self._managed):
                if worker.returncode is not None:
                    self.own_exits.append(worker.returncode)
                    self.note(f"{worker.name} ended by itself with {worker.returncode}")
                    worker.start()

    def committed(self) -> dict[int, int]:
        """Return what the group has committed of the raw topic, by partition."""
        return {partition: offset for (_, partition), offset in self._offsets.read().items()}

    def left_of(self, fed: dict[int, int]) -> int:
        """Return how many of the events fed up to these positions are not committed."""
        return self._left(fed, self.committed())

    @staticmethod
    def _left(fed: dict[int, int], committed: dict[int, int]) -> int:
        return sum(max(0, position - committed.get(partition, 0)) for partition, position in fed.items())

    def wait_for_progress(self, events: int, timeout: float = 60.0) -> None:
        """Wait until that many more events are committed."""
        goal = sum(self.committed().values()) + events
        wait_until(
            lambda: sum(self.committed().values()) >= goal,
            timeout=timeout,
            what=f"{events} more committed events",
            detail=self.logs,
        )

    def finish(self, *, timeout: float = 120.0) -> None:
        """Stop feeding, wait until all is committed, and judge. Workers must be running."""
        fed = self.feeder.stop()
        in_topic = end_offsets(self.kafka.bootstrap, [self.raw])
        ends = {partition: end for (_, partition), end in in_topic.items()}
        assert sum(ends.values()) == len(fed), "the raw topic holds something else than what was fed"
        wait_until(
            lambda: self.committed() == ends,
            timeout=timeout,
            what=f"all {len(fed)} events to be committed",
            detail=lambda: f"committed {self.committed()}, ends {ends}\n{self.logs()}",
        )
        self.judge()

    def judge(self) -> None:
        """Judge events and commits. To be called when nothing is written any more."""
        self._judge_events()
        self._judge_commits()

    def _judge_events(self) -> None:
        """Read everything as a read_committed consumer, and fail if an event is not there exactly once."""
        fed = self.feeder.stop()
        judge = Judge(fed, self.raw)
        typed, dead = self._outputs()
        for event_name, records in typed.items():
            judge.take_typed(event_name, records)
        judge.take_dead(dead)
        self.sampler.stop()
        judge.take_marks(self.sampler.marks)
        self.measure(**judge.figures())
        self.first_wrong = judge.first_wrong()
        assert not judge.problems(), f"{judge}\n{self._evidence()}"
        assert judge.counts["typed"] > 0, "nothing was written at all"

    def _judge_commits(self, *, rebuilt: bool = False) -> None:
        """Fail if a committed offset went back: as it was seen, or ever within a generation.

        After a rebuild, which begins the results again, those of the raw topic alone count.
        """
        commits = read_commits(self.kafka.bootstrap, self.settings.group_id, self._before)
        # A new group begins with 1.
        generations = max((commit.generation for commit in commits), default=0)
        self.measure(commits=len(commits), generations=generations, marks=len(self.sampler.marks))
        assert self.sampler.samples > 10, "committed offsets were hardly looked at"
        seen = [text for topic, text in self.sampler.went_back if topic == self.raw or not rebuilt]
        assert not seen, f"committed offsets went back: {seen}"
        assert commits, "no commit was found"
        assert not went_back(commits), f"committed offsets went back: {went_back(commits)}"

    def _outputs(self) -> tuple[dict[str, list[Record]], list[Record]]:
        topics = {self.settings.typed_topic(name): name for name in EVENT_NAMES}
        dead_topic = self.settings.dead_letter_topic
        typed: dict[str, list[Record]] = {name: [] for name in EVENT_NAMES}
        dead: list[Record] = []
        for record in read_all(self.kafka.bootstrap, [*topics, dead_topic], timeout=60.0):
            (dead if record.topic == dead_topic else typed[topics[record.topic]]).append(record)
        return typed, dead

    def logs(self) -> str:
        """Return the last lines of every worker's output."""
        return "\n".join(worker.log for worker in self.workers)

    def _evidence(self) -> str:
        return f"worker logs in {self.folder}; own exits: {self.own_exits}"


def _first_left(look: Callable[[], int], timeout: float) -> int:
    """Look until something is left to do; 0 when the time is over."""
    until = time.monotonic() + timeout
    while not (left := look()) and time.monotonic() < until:
        time.sleep(0.01)
    return left
