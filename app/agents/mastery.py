"""The mastery agent: typed results of one partition in, changed rows and their publication out."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from app.agents.publication import Publication
from app.errors import MasteryError
from app.mastery.blob import BlobError, decode, encode
from app.mastery.forgotten import Forgotten, remaining
from app.mastery.resolve import Definition
from app.mastery.results import Results
from app.mastery.rollup import roll_up
from app.mastery.row import Row
from app.mastery.snapshot import ResultSnapshot, RowKey, Unplaced, read_result
from app.schemas.decoder import DecodingError
from app.state.overlay import StateChange
from app.state.table import StateTable
from app.stream.application import StreamApp
from app.stream.batch import Delivered, Output, RawRecord, RecordBatch

__all__ = ["MasteryProcessor", "ResultUnreadable", "RowUnreadable", "add_mastery"]

#: Rows that go through each step together, before all go on to the next. One by one takes a sixth longer:
#: the processor's caches hold the code of one step and what belongs to so many rows, but not all of it.
_PIECE: Final = 100

_Histories = dict[bytes, tuple[RowKey, list[ResultSnapshot]]]


class RowUnreadable(MasteryError):
    """A row in the state cannot be read, though its partition was restored."""


class ResultUnreadable(MasteryError):
    """A record of a result topic is none. It is never skipped: scores would be wrong without a word."""


class MasteryProcessor:
    """Brings results into the rows of their partition, and computes rows again. To be used in the event loop.

    `decode` takes the framed value of a typed result; `definition` is asked for each row by root account and
    outcome; `forgotten` has the marks of the partitions owned. Every output holds, in one transaction, the
    changed rows for the changelog and what is published of them. Raises what StateTable raises, and
    RowUnreadable.
    """

    def __init__(
        self,
        decode: Callable[[bytes], Mapping[str, Any]],
        table: StateTable,
        definition: Callable[[str, str], Definition],
        publication: Publication,
        *,
        changelog: str,
        forgotten: Mapping[int, Forgotten] | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._decode = decode
        self._table = table
        self._definition = definition
        self._publication = publication
        self._changelog = changelog
        self._forgotten: Mapping[int, Forgotten] = {} if forgotten is None else forgotten
        self._clock = clock

    def __call__(self, batch: RecordBatch) -> Output:
        """Apply a batch of results; a row that several of them touch is computed once."""
        output = Output()
        histories: _Histories = {}
        forgotten = self._forgotten.get(batch.partition)
        try:
            for record in batch.records:
                if record.value is None:
                    output.mastery["empty"] += 1
                    continue
                placed = read_result(self._decode(record.value))
                if isinstance(placed, Unplaced):
                    output.mastery[placed.value] += 1
                    continue
                key, snapshot = placed
                if forgotten and forgotten.passes_over(*key[:2], snapshot.version.event_time):
                    output.mastery["passed-over"] += 1
                    continue
                histories.setdefault(str(key).encode(), (key, []))[1].append(snapshot)
        except DecodingError as error:
            raise _unreadable(batch, record, str(error)) from None
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            # The error's own text may hold a value.
            raise _unreadable(batch, record, f"not an event of this topic ({type(error).__name__})") from None
        output.mastery["results"] += len(batch.records)
        self._change(batch.partition, histories, output)
        return output

    def recompute(self, partition: int, keys: Iterable[RowKey]) -> Output:
        """Compute rows again, as their definition may have changed."""
        output = Output()
        self._change(partition, {str(key).encode(): (key, []) for key in keys}, output)
        return output

    def forget(
        self,
        partition: int,
        keys: Iterable[RowKey],
        forgotten_at: int,
        marks: Mapping[bytes, bytes],
        output: Output,
    ) -> None:
        """Take from rows what events up to a time told; rows of which nothing is left go. Keep `marks`."""
        now = self._clock() // 1_000_000
        raw_keys = {str(key).encode(): key for key in keys}
        changed: dict[bytes, bytes | None] = {**marks}
        for raw_key, blob in self._table.get_many(partition, raw_keys).items():
            key = raw_keys[raw_key]
            results, before = _read(key, blob)
            left = remaining(results, forgotten_at)
            if left == results:
                continue
            if left.snapshots:
                definition = self._definition(key.root_account_uuid, key.learning_outcome_id)
                row = roll_up(key, left, definition)
                changed[raw_key] = encode(left, row)
                output.typed += self._publication.records(raw_key, before, row, now)
            else:
                changed[raw_key] = None
                if before is not None:
                    output.typed += self._publication.tombstones(raw_key, before, now)
                output.mastery["deleted"] += 1
        self._keep(partition, changed, output, now)

    def _change(self, partition: int, histories: _Histories, output: Output) -> None:
        now = self._clock() // 1_000_000
        blobs = self._table.get_many(partition, histories)
        changed: dict[bytes, bytes | None] = {}
        rows = iter(histories.items())
        while piece := list(islice(rows, _PIECE)):
            changed |= self._change_some(piece, blobs, output, now)
        output.mastery["changed"] += len(changed)
        self._keep(partition, changed, output, now)

    def _change_some(
        self,
        histories: Iterable[tuple[bytes, tuple[RowKey, list[ResultSnapshot]]]],
        blobs: Mapping[bytes, bytes],
        output: Output,
        now: int,
    ) -> dict[bytes, bytes]:
        """Compute a piece of rows, and add what is published of them; return those to be kept."""
        held: list[tuple[bytes, RowKey, bool, Results, Row | None]] = []
        for raw_key, (key, snapshots) in histories:
            blob = blobs.get(raw_key)
            if blob is None and not snapshots:
                continue
            results, before = _read(key, blob)
            # Not any() of the calls: each of them must be made.
            if snapshots and True not in [results.apply(snapshot) for snapshot in snapshots]:
                output.mastery["repeated"] += 1
                continue
            held.append((raw_key, key, bool(snapshots), results, before))
        definition = self._definition
        rows = [
            roll_up(key, results, definition(key.root_account_uuid, key.learning_outcome_id))
            for _, key, _, results, _ in held
        ]
        changed: dict[bytes, bytes] = {}
        differing: list[tuple[bytes, Row | None, Row]] = []
        for (raw_key, _, has_news, results, before), row in zip(held, rows, strict=True):
            differs = row != before
            if has_news or differs:
                changed[raw_key] = encode(results, row)
            if differs:
                differing.append((raw_key, before, row))
        for raw_key, before, row in differing:
            output.typed += self._publication.records(raw_key, before, row, now)
        output.mastery["published"] += len(differing)
        return changed

    def _keep(self, partition: int, changed: Mapping[bytes, bytes | None], output: Output, now: int) -> None:
        """Stage what changed, with its changelog in the same output."""
        if changed:
            change = self._table.stage(partition, changed)
            output.changes.append(change)
            self._log(partition, changed, _offset_taker(change), output, now)

    def _log(
        self,
        partition: int,
        changed: Mapping[bytes, bytes | None],
        delivered: Delivered,
        output: Output,
        now: int,
    ) -> None:
        """Add the changelog's records; the last of them tells where the changelog has come to."""
        topic = self._changelog
        output.typed += [(topic, blob, key, partition, None, None, now) for key, blob in changed.items()]
        _, blob, key, *_ = output.typed[-1]
        output.typed[-1] = (topic, blob, key, partition, delivered, None, now)


