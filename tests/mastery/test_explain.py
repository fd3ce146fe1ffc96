import re

import msgspec
import pytest
from hypothesis import given, settings

from app.mastery.explain import explain, number_text
from app.mastery.methods import Method
from tests.mastery.events import HISTORIES, at, only_row, outcome, result, results_of, rows_of

DAY = 86_400


def explained(*events):
    (results,) = results_of(events).values()
    return explain(results, only_row(events))


def graded(*points, **fields):
    return [
        result(id=str(place), score=one, percent=one / 5, assessed_at=at(place * DAY), **fields)
        for place, one in enumerate(points, start=1)
    ]


@pytest.mark.parametrize(
    ("method", "n", "points", "formula"),
    [
        ("highest", None, (3.0,), "the only result = 3"),
        ("highest", None, (3.0, 4.5), "the highest of 3, 4.5 = 4.5"),
        ("latest", None, (3.0, 2.0), "the latest of 3, 2 = 2"),
        ("average", None, (1.0, 2.0), "mean: (1 + 2) / 2 = 1.5"),
        ("average", None, (1.0,) * 7, "mean: 7 / 7 = 1"),
        ("n_mastery", 2, (1.0, 3.0), "no score: 1 of 2 results reach 3, 2 must"),
        ("n_mastery", 2, (4.0, 1.0, 3.0), "2 of 3 results reach 3 (2 must), their mean: (4 + 3) / 2 = 3.5"),
        (
            "decaying_average",
            65,
            (3.0, 2.0, 5.0),
            "the latest weighs 65 %, the mean of the others 35 %: 5 * 0.65 + (3 + 2) / 2 * 0.35 = 4.13",
        ),
        (
            "standard_decaying_average",
            65,
            (2.0, 3.0),
            "each weighs 65 % against all before it: 2 * 0.35 + 3 * 0.65 = 2.65",
        ),
        (
            "standard_decaying_average",
            65,
            (2.0, 3.0, 4.0),
            (
                "each weighs 65 % against all before it (of 2, 3, 4; the last step):"
                " 2.65 * 0.35 + 4 * 0.65 = 3.53"
            ),
        ),
    ],
)
def test_formulas(method, n, points, formula):
    told = explained(outcome(method, n), *graded(*points))
    assert told.whole.formula == formula
    assert [course.formula for course in told.courses] == [formula]


def test_each_result_tells_what_it_is_worth_or_why_it_does_not_count():
    told = explained(
        outcome("highest"),
        result(id="3", assessed_at=at(2 * DAY), score=4.0, percent=0.4),
        result(id="1", assessed_at=at(DAY), updated=1, workflow_state="deleted"),
        result(id="2", assessed_at=at(3 * DAY), score=None, percent=None),
        result(id="4", assessed_at=at(4 * DAY), workflow_state="deleted"),
    )
    assert [(one.snapshot.id, one.value, one.why_not) for one in told.results] == [
        ("1", None, "deleted"),
        ("3", 2.0, None),
        ("2", None, "has no score"),
        ("4", None, "created as deleted"),
    ]


def test_without_results_or_outcome_the_formula_says_so():
    assert explained(outcome(), result(score=None)).whole.formula == "no result counts"
    told = explained(result())
    assert told.whole.formula == "no score, as no event has told of the outcome"
    assert told.results[0].why_not is None


def test_a_scale_that_the_row_does_not_keep_is_not_made_up():
    events = [outcome("highest"), *graded(3.0, 4.0)]
    (results,) = results_of(events).values()
    row = only_row(events)
    (course,) = row.courses
    scaled = msgspec.structs.replace(row, courses=(msgspec.structs.replace(course, score=8.0),))
    told = explain(results, scaled)
    assert told.whole.formula.endswith("= 4")
    assert told.courses[0].formula == "computed on a mastery scale of its own, which the row does not keep"


@settings(max_examples=60, deadline=None)
@given(HISTORIES)
def test_every_history_is_explained_by_its_own_numbers(history):
    rows = rows_of(history)
    for key, results in results_of(history).items():
        row = rows[key]
        told = explain(results, row)
        assert len(told.results) == len(results.snapshots)
        assert sum(one.why_not is None for one in told.results) == row.results_count
        for one, published in zip([*told.courses, told.whole], [*row.courses, row], strict=True):
            assert (one.score, one.mastery, one.results_count) == (
                published.score,
                published.mastery,
                published.results_count,
            )
            if one.score is not None and "scale" not in one.formula:
                assert one.formula.endswith(f" = {number_text(one.score)}")
        if row.calculation_method == Method.HIGHEST and row.score is not None:
            values = [one.value for one in told.results if one.value is not None]
            assert abs(max(values) - row.score) <= 0.0051 or re.search("scale", told.whole.formula)
