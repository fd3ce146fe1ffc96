"""The judge must find what it is there to find, or the fault tests prove nothing."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from tests.chaos.feeder import Fed, Place
from tests.chaos.sampler import Mark
from tests.chaos.verify import Judge
from tests.chaos.workload import DEAD, IGNORED, workload
from tests.support.records import Record

RAW = "t.live-events"
TIME = 1_700_000_000_000


@pytest.fixture
def fed() -> dict[Place, Fed]:
    return {
        (number % 2, number // 2): Fed(event, TIME + number)
        for number, event in enumerate(islice(workload(1), 2_000))
    }


@pytest.fixture
def typed(fed: dict[Place, Fed]) -> dict[str, list[Record]]:
    """What a worker without fault writes, all into one partition."""
    topics: dict[str, list[Record]] = {}
    for item in fed.values():
        if item.event.outcome not in (DEAD, IGNORED):
            records = topics.setdefault(item.event.outcome, [])
            value = b"\0\0\0\0\1" + b"\x40" + item.event.event_id.encode() + b"rest"
            records.append(
                Record(f"t.{item.event.outcome}", 0, len(records), b"k", value, (), item.timestamp)
            )
    return topics


@pytest.fixture
def dead(fed: dict[Place, Fed]) -> list[Record]:
    return list(_dead_letters(fed))


def _dead_letters(fed: dict[Place, Fed]) -> Iterator[Record]:
    for (partition, offset), item in fed.items():
        if item.event.outcome == DEAD:
            headers = (
                ("__streams.errors.topic", RAW.encode()),
                ("__streams.errors.partition", b"%d" % partition),
                ("__streams.errors.offset", b"%d" % offset),
                ("mastery.error.kind", b"not-json"),
            )
            yield Record(
                "t.dead-letter", 0, 2 * offset + partition, None, item.event.value, headers, item.timestamp
            )


def _judge(fed: dict[Place, Fed], typed: dict[str, list[Record]], dead: list[Record]) -> Judge:
    judge = Judge(fed, RAW)
    for name, records in typed.items():
        judge.take_typed(name, records)
    judge.take_dead(dead)
    return judge


def _problems(*found: Any) -> dict[str, int]:
    return {kind: len(lines) for kind, lines in _judge(*found).problems().items()}


def test_the_workload_is_seeded_unique_and_mixed() -> None:
    events = list(islice(workload(7), 3_000))
    assert events == list(islice(workload(7), 3_000))
    assert events != list(islice(workload(8), 3_000))
    good = [event for event in events if event.outcome != DEAD]
    assert len({event.event_id for event in good}) == len(good)
    assert len({event.outcome for event in events}) == 12 + 2
    assert 30 < sum(event.outcome == DEAD for event in events) < 90


def test_nothing_wrong(fed, typed, dead) -> None:
    judge = _judge(fed, typed, dead)
    assert judge.problems() == {}
    ignored = sum(item.event.outcome == IGNORED for item in fed.values())
    assert judge.counts["typed"] + judge.counts["dead"] + ignored == len(fed)


def test_a_lost_event(fed, typed, dead) -> None:
    del typed["rubric_assessed"][3]
    del dead[0]
    assert _problems(fed, typed, dead) == {"lost": 2}


def test_an_event_written_twice(fed, typed, dead) -> None:
    records = typed["rubric_assessed"]
    records.append(replace(records[-1], offset=len(records)))
    dead.append(dead[-1])
    assert _problems(fed, typed, dead) == {"more than once": 2}


def test_an_event_in_another_topic(fed, typed, dead) -> None:
    typed["another"] = [replace(typed["rubric_assessed"].pop(), topic="t.another")]
    assert _problems(fed, typed, dead) == {"in the wrong topic": 1}


def test_records_that_nobody_fed(fed, typed, dead) -> None:
    stranger = b"\0\0\0\0\1\x40" + b"0" * 32
    typed["rubric_assessed"].append(replace(typed["rubric_assessed"][0], value=stranger))
    typed["rubric_assessed"].append(replace(typed["rubric_assessed"][0], value=b"no avro"))
    dead.append(replace(dead[0], headers=()))
    assert _problems(fed, typed, dead) == {"made up": 3}


def test_order_bytes_and_time(fed, typed, dead) -> None:
    records = typed["rubric_assessed"]
    # Two of one raw partition: neighbours may be of different ones, whose order is free.
    same = [index for index in range(len(records)) if fed_partition(fed, records[index]) == 0][:2]
    records[same[0]], records[same[1]] = records[same[1]], records[same[0]]
    records[0] = replace(records[0], timestamp=5)
    dead[0] = replace(dead[0], value=b"changed")
    problems = _problems(fed, typed, dead)
    assert set(problems) == {"out of order", "with another time", "with other bytes"}


def test_events_of_the_same_bytes(fed, typed, dead) -> None:
    """Canvas delivers twice: both must be found, and no third one."""
    records = typed["rubric_assessed"]
    place = max(fed)
    again = (place[0], place[1] + 1)
    fed[again] = replace(
        next(item for item in fed.values() if item.event.outcome == "rubric_assessed"), timestamp=TIME + 9_999
    )
    assert _problems(fed, typed, dead) == {"lost": 1}
    second = next(record for record in records if event_id(record) == fed[again].event.event_id)
    records.append(replace(second, offset=len(records), timestamp=TIME + 9_999))
    assert _problems(fed, typed, dead) == {}
    records.append(replace(second, offset=len(records)))
    assert _problems(fed, typed, dead) == {"more than once": 1}


def test_a_key_in_two_partitions(fed, typed, dead) -> None:
    typed["rubric_assessed"][-1] = replace(typed["rubric_assessed"][-1], partition=1)
    assert _problems(fed, typed, dead) == {"key in two partitions": 1}


def test_a_key_of_results_in_two_partitions_of_two_topics(fed, typed, dead) -> None:
    created = typed["learning_outcome_result_created"]
    typed["learning_outcome_result_created"] = [replace(record, partition=1) for record in created]
    assert set(_problems(fed, typed, dead)) == {"key in two partitions"}


def test_offsets_committed_before_the_output_was_written(fed, typed, dead) -> None:
    judge = _judge(fed, typed, dead)
    ends = {(records[0].topic, 0): len(records) for records in (*typed.values(), dead)}
    ends["t.dead-letter", 0] = max(record.offset for record in dead) + 1
    everything = {0: 1_000, 1: 1_000}
    before = Mark({0: 0, 1: 0}, dict.fromkeys(ends, 0))
    judge.take_marks([before, Mark(everything, ends)])
    assert judge.problems() == {}

    # The last of a topic came after the mark at which it was committed, though it is there in the end.
    late = ends | {("t.rubric_assessed", 0): ends["t.rubric_assessed", 0] - 1}
    judge.take_marks([before, Mark(everything, late), Mark(everything, ends)])
    assert {kind: len(lines) for kind, lines in judge.problems().items()} == {
        "committed before it was written": 1
    }
    assert "t.rubric_assessed[0]" in judge.first_wrong()


def test_what_is_wrong_first_is_told_with_its_event(fed, typed, dead) -> None:
    lost = [typed["rubric_assessed"].pop(number) for number in (7, 3)]
    judge = _judge(fed, typed, dead)
    first = next(item for item in fed.values() if item.event.event_id == event_id(lost[1]))
    assert "found at: nowhere" in judge.first_wrong()
    assert repr(first.event.value) in judge.first_wrong()


def event_id(record: Record) -> str:
    assert record.value is not None
    return record.value[6:38].decode()


def fed_partition(fed: dict[Place, Fed], record: Record) -> int:
    return next(place[0] for place, item in fed.items() if item.event.event_id == event_id(record))
