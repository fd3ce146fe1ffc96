from random import Random

import pytest

from bench.guard import judge


def samples(random, factor=1.0, spread=0.01, sets=7):
    return [factor * (1 + random.gauss(0, spread)) for _ in range(sets)]


def shares(factor, spread, tries=400):
    random = Random(7)
    slower = 0
    for _ in range(tries):
        # What a whole set is slowed by, all three alike.
        common = [1 + random.random() for _ in range(7)]
        base, again, tree = (
            [one * by for one, by in zip(samples(random, by_factor, spread), common, strict=True)]
            for by_factor in (1.0, 1.0, factor)
        )
        slower += judge(base, again, tree).slower
    return slower / tries


@pytest.mark.parametrize("spread", [0.002, 0.01, 0.03, 0.1])
def test_the_same_code_is_hardly_ever_called_slower(spread):
    assert shares(1.0, spread) < 0.02


def test_five_percent_are_seen_where_runs_of_the_same_code_differ_by_one():
    assert shares(1.05, 0.01) > 0.9


def test_a_tenth_is_not_called_noise_on_a_restless_machine():
    assert shares(1.1, 0.03) > 0.6


def test_less_than_two_percent_are_let_pass_however_quiet_it_is():
    assert shares(1.015, 0.0005) == 0


def test_faster_is_never_slower():
    assert shares(0.9, 0.01) == 0


def test_one_set_gone_wrong_decides_nothing():
    steady = [1.0] * 7
    verdict = judge(steady, steady, [1.0, 1.0, 1.0, 5.0, 1.0, 1.0, 1.0])
    assert not verdict.slower
    assert verdict.ratio == 1.0
