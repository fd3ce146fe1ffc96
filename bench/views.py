"""The web view's read model: built, kept up and asked, without Kafka. Prints a table.

.venv/bin/python -m bench.views [ROWS]

Each student has ten outcomes, one of which all students have; 250 students share five courses. Times are
of one thread: builds in us of CPU, questions in ms. What reading the changelog costs comes on top.
"""

import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from app.mastery import blob
from app.mastery.results import Results
from app.mastery.row import CourseScore, Row
from app.mastery.snapshot import RowKey
from app.partitioner import partition_of
from app.state.store import StoreIdentity
from app.views.answers import Order, Search
from app.views.files import ViewFiles
from app.views.questions import Questions
from app.views.store import ViewStore
from app.views.writer import ChangedRow

_ACCOUNT: Final = "7pQ3WvJm2rT8bXkL9sYd4nHf6gZc1aEe5uRiOoPq"
_PARTITIONS: Final = 12
_OUTCOMES_EACH: Final = 10
_OUTCOMES: Final = 300
_ASKED: Final = 300
_SCORES: Final = (0.0, 1.0, 1.83, 2.25, 2.67, 3.0, 3.25, 3.5, 4.0, 4.6, 5.0)


def _user(student: int) -> str:
    return uuid.UUID(int=student * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).hex + "00000000"


