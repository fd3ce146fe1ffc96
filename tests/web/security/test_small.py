from hypothesis import given
from hypothesis import strategies as st

from app.web.models.groups import LevelCount
from app.web.security.small import merge_small
from app.web.security.viewer import FEWEST


def levels(mastered, others):
    found = [(count, True) for count in mastered] + [(count, False) for count in others]
    top = len(found)
    return [
        LevelCount(points=top - place, description=f"level {place}", mastery=mastery, students=count)
        for place, (count, mastery) in enumerate(found)
    ]


counts = st.lists(st.integers(0, 25), max_size=5)


@given(counts, counts)
def test_joined_levels_are_unions_of_neighbours_and_nobody_is_lost(mastered, others):
    merged = merge_small(levels(mastered, others))
    if min(sum(mastered), sum(others)) < FEWEST:
        assert merged == ()
        return
    assert all(level.students >= FEWEST for level in merged)
    for side, given_counts in ((True, mastered), (False, others)):
        assert sum(level.students for level in merged if level.mastery is side) == sum(given_counts)
    names = " or ".join(str(level.description) for level in merged).split(" or ")
    assert names == [level.description for level in levels(mastered, others)]


def test_what_is_too_small_at_the_end_joins_its_neighbour_alone():
    merged = merge_small(levels([20], [27, 12, 3]))
    assert [(level.students, level.description) for level in merged] == [
        (20, "level 0"),
        (27, "level 1"),
        (15, "level 2 or level 3"),
    ]
