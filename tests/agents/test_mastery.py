"""The mastery agent, the recomputation and the checkpoint together: whatever happens, the oracle's rows."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.agents.mastery import ResultUnreadable, RowUnreadable
from app.mastery import blob
from app.mastery.row import Row
from app.mastery.rules import MasteryRules
from app.mastery.snapshot import RowKey
from app.schemas.decoder import AvroDecoder
from app.stream.batch import Output, RecordBatch
from tests.agents.world import CHANGELOG, COURSES, CREATED, DISK_FULL, ROWS, World
from tests.mastery.events import HISTORIES, outcome, result
from tests.mastery.test_oracle import RULES, expected_rows, told
from tests.stream.fakes import FakeRecord, assignment_of


def last_rows(world):
    return {
        RowKey(*key.decode().split(":")): msgspec.msgpack.decode(value, type=Row)
        for key, value in world.log.last(ROWS).items()
    }


async def settled(world, worker, wanted):
    """Wait until the rows are those wanted, then see that all that was published agrees with them."""
    for _ in range(2_000):
        await asyncio.sleep(0.001)
        assert not worker.broken
        if {tuple(key): told(row) for key, row in worker.held().items()} == wanted:
            break
    await worker.revoke()
    held = worker.held()
    assert {tuple(key): told(row) for key, row in held.items()} == wanted
    assert last_rows(world) == held
    changelog = {
        key: blob.decode(RowKey(*key.decode().split(":")), value)[1]
        for key, value in world.log.last(CHANGELOG).items()
    }
    assert {str(key).encode(): row for key, row in held.items()} == changelog
    courses = {
        f"{key}:{course.course_id}".encode(): course.score
        for key, row in held.items()
        for course in row.courses
    }
    published = {key: msgspec.msgpack.decode(value) for key, value in world.log.last(COURSES).items()}
    assert {key: course["score"] for key, course in published.items()} == courses
    assert not repeated(world)


def repeated(world):
    """Keys of what was published though its content was that of the record before."""
    found = []
    for (topic, _), records in world.log.records.items():
        last = {}
        for key, value in records if topic in {ROWS, COURSES} else ():
            if key in last and last[key] == value:
                found.append((topic, key))
            last[key] = value
    return found


def begun(world, random):
    """A worker in one of two state folders: what it finds there, another worker may have gone on from."""
    worker = world.worker(random.choice(["one", "two"]))
    worker.take_over()
    worker.start()
    return worker


async def live(world, definitions, random):  # noqa: C901 - one mishap after the other
    """A worker after the other, reading results while definitions arrive, revoked, killed, out of disk."""
    definitions = list(definitions)
    worker = begun(world, random)
    left = set(worker.places)
    while left or definitions:
        match random.choice(["read", "read", "read", "define", "wait", "rebalance", "no room"]):
            case "read" if left:
                place = random.choice(sorted(left))
                if not await worker.read(place, random.randint(1, 3)):
                    left.discard(place)
            case "define" if definitions:
                world.definitions.add(definitions.pop())
            case "wait":
                await asyncio.sleep(random.choice([0.0, 0.001, 0.004]))
            case "rebalance" if random.random() < 0.3:
                await worker.revoke()
                await asyncio.sleep(random.choice([0.0, 0.002]))
                worker.take_over(random.choice([[0], [1], [0, 1], []]))
                left = set(worker.places)
            case "no room" if random.random() < 0.2:
                worker.write_error = DISK_FULL
        if worker.broken or random.random() < 0.02:
            await worker.end()
            worker = begun(world, random)
            left = set(worker.places)
    await worker.end()
    worker = begun(world, random)
    for place in worker.places:
        while await worker.read(place, 3):
            pass
    return worker


@settings(max_examples=15, deadline=None)
@given(HISTORIES, RULES, st.integers(0, 2**32))
def test_whatever_happens_the_rows_are_the_oracles(history, rules, seed):
    random = Random(seed)

    async def main(folder):
        with World(folder, MasteryRules(rules)) as world:
            results = [event for event in history if "result" in event["metadata"]["event_name"]]
            definitions = [event for event in history if event not in results]
            for event in results + random.choices(results, k=len(results) // 2):
                world.add_result(event)
            worker = await live(world, definitions, random)
            await settled(world, worker, expected_rows(history, rules))
            await worker.end()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "begin"),
        (b"{}", "begin"),
        (b"\0\0\0\0\x07secret", "no schema is known by the id 7"),
    ],
)
def test_what_is_no_result_is_never_skipped_and_told_with_its_place(tmp_path, value, reason):
    with World(tmp_path, MasteryRules()) as world:
        worker = world.worker()
        worker.processor._decode = AvroDecoder({}.__getitem__).decode
        place = "created partition 1 holds no result at offset 41"
        with pytest.raises(ResultUnreadable, match=f"{place}: .*{reason}"):
            worker.processor(batch_of(FakeRecord(40, value=None), FakeRecord(41, value=value)))


@pytest.mark.parametrize("record", [{}, {"metadata": {}, "body": {"user_uuid": "secret"}}, None, 5])
def test_an_event_of_another_kind_is_told_without_its_content(tmp_path, record):
    with World(tmp_path, MasteryRules()) as world:
        worker = world.worker()
        worker.processor._decode = lambda _: record
        with pytest.raises(ResultUnreadable, match="not an event of this topic") as caught:
            worker.processor(batch_of(FakeRecord(41)))
        assert "secret" not in str(caught.value)


def test_an_agent_that_cannot_go_on_fails_the_app(tmp_path):
    async def main():
        with World(tmp_path, MasteryRules()) as world:
            world.add_result(result())
            worker = world.worker()
            worker.processor._decode = lambda _: {}
            worker.take_over()
            worker.start()
            await worker.read((CREATED, 0), 1)
            for _ in range(1_000):
                await asyncio.sleep(0.001)
                if worker.app.failed:
                    break
            assert [type(error) for error in worker.app.failed] == [ResultUnreadable]
            await worker.end()

    asyncio.run(main())


def test_empty_batches_and_records_without_a_value_change_nothing(tmp_path):
    with World(tmp_path, MasteryRules()) as world:
        worker = world.worker()
        worker.take_over()
        assert worker.processor(batch_of()) == Output(mastery=Counter(results=0, changed=0))
        output = worker.processor(batch_of(FakeRecord(1, value=None), FakeRecord(2, value=None)))
        assert (output.typed, output.changes) == ([], [])
        assert output.mastery["empty"] == 2


def test_a_row_is_computed_and_logged_once_a_batch(tmp_path):
    with World(tmp_path, MasteryRules()) as world:
        for number in range(5):
            world.add_result(result(updated=number, score=float(number)))
        world.definitions.add(outcome())
        worker = world.worker()
        worker.take_over()
        output = worker.processor(batch_of(*[FakeRecord(n, value=b"%d" % n) for n in range(5)], partition=0))
        topics = Counter(topic for topic, *_ in output.typed)
        assert topics == {ROWS: 1, COURSES: 1, CHANGELOG: 1}
        again = worker.processor(batch_of(*[FakeRecord(n, value=b"%d" % n) for n in range(5)], partition=0))
        assert (again.typed, again.changes) == ([], [])
        assert again.mastery["repeated"] == 1


def test_a_row_that_cannot_be_read_ends_the_worker(tmp_path):
    with World(tmp_path, MasteryRules()) as world:
        world.add_result(result())
        worker = world.worker()
        worker.take_over()
        worker.table.stage(0, {b"account-uuid:student:7": bytes([blob.FORMAT]) + b"damaged"})
        with pytest.raises(RowUnreadable) as caught:
            worker.processor(batch_of(FakeRecord(0, value=b"0"), partition=0))
        assert "student" not in str(caught.value)


def batch_of(*records, partition=1):
    return RecordBatch(CREATED, partition, 0, 100, records, assignment_of(1))
