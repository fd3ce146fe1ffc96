"""The mastery agent, the recomputation and the checkpoint together: whatever happens, the oracle's rows."""

import asyncio
import tempfile
from pathlib import Path
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mastery import blob
from app.mastery.row import Row
from app.mastery.rules import MasteryRules
from app.mastery.snapshot import RowKey
from tests.agents.world import CHANGELOG, COURSES, DISK_FULL, ROWS, World
from tests.mastery.events import HISTORIES
from tests.mastery.test_oracle import RULES, expected_rows, told


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


@settings(max_examples=25, deadline=None)
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
