"""How far a worker has come: written by the stream core, read by health, metrics and status."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.stream.batch import NewestTimes
from app.stream.last_events import LastEvents

__all__ = ["PartitionProgress", "Phase", "Progress", "ProgressSnapshot"]

#: Seconds. A checkpoint takes 30-60 ms; a broker that is slow, not away, has been seen to need 4 s.
_CHECKPOINT_TOO_LONG = 5.0

#: Seconds. A broker answers a fetch within 1.5 s, with or without records.
_SILENT_TOO_LONG = 10.0

#: Seconds. A worker tells its web process twice a second how it stands, unless it hangs as a whole.
_UNTOLD_TOO_LONG = 5.0


class Phase(StrEnum):
    """What a worker is doing. Only `RUNNING` is ready for traffic."""

    STARTING = "starting"
    CHECKING = "checking"
    JOINING = "joining"
    RESTORING = "restoring"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """One assigned input partition. Offsets are positions (of the next record), None when unknown."""

    topic: str
    partition: int
    read: int | None = None
    committed: int | None = None
    end: int | None = None

    @property
    def lag(self) -> int | None:
        """Offsets between the committed position and the end (transaction markers included).

        The end may be known of a moment ago; what has been handed to an agent since counts, too.
        """
        if self.end is None or self.committed is None:
            return None
        return max(0, max(self.end, self.read or 0) - self.committed)


@dataclass(frozen=True)
class ProgressSnapshot:
    """One consistent look at a worker. Times are seconds since the epoch.

    `checkpoint_running` is how many seconds the checkpoint on its way has taken so far, None without one.
    `silence` is how many seconds ago the broker answered a fetch or took a checkpoint: a partition is not
    fetched while much of it is still in hand. `last_events` holds the newest event time by event name and
    root account, of what this worker has committed since it started. `age` is how many seconds ago the look
    was taken, where another process has it.
    """

    phase: Phase
    detail: str
    started_at: float
    generation: int
    partitions: tuple[PartitionProgress, ...]
    events: dict[str, int]
    dead_letters: dict[str, int]
    ignored: dict[str, int]
    mastery: dict[str, int]
    last_events: Mapping[tuple[str, str], float]
    checkpoints: int
    checkpoint_seconds: float
    last_checkpoint_at: float | None
    last_checkpoint_seconds: float | None
    checkpoint_running: float | None
    silence: float
    rebalances: int
    restore: tuple[int, int] | None
    """Records of the changelog read, and known to be left, in the restore that runs, or ran last."""
    age: float = 0.0

    @property
    def behind(self) -> int:
        """How many offsets are left to do in all partitions, as far as their ends are known."""
        return _behind(self.partitions)

    @property
    def obstacle(self) -> str | None:
        """What keeps a running stream from getting on, in one line for a person; None when nothing does."""
        if self.phase is not Phase.RUNNING:
            return None
        if self.age > _UNTOLD_TOO_LONG:
            return f"the worker has not told of itself for {self.age:.0f} s: it hangs, or is stopped"
        if not self.partitions:
            return "no partitions: there are more workers than partitions, or the raw topic is gone"
        if self.checkpoint_running is not None and self.checkpoint_running > _CHECKPOINT_TOO_LONG:
            return "the broker does not take the checkpoint that is on its way"
        if self.silence > _SILENT_TOO_LONG:
            return f"the broker has not answered for {self.silence:.0f} s"
        return None

    @property
    def ready(self) -> bool:
        """True when the stream runs with its partitions assigned and its state restored, and gets on."""
        return self.phase is Phase.RUNNING and self.obstacle is None


@dataclass
class Progress:
    """Thread-safe counters of one worker: the event loop and the producer thread write, the web thread reads.

    Counters count what was committed, never what a transaction may still lose.
    """

    started_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._phase = Phase.STARTING
        self._detail = ""
        self._generation = -1
        self._partitions: dict[tuple[str, int], PartitionProgress] = {}
        self._events: Counter[str] = Counter()
        self._dead_letters: Counter[str] = Counter()
        self._ignored: Counter[str] = Counter()
        self._mastery: Counter[str] = Counter()
        self._last_events = LastEvents()
        self._checkpoints = 0
        self._checkpoint_seconds = 0.0
        self._checkpoint_began_at: float | None = None
        self._answered_at = time.time()
        self._last_checkpoint_at: float | None = None
        self._last_checkpoint_seconds: float | None = None
        self._rebalances = 0
        self._restore: tuple[int, int] | None = None

    def enter(self, phase: Phase, detail: str = "") -> None:
        """Say what the worker does now; `detail` is one line for a person."""
        with self._lock:
            self._phase = phase
            self._detail = detail

    def assigned(self, generation: int, positions: dict[tuple[str, int], int | None]) -> None:
        """Replace the assignment: (topic, partition) to the committed position it starts from."""
        with self._lock:
            self._generation = generation
            self._answered_at = time.time()
            self._rebalances += 1
            self._partitions = {
                (topic, partition): PartitionProgress(topic, partition, read=position, committed=position)
                for (topic, partition), position in positions.items()
            }

    def restored(self, records: int, left: int) -> None:
        """Tell how many records of the changelog were read in this restore, and how many are left."""
        with self._lock:
            self._restore = records, left

    def checkpoint_began(self) -> None:
        """Note that a checkpoint is on its way."""
        with self._lock:
            self._checkpoint_began_at = time.monotonic()

    def checkpoint_ended(self) -> None:
        """Note that the broker has taken it; what it holds is `committed` when its state is written, too."""
        with self._lock:
            self._checkpoint_began_at = None

    def committed(
        self,
        positions: dict[tuple[str, int], int],
        *,
        events: Counter[str],
        dead_letters: Counter[str],
        ignored: Counter[str],
        seconds: float,
        newest: NewestTimes | None = None,
        mastery: Counter[str] | None = None,
    ) -> None:
        """Take over what one checkpoint committed; `seconds` is how long it took."""
        with self._lock:
            self._move(positions, "committed")
            self._events.update(events)
            self._dead_letters.update(dead_letters)
            self._ignored.update(ignored)
            self._mastery.update(mastery or {})
            self._last_events.note(newest or {}, time.time())
            self._checkpoints += 1
            self._checkpoint_seconds += seconds
            self._last_checkpoint_at = self._answered_at = time.time()
            self._last_checkpoint_seconds = seconds

    def read(self, positions: dict[tuple[str, int], int]) -> None:
        """Positions of the consumer: everything below has been handed to an agent."""
        with self._lock:
            self._move(positions, "read")

    def ends(self, positions: dict[tuple[str, int], int], answered_at: float | None = None) -> None:
        """End offsets (last stable offset) of assigned partitions, and when a fetch was answered last."""
        with self._lock:
            self._answered_at = max(self._answered_at, answered_at or 0.0)
            self._move(positions, "end")

    def behind(self) -> int:
        """As that of a snapshot, without the price of one."""
        with self._lock:
            return _behind(self._partitions.values())

    def snapshot(self) -> ProgressSnapshot:
        """Return one consistent copy."""
        with self._lock:
            began = self._checkpoint_began_at
            return ProgressSnapshot(
                phase=self._phase,
                detail=self._detail,
                started_at=self.started_at,
                generation=self._generation,
                partitions=tuple(self._partitions[key] for key in sorted(self._partitions)),
                events=dict(self._events),
                dead_letters=dict(self._dead_letters),
                ignored=dict(self._ignored),
                mastery=dict(self._mastery),
                last_events=self._last_events.times(),
                checkpoints=self._checkpoints,
                checkpoint_seconds=self._checkpoint_seconds,
                last_checkpoint_at=self._last_checkpoint_at,
                last_checkpoint_seconds=self._last_checkpoint_seconds,
                checkpoint_running=None if began is None else time.monotonic() - began,
                silence=max(0.0, time.time() - self._answered_at),
                rebalances=self._rebalances,
                restore=self._restore,
            )

    def _move(self, positions: dict[tuple[str, int], int], name: str) -> None:
        for key, offset in positions.items():
            current = self._partitions.get(key)
            if current is not None:
                changed = {
                    "read": current.read,
                    "committed": current.committed,
                    "end": current.end,
                    name: offset,
                }
                self._partitions[key] = PartitionProgress(current.topic, current.partition, **changed)


def _behind(partitions: Iterable[PartitionProgress]) -> int:
    return sum(one.lag or 0 for one in partitions)
