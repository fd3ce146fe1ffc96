"""Rows that are computed again: what happens when partitions go, files fail and rows are many."""

import asyncio
import json
import shutil
import threading

import pytest

from app.agents import recompute
from app.mastery import blob
from app.mastery.rules import MasteryRules
from app.mastery.snapshot import RowKey
from app.mastery.versions import milliseconds
from app.state.errors import StateUnavailable
from tests.agents.world import World
from tests.definitions.support import WITH_SCALES
from tests.mastery.events import at, outcome, proficiency, result


@pytest.fixture
def world(tmp_path):
    with World(tmp_path, MasteryRules()) as made:
        yield made


def student(partition):
    return "other" if partition else "student"


async def until(condition):
    async with asyncio.timeout(5.0):
        while not condition():  # noqa: ASYNC110 - several things at once
            await asyncio.sleep(0.001)


async def read_all(worker):
    for place in worker.places:
        while await worker.read(place, 50):
            pass


def scores(worker):
    return sorted(row.score for row in worker.held().values() if row.score is not None)


def test_rows_follow_a_definition_that_came_after_them(world):
    async def main():
        for partition in range(2):
            world.add_result(result(user_uuid=student(partition), percent=None, score=4.0))
        worker = world.worker()
        worker.take_over()
        worker.start()
        await read_all(worker)
        await until(lambda: len(worker.held()) == 2)
        assert scores(worker) == []
        world.definitions.add(outcome())
        await until(lambda: scores(worker) == [4.0, 4.0])
        await until(lambda: worker.progress.snapshot().mastery.get("recomputed") == 2)
        await worker.end()

    asyncio.run(main())


def test_what_changed_while_no_worker_ran_is_computed_again(world):
    async def main():
        world.add_result(result(percent=None, score=4.0))
        world.definitions.add(outcome(updated=1, mastery=5.0))
        first = world.worker()
        first.take_over()
        first.start()
        await read_all(first)
        await until(lambda: scores(first) == [4.0])
        await until(first.noted)
        await first.revoke()
        await first.end()
        world.definitions.add(outcome(updated=2, mastery=4.0))
        second = world.worker()
        second.take_over()
        second.start()
        await until(lambda: [row.mastery for row in second.held().values()] == [True])
        await second.end()

    asyncio.run(main())


def definition_times(worker, number):
    """Of all rows of a partition, those that are not written yet, too."""
    keys = {*worker.table.scan_keys(number), *worker.table.staged_keys(number)}
    held = worker.table.get_many(number, keys).items()
    return [blob.decode(RowKey(*key.decode().split(":")), value)[1].definition_time for key, value in held]


@pytest.mark.parametrize("restored", [False, True])
def test_the_file_learns_last_that_its_rows_agree(world, monkeypatch, restored):
    """Else a worker that ends meanwhile leaves rows of older definitions behind, for good."""
    monkeypatch.setattr(recompute, "_PIECE", 2)

    async def main():
        for number in range(6):
            world.add_result(result(user_uuid=f"student-{number}", percent=None, score=4.0))
        world.definitions.add(outcome(updated=1))
        first = world.worker()
        first.take_over()
        first.start()
        await read_all(first)
        await until(lambda: scores(first) == [4.0] * 6 and first.noted())
        await first.revoke()
        await first.end()
        if restored:
            shutil.rmtree(world.folder / "state")
        world.definitions.add(outcome(updated=2))
        worker = world.worker()
        noted = []

        def noting(number, **notes):
            _, places = json.loads(notes["definitions"])
            # Of the updates, the one at offset n-1 is of the time n.
            newest = sum(offset for topic, _, offset in places if topic == "learning_outcome_updated")
            noted.append(newest)
            assert all(time >= milliseconds(at(newest)) for time in definition_times(worker, number)), newest
            return note(number, **notes)

        def meanwhile(partition, keys):
            if not (noted or added):
                added.append(world.definitions.add(outcome(updated=3)))
            return again(partition, keys)

        added = []
        note, worker.table.note = worker.table.note, noting
        again, worker.processor.recompute = worker.processor.recompute, meanwhile
        worker.take_over()
        worker.start()
        await until(lambda: worker.broken or (3 in noted and len(noted) > 2))
        assert set(definition_times(worker, 0)) == {milliseconds(at(3))}
        await worker.end()

    asyncio.run(main())


