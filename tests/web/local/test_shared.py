import asyncio
import threading

import pytest

from app.errors import MasteryError
from app.web.local.shared import Shared, broker_away, from_broker
from app.web.problems import BrokerAway, NotFound


def test_all_who_ask_at_once_share_one_answer():
    made = []
    go = threading.Event()

    def make():
        go.wait(5)
        made.append(1)
        return len(made)

    async def ask():
        shared = Shared(make, keep=60, name="test")
        waiting = [asyncio.create_task(shared.get()) for _ in range(5)]
        await asyncio.sleep(0)
        go.set()
        together = [one.value for one in await asyncio.gather(*waiting)]
        return [*together, (await shared.get()).value]

    assert asyncio.run(ask()) == [1] * 6


def test_what_is_old_is_found_out_anew():
    numbers = iter(range(9))
    shared = Shared(lambda: next(numbers), keep=0, name="test")

    async def ask():
        return [(await shared.get()).value for _ in range(3)]

    assert asyncio.run(ask()) == [0, 1, 2]


def test_one_who_stops_waiting_takes_it_from_nobody():
    go = threading.Event()

    async def ask():
        shared = Shared(lambda: go.wait(5), keep=60, name="test", patience=0.01)
        with pytest.raises(TimeoutError):
            await shared.get()
        shared.patience = 5
        other = asyncio.create_task(shared.get())
        go.set()
        return (await other).value

    assert asyncio.run(ask())


def test_a_failure_is_kept_as_long_as_an_answer():
    tries = []

    def fail():
        tries.append(1)
        raise MasteryError("no broker", hint="start it")

    async def ask():
        shared = Shared(fail, keep=60, name="test")
        for _ in range(3):
            with pytest.raises(BrokerAway, match="no broker") as raised:
                await from_broker(shared, "b:1")
        return raised.value

    problem = asyncio.run(ask())
    assert (tries, problem.hint, problem.status) == ([1], "start it", 503)
    assert "Retry-After" in problem.headers


def test_silence_is_said_to_be_silence():
    assert "b:1 has not answered" in str(broker_away(TimeoutError(), "b:1"))
    other = NotFound("none")
    assert broker_away(other, "b:1") is other
