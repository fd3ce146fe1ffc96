"""Which scenarios a run takes, and how one is run again."""

import random
from pathlib import Path

import pytest

from tests.chaos import scenario
from tests.chaos.scenario import again, rounds, times, unknown, wanted


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch):
    def ask(*names: str, full: bool = True) -> None:
        monkeypatch.setattr(scenario, "_ASKED", frozenset(names))
        monkeypatch.setattr(scenario, "FULL", full and bool(names))

    return ask


def test_ci_takes_its_own_alone_in_their_short_form(asked) -> None:
    asked()
    assert wanted("kill-random", ci=True)
    assert not wanted("hang", ci=False)
    assert times(20, ci=5) == 5
    assert again("kill-random", 3) == "CHAOS_SHORT=1 make chaos SCENARIO=kill-random SEED=3"


def test_one_by_name_or_several_or_all(asked) -> None:
    asked("hang", "zombie")
    assert wanted("hang", ci=False)
    assert not wanted("kill-random", ci=True)
    asked("all")
    assert wanted("hang", ci=False)
    assert times(20, ci=5) == 20
    assert again("hang", 3) == "make chaos SCENARIO=hang SEED=3"


def test_the_counts_of_ci_can_be_asked_for(asked) -> None:
    asked("hang", full=False)
    assert wanted("hang", ci=False)
    assert times(20, ci=5) == 5


def test_a_name_that_no_scenario_has_is_refused(asked) -> None:
    folder = Path(__file__).parent
    asked("kill-random", "hang")
    assert unknown(folder) is None
    asked("kill-random", "kill-randm")
    said = unknown(folder) or ""
    assert "no such scenario: kill-randm; there are all, " in said
    assert ", kill-random, " in said


def test_a_round_is_made_from_its_name_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "SEED", 7)
    monkeypatch.setattr(scenario, "MINUTES", 0.0)
    [(seed, rng)] = rounds("hang")
    assert seed == 7
    assert rng.random() == random.Random("hang 7").random()
    [(_, other)] = rounds("zombie")
    assert other.random() != random.Random("hang 7").random()


def test_minutes_repeat_it_with_the_next_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "SEED", 7)
    monkeypatch.setattr(scenario, "MINUTES", 1.0)
    going = rounds("hang")
    assert [next(going)[0] for _ in range(3)] == [7, 8, 9]
