"""What the pieces of the router cost, one by one: `python -m bench.pieces`.

Best of several runs over 4,000 differing events of the fan-out benchmark, in microseconds of CPU an event.
"""

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from io import BytesIO
from typing import Any, NamedTuple, cast

import fastavro

from app.events.decode import EventDecoder
from app.events.keys import key_function
from app.schemas.contract import load_contract
from app.schemas.encoder import compile_encoder, is_plain_ascii
from app.schemas.models import build_models
from app.schemas.registry import SchemaIds
from app.settings import load_settings
from app.stream.batch import Assignment, RecordBatch
from app.worker import build_router
from bench.workload import RESULT_EVENT, result_event

__all__ = ["main", "router_pieces"]

_EVENTS = 4_000
_RUNS = 15


class _Raw(NamedTuple):
    offset: int
    timestamp: int
    key: None
    value: bytes
    headers: tuple[()]


class _Ids(NamedTuple):
    by_name: dict[str, int]


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_RUNS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times) / _EVENTS * 1e6


def _each(function: Callable[[Any], object], values: Sequence[Any]) -> Callable[[], None]:
    def work() -> None:
        for value in values:
            function(value)

    return work


def router_pieces() -> list[tuple[str, Callable[[], object]]]:
    """Names, and work that goes over all events."""
    contract = load_contract()
    event = contract.events[RESULT_EVENT]
    decode = EventDecoder(contract, build_models(contract))
    encoder = compile_encoder(event.schema, event.local_id)
    raw = [result_event(number) for number in range(_EVENTS)]
    unknown = [value.replace(b'"body": {', b'"body": {"new_field": 1, ') for value in raw]
    records = [decode(value) for value in raw]
    ids = _Ids({name: known.local_id for name, known in contract.events.items()})
    router = build_router(load_settings(), contract, cast(SchemaIds, ids))
    assignment = Assignment(1, "member", frozenset())
    rows = [_Raw(number, 1_700_000_000_000, None, value, ()) for number, value in enumerate(raw)]
    batch = RecordBatch("raw", 0, 0, len(rows), rows, assignment)
    schema = fastavro.parse_schema(event.schema)
    plain = [fastavro.schemaless_reader(BytesIO(encoder.encode(record)[5:]), schema) for record in records]
    strange = [_Raw(number, 1_700_000_000_000, None, value, ()) for number, value in enumerate(unknown)]
    strange_batch = RecordBatch("raw", 0, 0, len(strange), strange, assignment)
    return [
        ("an empty loop", _each(lambda _: None, raw)),
        ("decode, strictly, with event_id", _each(decode, raw)),
        ("    of that SHA-256", _each(lambda value: sha256(value).hexdigest(), raw)),
        ("decode, tolerantly (a field that is not in the contract)", _each(decode, unknown)),
        ("is it ASCII", _each(is_plain_ascii, raw)),
        ("encode, ASCII", _each(encoder.encode_ascii, records)),
        ("encode, any text", _each(encoder.encode, records)),
        ("    fastavro", _each(lambda value: fastavro.schemaless_writer(BytesIO(), schema, value), plain)),
        ("key", _each(key_function(event), records)),
        ("the whole router", lambda: router(batch)),
        ("the router, unknown field", lambda: router(strange_batch)),
    ]


def main() -> None:
    """Measure and print."""
    for name, work in router_pieces():
        print(f"{name:60}{_best(work):6.2f} us")


if __name__ == "__main__":
    main()