def _unreadable(batch: RecordBatch, record: RawRecord, reason: str) -> ResultUnreadable:
    return ResultUnreadable(
        f"{batch.topic} partition {batch.partition} holds no result at offset {record.offset}: {reason}",
        hint="something else than a worker wrote it. To pass over it, stop the workers, then"
        " kafka-consumer-groups"
        f" --reset-offsets --topic {batch.topic}:{batch.partition} --to-offset {record.offset + 1} --execute",
    )


def _read(key: RowKey, blob: bytes | None) -> tuple[Results, Row | None]:
    """A row as it is in the state, with its results; None where there is none yet."""
    if blob is None:
        return Results(), None
    try:
        return decode(key, blob)
    except BlobError as error:
        raise RowUnreadable(
            f"a row of the state cannot be read: {error}", hint="`mastery state rebuild` makes it anew"
        ) from None


def _offset_taker(change: StateChange) -> Delivered:
    def delivered(error: Any, message: Any) -> None:
        if error is None:
            change.offset = message.offset()

    return delivered


def add_mastery(
    app: StreamApp, topics: Sequence[str], processor: Callable[[], Callable[[RecordBatch], Output]]
) -> None:
    """Register the agent that takes typed results and commands; `processor` is asked for when it starts.

    One agent for all these topics: it is the one writer of the rows of a partition.
    """
    results = app.topic(*topics, key_serializer="raw", value_serializer="raw")

    @app.agent(results, name="mastery")
    async def mastery(stream: Any) -> None:
        process = processor()
        async for event in stream.noack().events():
            batch: RecordBatch = event.value
            if app.checkpointer.is_current(batch.assignment):
                try:
                    output = process(batch)
                except MasteryError as error:
                    app.fail(error)
                    return
                await app.handover.put(batch, output)
