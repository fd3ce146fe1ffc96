"""Nothing that is shown lets a group of fewer than FEWEST be counted, by itself or as a difference."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from app.web.models.groups import GridOutcome, LevelCount, OutcomeAnswer, OutcomeSummary, StepCount
from app.web.security.small import (
    hide_small_of_column,
    hide_small_of_outcome,
    hide_small_of_summary,
    merge_small,
)
from app.web.security.viewer import FEWEST
from tests.web.fakes import freshness

FRESH = freshness()
counts = st.integers(0, 40)


def level(number, students, mastery, step=None):
    return LevelCount(
        points=float(number), description=f"L{number}", mastery=mastery, students=students, step=step
    )


@st.composite
def answers(draw):
    """An outcome whose levels count its scored students, or, rarely, others."""
    above = draw(st.lists(counts, min_size=0, max_size=4))
    below = draw(st.lists(counts, min_size=0, max_size=4))
    scored, mastered = sum(above) + sum(below), sum(above)
    unscored = draw(st.integers(0, 30))
    levels = [
        level(9 - n, count, mastery=True, step=3 if n == len(above) - 1 else 4)
        for n, count in enumerate(above)
    ]
    levels += [level(4 - n, count, mastery=False, step=max(0, 2 - n)) for n, count in enumerate(below)]
    steps = [
        StepCount(steps=(step,), students=sum(one.students for one in levels if one.step == step))
        for step in (4, 3, 2, 1, 0)
    ]
    if draw(st.integers(0, 5)) == 0:
        steps = draw(
            st.sampled_from([[], steps[:4], [one.model_copy(update={"students": 99}) for one in steps]])
        )
    if draw(st.integers(0, 3)) == 0:
        mastered = draw(st.integers(0, scored))
    if draw(st.integers(0, 5)) == 0:
        scored += draw(st.integers(0, 12))
    summary = OutcomeSummary(
        root_account_uuid="a", learning_outcome_id="1", title="T", definition_state="known",
        calculation_method="highest", calculation_int=None, mastery_points=3.0, points_possible=5.0,
        students=scored + unscored, scored=scored, mastered=mastered, mean=2.345, steps=tuple(steps),
    )  # fmt: skip
    return OutcomeAnswer(
        freshness=FRESH, outcome=summary, scale_source=None, definition_version=None, definition_time=None,
        levels=tuple(levels), no_evidence=unscored + draw(st.sampled_from([0, 0, 0, 1, 3, 20])), median=2.55,
        score_counts={"1": 1}, near_mastery=(), history=(), courses=("7",),
    )  # fmt: skip


def told_apart(answer: OutcomeAnswer, truth: OutcomeAnswer):
    """Sizes of all groups that the shown numbers tell apart.

    Students fall into: scored at each true level, scored at none, not scored. A shown number is the size of a
    set of these; whoever adds and subtracts shown numbers can count any set that is a combination of them, so
    the atoms of all shown sets are what must not be small.
    """
    atoms = {}
    for number, one in enumerate(truth.levels):
        atoms[f"level {number}"] = one.students
    scored, students = truth.outcome.scored, truth.outcome.students
    atoms["no level"] = scored - sum(one.students for one in truth.levels)
    atoms["not scored"] = students - scored
    levels = [name for name in atoms if name.startswith("level")]
    shown = []
    if answer.outcome.students is not None:
        shown.append((set(atoms), answer.outcome.students))
    if answer.outcome.scored is not None:
        shown.append(({*levels, "no level"}, answer.outcome.scored))
    start = 0
    for one in answer.levels:
        names = (one.description or "").split(" or ")
        shown.append(({f"level {start + place}" for place in range(len(names))}, one.students))
        start += len(names)
    for one in answer.outcome.steps:
        of_step = {name for name, each in zip(levels, truth.levels, strict=True) if each.step in one.steps}
        shown.append((of_step, one.students))
    for names, number in shown:
        assert sum(atoms[name] for name in names) == number, "what is shown is true"
    groups = {}
    for name in atoms:
        groups.setdefault(tuple(name in names for names, _ in shown), []).append(name)
    return [sum(atoms[name] for name in names) for pattern, names in groups.items() if any(pattern)]


@given(answers())
def test_the_shown_numbers_of_an_outcome_tell_no_small_group_apart(truth):
    shown = hide_small_of_outcome(truth)
    for size in told_apart(shown, truth):
        assert size == 0 or size >= FEWEST


@given(answers())
def test_no_difference_of_two_shown_numbers_is_a_small_group(truth):
    shown = hide_small_of_outcome(truth)
    summary = shown.outcome
    whole = [summary.students, summary.scored, summary.mastered]
    numbers = [one for one in whole if one is not None]
    assert all(number >= FEWEST for number in numbers)
    # Each number here is of a part of the one before it.
    for larger, smaller in combinations(numbers, 2):
        assert larger - smaller == 0 or larger - smaller >= FEWEST
    if summary.mastered is not None and summary.scored is not None:
        assert summary.scored - summary.mastered >= FEWEST, "that nobody is below tells it of everybody"
    assert all(one.students >= FEWEST for one in (*shown.levels, *summary.steps))
    if summary.steps:
        assert [step for one in summary.steps for step in one.steps] in ([4, 3, 2, 1, 0], [4, 3, 2, 1])
        assert sum(one.students for one in summary.steps) == summary.scored
        assert sum(one.students for one in summary.steps if 3 in one.steps) <= summary.mastered
    if shown.levels:
        assert sum(one.students for one in shown.levels) == summary.scored
        assert sum(one.students for one in shown.levels if one.mastery) == summary.mastered
    if shown.no_evidence is not None:
        assert shown.no_evidence == 0 or shown.no_evidence >= FEWEST
        assert summary.students == summary.scored + shown.no_evidence


@given(answers())
def test_the_list_and_the_page_say_the_same(truth):
    assert hide_small_of_outcome(truth).outcome == hide_small_of_summary(truth.outcome)


@given(answers())
def test_no_score_is_counted_and_means_are_rounded_and_of_enough(truth):
    shown = hide_small_of_outcome(truth)
    assert (shown.score_counts, shown.near_mastery, shown.courses) == ({}, (), ())
    enough = truth.outcome.scored >= FEWEST
    assert shown.outcome.mean == (2.3 if enough else None)
    assert shown.median in ((2.5, 2.6) if enough else (None,))


@given(st.lists(st.tuples(counts, st.booleans()), max_size=8))
def test_joined_levels_keep_their_order_their_students_and_their_side(drawn):
    levels = [
        level(n, count, mastery) for n, (count, mastery) in enumerate(sorted(drawn, key=lambda x: not x[1]))
    ]
    joined = merge_small(levels)
    if joined:
        assert sum(one.students for one in joined) == sum(one.students for one in levels)
        assert " or ".join(one.description for one in joined) == " or ".join(
            one.description for one in levels
        )
    for side in (True, False):
        of_side = sum(one.students for one in levels if one.mastery is side)
        assert sum(one.students for one in joined if one.mastery is side) in (0, of_side)
        assert bool(joined) == all(
            sum(one.students for one in levels if one.mastery is each) >= FEWEST for each in (True, False)
        )


def test_levels_that_are_large_enough_stay_as_they_are():
    levels = (level(3, 10, mastery=True), level(2, 30, mastery=False), level(1, 12, mastery=False))
    assert merge_small(levels) == levels


def test_no_level_is_the_difference_of_what_is_shown_of_steps_and_of_levels():
    truth = OutcomeAnswer(
        freshness=FRESH,
        outcome=OutcomeSummary(
            root_account_uuid="a", learning_outcome_id="1", title="T", definition_state="known",
            calculation_method="highest", calculation_int=None, mastery_points=3.0, points_possible=5.0,
            students=45, scored=45, mastered=25, mean=2.0,
            steps=tuple(
                StepCount(steps=(step,), students=students, points=points)
                for step, students, points in ((4, 15, 4), (3, 10, 3), (2, 12, 2), (1, 3, 1), (0, 5, None))
            ),
        ),
        scale_source=None, definition_version=None, definition_time=None, no_evidence=0, median=2.0,
        # By themselves, L4 would have joined L3: 15 above mastery less 12 of L5 would be 3 of L4.
        levels=(
            level(5, 12, mastery=True, step=4), level(4, 3, mastery=True, step=4),
            level(3, 10, mastery=True, step=3), level(2, 12, mastery=False, step=2),
            level(1, 3, mastery=False, step=1), level(0, 5, mastery=False, step=0),
        ),
        near_mastery=(), history=(),
    )  # fmt: skip
    shown = hide_small_of_outcome(truth)
    assert [(one.steps, one.students, one.points) for one in shown.outcome.steps] == [
        ((4,), 15, 4),
        ((3,), 10, 3),
        ((2, 1, 0), 20, None),
    ]
    assert [(one.description, one.students, one.step) for one in shown.levels] == [
        ("L5 or L4", 15, 4),
        ("L3", 10, 3),
        ("L2 or L1 or L0", 20, 2),
    ]


def test_a_small_level_joins_its_neighbour_and_the_name_tells():
    joined = merge_small(
        [
            level(4, 3, mastery=True),
            level(3, 12, mastery=True),
            level(2, 20, mastery=False),
            level(1, 2, mastery=False),
        ]
    )
    assert [(one.description, one.points, one.students) for one in joined] == [
        ("L4 or L3", 3.0, 15),
        ("L2 or L1", 1.0, 22),
    ]


@given(counts, st.data())
def test_a_column_of_a_course(scored, data):
    mastered = data.draw(st.integers(0, scored))
    column = GridOutcome(
        learning_outcome_id="1", title=None, mastery_points=3, points_possible=5, mean=2.345,
        students=scored, mastered=mastered,
    )  # fmt: skip
    shown = hide_small_of_column(column)
    assert (shown.students is None) == (scored < FEWEST)
    assert (shown.mean is None) == (scored < FEWEST)
    if shown.mastered is not None:
        assert shown.mastered >= FEWEST
        assert shown.students - shown.mastered >= FEWEST


def test_what_is_too_small_at_the_end_joins_its_neighbour_alone():
    joined = merge_small(
        [
            level(4, 20, mastery=True),
            level(3, 27, mastery=False),
            level(2, 12, mastery=False),
            level(1, 3, mastery=False),
        ]
    )
    assert [(one.description, one.students) for one in joined] == [("L4", 20), ("L3", 27), ("L2 or L1", 15)]
