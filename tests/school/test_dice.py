import pytest

from app.school.dice import Dice, identifier


def test_the_draws_are_the_same_everywhere():
    # Written down once: another Python that drew otherwise would make another school.
    dice = Dice("a test", 7)
    assert [dice.between(1, 1000) for _ in range(5)] == [643, 191, 98, 732, 70]
    assert identifier("a test", 7) == "86N7ZX8oG0G77ln3f1lsHi3v73PkQZIjTNL2Ydz9"


def test_other_seeds_other_draws():
    assert len({Dice(*seed).random() for seed in [(1,), (2,), ("1", "2"), (1, 3), ("a",)]}) == 5


@pytest.mark.parametrize("size", [0, 1, 5, 9])
def test_a_sample_is_of_different_items(size):
    items = list("abcde")
    taken = Dice(size).sample(items, size)
    assert len(set(taken)) == len(taken) == min(size, 5)
    assert items == list("abcde")


def test_a_shuffle_keeps_all_and_moves_some():
    items = list(range(100))
    Dice(1).shuffle(items)
    assert items != sorted(items)
    assert sorted(items) == list(range(100))


def test_numbers_are_in_their_range():
    dice = Dice(3)
    assert {dice.between(-1, 2) for _ in range(200)} == {-1, 0, 1, 2}
    assert all(-1 <= dice.bell() <= 1 for _ in range(1000))
    assert {dice.pick("xyz") for _ in range(100)} == set("xyz")
    assert 60 < sum(dice.chance(0.1) for _ in range(1000)) < 140
