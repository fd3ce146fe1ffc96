"""Stand-ins for what surrounds the checkpoint."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from app.stream.batch import Assignment, Output, RecordBatch

__all__ = ["FakeProducer", "FakeRecord", "FakeState", "assignment_of", "make_batch", "output_of"]


@dataclass(frozen=True)
class FakeRecord:
    offset: int
    timestamp: int | None = 1_700_000_000_000
    key: bytes | None = None
    value: bytes | None = b"{}"
    headers: tuple[tuple[str, bytes | None], ...] = ()


def assignment_of(generation: int, partitions: int = 3) -> Assignment:
    return Assignment(
        generation, f"member-{generation}", frozenset(("raw", number) for number in range(partitions))
    )


def make_batch(
    assignment: Assignment, partition: int = 0, start: int = 0, size: int = 1, gap: int = 0
) -> RecordBatch:
    """Return a batch of `size` records; `gap` offsets before the first one belong to markers."""
    records = [FakeRecord(start + gap + number) for number in range(size)]
    return RecordBatch("raw", partition, start, start + gap + size, records, assignment)


def output_of(batch: RecordBatch) -> Output:
    """Return an output whose one record tells the batch: its key is the batch's `id()`."""
    output = Output(typed=[("out", b"", b"%d" % id(batch), -1, None, None, 1)])
    output.events["copied"] = len(batch.records)
    return output


@dataclass
class FakeProducer:
    """Records what is called; `open` holds the keys of the records in the open transaction.

    What librdkafka would not allow goes to `misused`: the checkpoint would take an exception for a failure.
    """

    busy: Callable[[], bool] = lambda: False
    calls: list[str] = field(default_factory=list)
    misused: list[str] = field(default_factory=list)
    open: list[bytes] | None = None
    committed: list[tuple[list[bytes], dict[tuple[str, int], int], bytes]] = field(default_factory=list)
    produce_error: Exception | None = None

    def begin(self) -> None:
        self._called("begin", fine=self.open is None and not self.busy())
        self.open = []

    def produce(self, output: Output) -> None:
        self._called("produce", fine=self.open is not None and not self.busy())
        assert self.open is not None
        if self.produce_error is not None:
            self.open.append(b"a part of an output")
            raise self.produce_error
        self.open += [record[2] for record in output.typed]

    def commit(self, positions: Mapping[tuple[str, int], int], group_metadata: bytes) -> None:
        self._called("commit", fine=self.open is not None)
        self.committed.append((self.open or [], dict(positions), group_metadata))
        self.open = None

    def abort(self) -> None:
        self._called("abort", fine=True)
        self.open = None

    def _called(self, name: str, *, fine: bool) -> None:
        self.calls.append(name)
        if not fine:
            self.misused.append(name)


class FakeState:
    """Notes what is written, and what it may forget."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[object]]] = []
        self.error: Exception | None = None

    def take_over(self, assignment: Assignment, cancelled: Callable[[], bool]) -> bool:
        raise NotImplementedError

    def give_up(self) -> None:
        raise NotImplementedError

    def write(self, changes: Iterable[object]) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append(("write", list(changes)))

    def release(self, changes: Iterable[object]) -> None:
        self.calls.append(("release", list(changes)))
