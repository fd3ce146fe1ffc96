"""Large hostile input costs time and memory in proportion to its size."""

import gc
import json
import time
import tracemalloc
from collections.abc import Callable

import pytest

from tests.chaos.fuzz_inputs import IGNORED, SAMPLES
from tests.chaos.test_fuzz_router import route
from tests.stream.fakes import FakeRecord

pytestmark = [pytest.mark.scenario(name="fuzz", ci=True)]

KIB = 1024


def event(name: str, path: str, text: bytes) -> bytes:
    """An example with the JSON `text` at a place of its body."""
    (raw, *_) = [raw for raw in SAMPLES if json.loads(raw)["metadata"]["event_name"] == name]
    made = json.loads(raw)
    made["body"][path] = "@"
    return json.dumps(made).encode().replace(b'"@"', text)


def unknown(text: bytes) -> bytes:
    return event("learning_outcome_created", "novelty", text)


def filled(start: bytes, piece: bytes, end: bytes) -> Callable[[int], bytes]:
    return lambda size: start + piece * (size // len(piece)) + end


def array(
    item: bytes, name: str = "learning_outcome_created", path: str = "novelty"
) -> Callable[[int], bytes]:
    return lambda size: event(name, path, b"[" + b",".join([item] * (size // (len(item) + 1))) + b"]")


def keys(size: int) -> bytes:
    return unknown(b"{" + b",".join(b'"%d":0' % number for number in range(size // 9)) + b"}")


def fields(size: int) -> bytes:
    return unknown(b"0," + b",".join(b'"a.%d":0' % number for number in range(size // 11)))


RATINGS = "outcome_proficiency_created", "outcome_proficiency_ratings"

SHAPES: dict[str, Callable[[int], bytes]] = {
    "blanks": filled(b"", b" ", b""),
    "blanks after the name": filled(b'{"metadata": {"event_name"', b" ", b"x"),
    "names": filled(b'{"metadata": {', b'"event_name" :', b"}"),
    "names and blanks": filled(b"{", b'"event_name"' + b" " * 200, b"}"),
    "a name that never ends": filled(b'{"metadata": {"event_name": "', b"a.", b""),
    "an unterminated string": filled(b'{"a": NaN, "b": "', b"x", b""),
    "quotes": filled(b"NaN", b'"', b""),
    "backslashes": filled(b'{"a": NaN, "b": "', b"\\", b'"'),
    "escapes": lambda size: unknown(b'"' + b"\\u00e9" * (size // 6) + b'"'),
    "not ASCII": lambda size: unknown(b'"' + "\u00e9".encode() * (size // 2) + b'"'),
    "NaN": array(b"NaN"),
    "digits": lambda size: unknown(b"9" * size),
    "digits after the point": lambda size: unknown(b"0." + b"3" * size),
    "digits of a double": lambda size: event(
        "learning_outcome_result_created", "score", b'NaN,"x":1.' + b"7" * size
    ),
    "long integers": array(b"7" * 4_000),
    "long integers for a double": array(b'{"points": ' + b"7" * 300 + b"}", *RATINGS),
    "digits of a time": lambda size: event(
        "learning_outcome_created", "created_at", b'"2024-01-01T00:00:00.' + b"1" * size + b' UTC"'
    ),
    "brackets": filled(b"", b"[", b""),
    "brackets in an ignored event": lambda size: IGNORED.replace(b"1}", b"[" * size),
    "towers": array(b"[" * 300 + b"]" * 300),
    "empty objects": array(b"{}"),
    "keys": keys,
    "unknown fields": fields,
    "one key again and again": lambda size: unknown(b"0" + b',"title":"x"' * (size // 12)),
    "ratings": array(b'{"points": 1}', *RATINGS),
    "ratings of null": array(b"null", *RATINGS),
    "ratings of integers for ids": array(
        b'{"outcome_proficiency_rating_id": 1, "points": 1, "description": "", "mastery": true,'
        b' "color": "", "workflow_state": "", "x": 1}',
        *RATINGS,
    ),
    "an id": lambda size: event("learning_outcome_created", "learning_outcome_id", b'"' + b"7" * size + b'"'),
}  # fmt: skip


def cpu(value: bytes) -> float:
    """Seconds of the router, without Python's collector: it looks at all that the tests before have left."""
    gc.disable()
    try:
        begun = time.process_time()
        route(FakeRecord(0, value=value))
        return time.process_time() - begun
    finally:
        gc.enable()


@pytest.mark.parametrize("shape", SHAPES)
def test_time_grows_with_the_size_and_no_faster(shape: str) -> None:
    small, large = SHAPES[shape](48 * KIB), SHAPES[shape](8 * 48 * KIB)
    best, best_large = cpu(small), cpu(large)
    for _ in range(20):
        # Quadratic would be 64. What takes less than 5 ms a MiB may be as uneven as it likes.
        if best_large < 20 * best or best_large < 0.002:
            return
        best, best_large = min(best, cpu(small)), min(best_large, cpu(large))
    pytest.fail(f"8 times the size takes {best_large / best:.0f} times as long")


@pytest.mark.parametrize("shape", SHAPES)
def test_memory_is_a_small_multiple_of_the_size(shape: str) -> None:
    value = SHAPES[shape](100 * KIB)
    tracemalloc.start()
    try:
        route(FakeRecord(0, value=value))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Python's empty object takes 64 bytes where JSON takes 3, a match of two quotes takes 120.
    assert peak < 80 * len(value) + 200 * KIB
