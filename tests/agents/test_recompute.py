"""Rows that are computed again: what happens when partitions go, files fail and rows are many."""

import asyncio
import threading

import pytest

from app.agents import recompute
from app.mastery.rules import MasteryRules
from app.state.errors import StateUnavailable
from tests.agents.world import World
from tests.mastery.events import outcome, result


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
