"""What the pieces of mastery cost, one by one: `python -m bench.mastery_pieces`.

4,000 results, each the fourth of its row, in batches of 2,000; best of several runs, in microseconds of CPU a
result. Kafka, and what waits for it, is not in it.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from msgspec.structs import replace

from app.agents.mastery import MasteryProcessor
from app.agents.publication import Publication
from app.mastery import blob
from app.mastery.definition import read_outcome
from app.mastery.resolve import Definition, resolve
from app.mastery.results import Results
from app.mastery.rollup import roll_up
from app.mastery.rules import AccountRules
from app.mastery.snapshot import ResultSnapshot, RowKey, Unplaced, read_result
from app.mastery_part import typed_results
from app.schemas.contract import load_contract
from app.schemas.decoder import AvroDecoder
from app.schemas.encoder import compile_encoder
from app.state.overlay import StateChange
from app.state.reader import StoreReader
from app.state.store import PartitionStore, StoreIdentity
from app.state.table import StateTable
from app.stream.batch import Assignment, RecordBatch
from bench.mastery_workload import OUTCOME_EVENT, raw_outcome, typed_records
from bench.workload import OUTCOMES, RESULT_EVENT, result_event

__all__ = ["agent_pieces", "main"]

_RESULTS = 4_000
_BATCH = 2_000
_BEFORE = 3
_RUNS = 11


class _Typed(NamedTuple):
    offset: int
    timestamp: int
    key: None
    value: bytes
    headers: tuple[()]


class _Table:
    """Rows in a dict, that stay as they are."""

    def __init__(self, rows: Mapping[bytes, bytes]) -> None:
        self._rows = rows

    def get_many(self, _partition: int, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        return {key: self._rows[key] for key in keys if key in self._rows}

    def stage(self, partition: int, rows: Mapping[bytes, bytes | None]) -> StateChange:
        return StateChange(partition, rows)


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_RUNS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times) / _RESULTS * 1e6


def _placed(decode: Callable[[bytes], Any], framed: bytes) -> tuple[RowKey, ResultSnapshot]:
    placed = read_result(decode(framed))
    if isinstance(placed, Unplaced):
        raise TypeError("the workload's results all have a row")
    return placed


def _whole(schemas: Mapping[int, Any]) -> Callable[[bytes], Any]:
    """The decoder of whole records."""
    return AvroDecoder(schemas.__getitem__).decode


@dataclass(frozen=True)
class _Agent:
    """The agent's parts, and the rows and keys that they work on."""

    pieces: list[tuple[str, Callable[[], object]]]
    rows: dict[bytes, bytes]
    keys: list[bytes]


def agent_pieces() -> list[tuple[str, Callable[[], object]]]:
    """Names, and work that goes over all results; what needs files is not among them."""
    return _agent().pieces


def _agent() -> _Agent:
    contract = load_contract()
    schemas = {event.local_id: event.schema for event in contract.events.values()}
    decode = typed_results(schemas.__getitem__)
    numbers = range(_RESULTS)
    typed = typed_records(RESULT_EVENT, map(result_event, numbers))
    placed = [_placed(decode, framed) for _, framed in typed]
    told = typed_records(OUTCOME_EVENT, map(raw_outcome, range(1, OUTCOMES + 1)))
    definitions = {
        outcome.learning_outcome_id: resolve(outcome, AccountRules())
        for outcome in (read_outcome(_whole(schemas)(framed)) for _, framed in told)
    }

    def definition(_account: str, outcome: str) -> Definition:
        return definitions[outcome]

    histories: dict[RowKey, Results] = {}
    for number in range(_RESULTS):
        key = placed[number][0]
        results = histories.setdefault(key, Results())
        own = placed[number][1]
        for other in range(_BEFORE):
            before = placed[number - 1 - other * 7][1]
            results.apply(replace(before, course_id=own.course_id, course_uuid=own.course_uuid))
    rows = {
        str(key).encode(): blob.encode(results, roll_up(key, results, definition(*key[::2])))
        for key, results in histories.items()
    }
    ids = {name: schema.local_id for name, schema in contract.derived.items()}
    row, course = (
        compile_encoder(contract.derived[name].schema, ids[name], plain_times=True).encode
        for name in ("outcome_mastery", "course_outcome_mastery")
    )
    publication = Publication(row_topic="rows", course_topic="courses", encode_row=row, encode_course=course)
    table = _Table(rows)
    processor = MasteryProcessor(
        decode, cast(StateTable, table), definition, publication, changelog="changelog", clock=lambda: 10**18
    )
    assignment = Assignment(1, "member", frozenset())
    records = [_Typed(number, 0, None, framed, ()) for number, (_, framed) in enumerate(typed)]
    batches = [
        RecordBatch("results", 0, start, start + _BATCH, records[start : start + _BATCH], assignment)
        for start in range(0, _RESULTS, _BATCH)
    ]
    keys = [key for key, _ in placed]
    raw_keys = [str(key).encode() for key in keys]
    held = [blob.decode(key, rows[raw]) for key, raw in zip(keys, raw_keys, strict=True)]
    for (results, _), (_, snapshot) in zip(held, placed, strict=True):
        results.apply(snapshot)
    known = [definition(*key[::2]) for key in keys]
    after = [
        roll_up(key, results, definition(*key[::2])) for key, (results, _) in zip(keys, held, strict=True)
    ]
    decoded = [decode(framed) for _, framed in typed]

    def each(function: Callable[..., object], *values: Iterable[Any]) -> Callable[[], None]:
        lists = [list(some) for some in values]

        def work() -> None:
            for arguments in zip(*lists, strict=True):
                function(*arguments)

        return work

    pieces: list[tuple[str, Callable[[], object]]] = [
        ("an empty loop", each(lambda _: None, raw_keys)),
        ("decode the typed result", each(decode, [framed for _, framed in typed])),
        ("row and snapshot of it", each(read_result, decoded)),
        ("key as bytes", each(lambda key: str(key).encode(), keys)),
        ("state from bytes", each(blob.decode, keys, [rows[raw] for raw in raw_keys])),
        ("roll up", each(lambda key, one, known: roll_up(key, one[0], known), keys, held, known)),
        ("state to bytes", each(lambda one, row: blob.encode(one[0], row), held, after)),
        (
            "publish: both records",
            each(lambda raw, one, row: [*publication.records(raw, one[1], row, 1)], raw_keys, held, after),
        ),
        ("the whole agent", lambda: [processor(batch) for batch in batches]),
    ]
    return _Agent(pieces, rows, raw_keys)


def main() -> None:
    """Measure and print."""
    agent = _agent()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0.db"
        with PartitionStore(path, StoreIdentity("changelog", "", 0, 1, blob.FORMAT)) as store:
            store.append(agent.rows.items(), 1)
            store.finish_restore()
            with StoreReader(path) as reader:
                files: list[tuple[str, Callable[[], object]]] = [
                    (
                        "SQLite: read",
                        lambda: [
                            reader.get_many(agent.keys[n : n + _BATCH]) for n in range(0, _RESULTS, _BATCH)
                        ],
                    ),
                    ("SQLite: write, one transaction", lambda: store.write(agent.rows, 2)),
                ]
                for name, work in agent.pieces + files:
                    print(f"{name:40}{_best(work):6.2f} us")


if __name__ == "__main__":
    main()