def test_rows_follow_the_scale_of_their_account(tmp_path):
    """While the worker runs, and what changed before it did."""
    meets = [((4.0, "Meets", True), (0.0, "Below", False)), ((2.0, "Meets", True), (0.0, "Below", False))]

    async def main(world):
        world.add_result(result(percent=0.75))
        world.add_result(result(percent=0.75, user_uuid="other", account="elsewhere"))
        world.definitions.add(outcome(possible=10.0))
        first = world.worker()
        first.take_over()
        first.start()
        await read_all(first)
        await until(lambda: scores(first) == [7.5] and first.noted())
        world.definitions.add(proficiency(*meets[0]))
        await until(lambda: first.broken or scores(first) == [3.0])
        await first.revoke()
        await first.end()
        world.definitions.add(proficiency(*meets[1], updated=1))
        second = world.worker()
        second.take_over()
        second.start()
        await until(lambda: second.broken or scores(second) == [1.5])
        await second.end()

    with World(tmp_path, WITH_SCALES) as world:
        asyncio.run(main(world))


def test_other_rules_compute_all_rows_again(world):
    async def main():
        world.add_result(result(percent=None, score=4.0))
        world.definitions.add(outcome())
        first = world.worker()
        first.take_over()
        first.start()
        await read_all(first)
        await until(first.noted)
        await first.revoke()
        await first.end()
        looked_at = []
        for identity in ("these", "others"):
            world.source.identity = identity
            worker = world.worker()
            worker.processor.recompute = counted(worker.processor.recompute, looked_at)
            worker.take_over()
            worker.start()
            await until(lambda w=worker, name=identity: name in (w.table.note_of(0, "definitions") or ""))
            await until(worker.noted)
            await worker.revoke()
            await worker.end()
            assert len(looked_at) == (identity == "others")

    asyncio.run(main())


def counted(call, keys_seen):
    def counting(partition, keys):
        keys = list(keys)
        keys_seen.extend(keys)
        return call(partition, keys)

    return counting


def test_partitions_may_go_while_they_are_brought_up(world):
    """Else the worker ends for no reason, in the middle of a rebalance."""

    async def main():
        for partition in range(2):
            world.add_result(result(user_uuid=student(partition), percent=None, score=4.0))
        first = world.worker()
        first.take_over()
        first.start()
        await read_all(first)
        await until(lambda: len(first.held()) == 2)
        await until(first.noted)
        await first.revoke()
        await first.end()

        asked, answer = threading.Event(), threading.Event()
        changed_since = world.source.changed_since

        def slow(vector):
            asked.set()
            answer.wait(5.0)
            return changed_since(vector)

        world.source.changed_since = slow
        worker = world.worker()
        worker.take_over()
        worker.start()
        await until(asked.is_set)
        await worker.revoke()
        worker.take_over([0])
        answer.set()
        world.definitions.add(outcome())
        await until(lambda: worker.broken or scores(worker) == [4.0])
        assert not worker.broken
        await worker.end()

    asyncio.run(main())


def test_a_failure_ends_the_worker_with_its_own_words(world):
    async def main():
        failure = StateUnavailable("the copy of the definitions cannot be read")

        def unreadable(_vector):
            raise failure

        world.source.changed_since = unreadable
        first = world.worker()
        first.take_over()
        first.start()
        await until(first.noted)
        await first.revoke()
        await first.end()
        worker = world.worker()
        worker.take_over()
        worker.start()
        await until(lambda: worker.app.failed)
        assert worker.app.failed == [failure]
        await worker.end()

    asyncio.run(main())


def test_staged_rows_come_in_bounded_pieces_too(world, monkeypatch):
    monkeypatch.setattr(recompute, "_PIECE", 10)

    async def main():
        for number in range(45):
            world.add_result(result(learning_outcome_id=str(number)))
        worker = world.worker()
        pieces = []
        call = worker.processor.recompute

        def noted(partition, keys):
            keys = list(keys)
            pieces.append(len(keys))
            return call(partition, keys)

        worker.processor.recompute = noted
        worker.take_over()
        worker.producer.commit = lambda *_: threading.Event().wait(0.3)
        worker.start()
        await worker.read(("created", 0), 45)
        await until(lambda: sum(pieces) >= 45)
        assert max(pieces) <= 10
        await worker.end()

    asyncio.run(main())