def _row(student: int, number: int, random_: random.Random) -> tuple[RowKey, bytes]:
    outcome = "1" if number == 0 else str(2 + (student * 7 + number * 31) % (_OUTCOMES - 1))
    key = RowKey(_ACCOUNT, _user(student), outcome)
    score = random_.choice(_SCORES)
    course = CourseScore(
        str(student // 250 * 5 + number % 5 + 1),
        None,
        score,
        score >= 3,
        3,
        1_760_000_000_000 + student * 999,
    )
    row = Row(
        *key,
        score=score,
        mastery=score >= 3,
        rating="Mastery" if score >= 3 else "Near Mastery",
        mastery_points=3.0,
        points_possible=5.0,
        calculation_method="decaying_average",
        calculation_int=65,
        results_count=3,
        last_assessed_at=course.last_assessed_at,
        definition_state="known",
        scale_source="outcome",
        definition_version="0123456789abcdef",
        definition_time=1_750_000_000_000,
        outcome_title=f"Outcome {outcome}: explains its steps",
        rating_points=3.0,
        last_event_time=1_760_000_000_000,
        courses=(course,),
    )
    return key, blob.encode(Results(), row)


def _rows(count: int, partition: int, random_: random.Random) -> Iterator[tuple[RowKey, bytes]]:
    for student in range(count // _OUTCOMES_EACH):
        if partition_of(f"{_ACCOUNT}:{_user(student)}".encode(), _PARTITIONS) == partition:
            for number in range(_OUTCOMES_EACH):
                yield _row(student, number, random_)


def _build(store: ViewStore, rows: list[tuple[RowKey, bytes]]) -> tuple[float, float]:
    """CPU seconds of the first reading, and of counting and indexing."""
    began = time.process_time()
    for start in range(0, len(rows), 20_000):
        some = rows[start : start + 20_000]
        store.apply([ChangedRow(key, blob.decode_row(key, value), start) for key, value in some], start + 1)
    read = time.process_time()
    store.finish()
    return read - began, time.process_time() - read


def _keep_up(stores: list[ViewStore], count: int, random_: random.Random, batch: int) -> float:
    """CPU us for a changed row, where so many come in as one batch."""
    changed: list[list[tuple[RowKey, bytes]]] = [[] for _ in stores]
    for _ in range(20_000):
        student = random_.randrange(count // _OUTCOMES_EACH)
        place = partition_of(f"{_ACCOUNT}:{_user(student)}".encode(), _PARTITIONS)
        changed[place].append(_row(student, random_.randrange(_OUTCOMES_EACH), random_))
    began, rows = time.process_time(), 0
    size = max(1, batch // _PARTITIONS)
    for store, ours in zip(stores, changed, strict=True):
        for start in range(0, len(ours), size):
            some = dict(ours[start : start + size])
            rows += len(some)
            store.apply(
                [ChangedRow(key, blob.decode_row(key, value), start) for key, value in some.items()],
                store.position + len(some),
            )
    return (time.process_time() - began) / rows * 1e6


def _time(name: str, asked: int, ask: Callable[[int], object]) -> None:
    taken, work = [], []
    for number in range(asked):
        began, cpu = time.perf_counter(), time.thread_time()
        ask(number)
        work.append((time.thread_time() - cpu) * 1000)
        taken.append((time.perf_counter() - began) * 1000)
    (half, most), (half_cpu, most_cpu) = _percentiles(taken), _percentiles(work)
    print(
        f"  {name:44} p50 {half:7.2f}  p99 {most:7.2f}  CPU p50 {half_cpu:7.2f}  p99 {most_cpu:7.2f}",
        flush=True,
    )


def _percentiles(values: list[float]) -> tuple[float, float]:
    values.sort()
    return statistics.median(values), values[int(len(values) * 0.99)]


def _ask(ask: Questions, count: int, random_: random.Random) -> None:
    students = count // _OUTCOMES_EACH

    def anybody() -> str:
        return _user(random_.randrange(students))

    middle = ask.search(Search(order=Order.SCORE_DOWN, limit=500)).next
    _time("look-up of a student's lines", _ASKED, lambda _: ask.search(Search(users=(anybody(),))))
    _time("keys of a student", _ASKED, lambda _: ask.keys_of_user(anybody()))
    _time("first page by student", _ASKED, lambda _: ask.search(Search()))
    _time("first page by score", _ASKED, lambda _: ask.search(Search(order=Order.SCORE_DOWN)))
    _time(
        "a later page by score",
        _ASKED,
        lambda _: ask.search(Search(order=Order.SCORE_DOWN, cursor=middle)),
    )
    _time("first page by title", _ASKED, lambda _: ask.search(Search(order=Order.OUTCOME)))
    _time("one outcome (all students) by student", 50, lambda _: ask.search(Search(outcome="Outcome 1:")))
    _time(
        "one outcome (all students) by score",
        50,
        lambda _: ask.search(Search(outcome="Outcome 1:", order=Order.SCORE)),
    )
    _time(
        "one outcome (usual), below mastery, by score",
        50,
        lambda _: ask.search(Search(outcome="77", mastered=False, order=Order.SCORE_DOWN)),
    )
    _time("a course's lines by score", 50, lambda _: ask.search(Search(course="77", order=Order.SCORE)))
    _time("distribution of an outcome (all students)", 20, lambda _: ask.outcome_scores(_ACCOUNT, "1"))
    _time("near mastery of an outcome (all students)", 20, lambda _: ask.near_mastery(_ACCOUNT, "1"))
    _time("page of outcomes", 50, lambda _: ask.outcomes())
    _time("page of courses", 50, lambda _: ask.courses())
    _time("course grid", 50, lambda number: ask.course_grid(_ACCOUNT, str(number + 1)))
    _time("recent changes, counts", 50, lambda _: (ask.recent_changes(), ask.counts()))


def main() -> None:
    """Build, keep up, ask."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    random_ = random.Random(1)  # noqa: S311 - the same rows each time
    with tempfile.TemporaryDirectory(prefix="mastery-bench-") as folder:
        files, stores, reading, counting = ViewFiles(), [], 0.0, 0.0
        for partition in range(_PARTITIONS):
            rows = list(_rows(count, partition, random_))
            random_.shuffle(rows)
            path = Path(folder) / f"{partition}.db"
            store = ViewStore(path, StoreIdentity("bench", "", partition, _PARTITIONS, blob.FORMAT))
            read, counted = _build(store, rows)
            reading, counting = reading + read, counting + counted
            files.serve(partition, path)
            stores.append(store)
        size = sum(store.path.stat().st_size for store in stores)
        print(
            f"{count:,} rows in {_PARTITIONS} files: {count / (reading + counting):,.0f} rows/s built"
            f" ({reading / count * 1e6:.1f} us a row, {counting / count * 1e6:.1f} for indexes and counts),"
            f" {size / count:.0f} bytes a row"
        )
        for batch in (1_000, 10_000):
            cost = _keep_up(stores, count, random_, batch)
            print(f"  a changed row, {batch:,} at a time: {cost:.0f} us of CPU")
        _ask(Questions(files, 10.0), count, random_)
        for store in stores:
            store.close()


if __name__ == "__main__":
    main()
