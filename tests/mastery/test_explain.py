import re

import msgspec
import pytest
from hypothesis import given, settings

from app.mastery.explain import explain, number_text
from app.mastery.methods import Method
from app.mastery.rules import AccountRules
from tests.mastery.events import (
    HISTORIES,
    at,
    definition_of,
    only_row,
    outcome,
    proficiency,
    result,
    results_of,
    rows_of,
)

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


@pytest.mark.parametrize(
    ("method", "n", "points", "weights"),
    [
        ("highest", None, (3.0, 4.5, 4.5), (0, 1, 0)),
        ("latest", None, (3.0, 2.0), (0, 1)),
        ("average", None, (1.0, 2.0, 3.0, 3.0), (0.25,) * 4),
        ("n_mastery", 2, (4.0, 1.0, 3.0), (0.5, 0, 0.5)),
        ("n_mastery", 2, (4.0, 1.0), (None, None)),
        ("decaying_average", 65, (4.0,), (1,)),
        ("decaying_average", 65, (3.0, 2.0, 5.0), (0.175, 0.175, 0.65)),
        ("standard_decaying_average", 65, (4.0,), (1,)),
        ("standard_decaying_average", 65, (2.0, 3.0, 4.0), (0.1225, 0.2275, 0.65)),
    ],
)
def test_weights(method, n, points, weights):
    told = explained(outcome(method, n), *graded(*points))
    assert [one.weight for one in told.results] == pytest.approx(list(weights))


def test_what_does_not_count_has_no_weight_and_what_has_no_value_none_in_the_score():
    told = explained(
        outcome("average"),
        result(id="11", assessed_at=at(DAY)),
        result(id="5", workflow_state="deleted", assessed_at=at(DAY * 2)),
        result(
            id="6",
            artifact_type="Quizzes::QuizSubmission",
            artifact_id="9",
            associated_asset_type="Quizzes::Quiz",
            percent=None,
            assessed_at=at(DAY * 3),
        ),
    )
    assert [(one.snapshot.id, one.value, one.weight) for one in told.results] == [
        ("11", 3.0, 1.0),
        ("5", None, None),
        ("6", None, 0.0),
    ]


def test_the_definition_tells_of_scales_of_courses():
    scale = proficiency((8.0, "top", True), context_type="Course", context_id="565")
    rules = AccountRules(account_level_scales=True)
    events = [
        outcome("latest"),
        scale,
        *graded(3.0, 4.0),
        result(id="9", result_context_id="99", assessed_at=at(0), percent=0.5),
    ]
    (results,) = results_of(events).values()
    row = only_row(events, rules)
    assert explain(results, row).courses[1].formula.startswith("computed on a mastery scale of its own")
    told = explain(results, row, definition_of(events[0], rules, scale))
    assert told.courses[1].formula == "the latest of 4.8, 6.4 = 6.4"
    assert [(one.value, one.weight) for one in told.courses[1].results] == [
        (pytest.approx(4.8), 0.0),
        (pytest.approx(6.4), 1.0),
    ]


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
            weighed = [held for held in one.results if held.weight is not None]
            if one.score is not None and "scale" not in one.formula:
                assert one.formula.endswith(f" = {number_text(one.score)}")
                exact = sum(held.weight * held.value for held in weighed if held.value is not None)
                assert exact == pytest.approx(one.score, abs=0.005 + 1e-9)
                assert sum(held.weight for held in weighed) == pytest.approx(1)
                assert len(weighed) == one.results_count
            else:
                assert not weighed
        if row.calculation_method == Method.HIGHEST and row.score is not None:
            values = [one.value for one in told.results if one.value is not None]
            assert abs(max(values) - row.score) <= 0.0051 or re.search("scale", told.whole.formula)
