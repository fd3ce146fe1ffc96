import time

import pytest

from app.checks import NotInTime, retry_until
from app.errors import MasteryError
from app.kafka import BrokerUnreachable


class Down(MasteryError):
    pass


def failing(times, error):
    left = iter([True] * times)

    def call():
        if next(left, False):
            raise error
        return "up"

    return call


def test_returns_what_the_call_returns_without_a_word(said):
    assert retry_until(time.monotonic() + 60, failing(0, None), said) == "up"
    assert said == []


def test_waits_for_what_comes_up_and_says_each_try_in_one_line(said):
    began = time.monotonic()
    assert retry_until(began + 60, failing(2, BrokerUnreachable("no broker")), said) == "up"
    assert 0.7 < time.monotonic() - began < 5
    assert len(said) == 2
    assert all(line.startswith("no broker; next try in ") for line in said)
    assert not any("\n" in line for line in said)


def test_after_the_deadline_the_reason_and_the_advice_are_those_of_the_last_try(said):
    began = time.monotonic()
    with pytest.raises(NotInTime, match="no registry; waited 1 s") as caught:
        retry_until(began + 0.6, failing(99, Down("no registry", hint="start it")), said, on=(Down,))
    assert caught.value.hint == "start it"
    assert 0.6 <= time.monotonic() - began < 2
    assert said


def test_a_deadline_that_has_passed_still_allows_one_try(said):
    assert retry_until(0, failing(0, None), said) == "up"
    with pytest.raises(NotInTime):
        retry_until(0, failing(1, BrokerUnreachable("no broker")), said)
    assert said == []


def test_what_waiting_does_not_change_is_raised_at_once(said):
    with pytest.raises(Down):
        retry_until(time.monotonic() + 60, failing(1, Down("wrong")), said)
    assert said == []
