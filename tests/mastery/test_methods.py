"""Every method, by examples worked out by hand: on a scale of 5 points, mastered from 3, a result a day."""

import pytest

from tests.mastery.events import at, only_row, outcome, result

DAY = 86_400


def score(method, n, *graded, mastery=3.0, possible=5.0):
    """The score of results graded on one day after the other, out of 5 points."""
    results = [
        result(id=str(place), score=points, percent=points / 5, assessed_at=at(place * DAY))
        for place, points in enumerate(graded, start=1)
    ]
    return only_row([outcome(method, n, mastery=mastery, possible=possible), *results]).score


@pytest.mark.parametrize(
    ("method", "n", "graded", "expected"),
    [
        ("highest", None, (3.0, 1.0), 3.0),
        (None, None, (3.0, 1.0), 3.0),
        ("highest", 65, (1.0, 2.124), 2.12),
        ("latest", None, (4.0, 1.0, 3.0), 3.0),
        ("average", None, (1.0, 2.0, 2.0), 1.67),
        ("average", None, (2.5,), 2.5),
        # Fewer than n of mastery: no score. Otherwise the mean of all that reach it, not of n of them.
        ("n_mastery", 3, (3.0, 1.0), None),
        ("n_mastery", 3, (3.0, 1.0, 2.0), None),
        ("n_mastery", 3, (4.0, 5.0, 1.0, 3.0, 2.0, 3.0), 3.75),
        ("n_mastery", 1, (1.0, 2.0), None),
        ("n_mastery", 1, (1.0, 2.0, 3.0), 3.0),
        ("n_mastery", 1, (1.0, 2.0, 3.0, 4.0), 3.5),
        ("n_mastery", 3, (3.0, 4.0, 3.0), 3.33),
        ("n_mastery", None, (3.0, 3.0, 3.0, 3.0), None),
        ("n_mastery", None, (3.0, 3.0, 3.0, 3.0, 4.0), 3.2),
        # It is 4 * 0.75 + (3 + 1 + 5) / 3 * 0.25.
        ("decaying_average", 75, (3.0, 1.0, 5.0, 4.0), 3.75),
        ("decaying_average", 65, (2.123,), 2.12),
        ("decaying_average", None, (2.0, 3.0), 2.65),
        # 5 * 0.65 + (1 + 2 + 3 + 4) / 4 * 0.35 = 4.125, half goes up
        ("decaying_average", 65, (1.0, 2.0, 3.0, 4.0, 5.0), 4.13),
        ("decaying_average", 65, (2.0, 3.0, 4.0), 3.48),
        ("weighted_average", 65, (2.0, 3.0, 4.0), 3.48),
        # 2 * 0.35 + 3 * 0.65 = 2.65; 2.65 * 0.35 + 4 * 0.65 = 3.5275
        ("standard_decaying_average", 65, (2.0, 3.0, 4.0), 3.53),
        ("standard_decaying_average", None, (2.0, 3.0, 4.0), 3.53),
        ("standard_decaying_average", 65, (3.0,), 3.0),
    ],
)
def test_methods(method, n, graded, expected):
    assert score(method, n, *graded) == expected


def test_rounding_happens_once_at_the_end():
    # (1.004 + 1.004 + 1.007) / 3 = 1.005, which rounds up; rounded before, they would make 1.0 + 1.0 + 1.01.
    assert score("average", None, 1.004, 1.004, 1.007, possible=5.0) == 1.01


def test_sums_make_up_for_lost_digits():
    # The mean is 0.515, and 0.865, on paper. Ruby says so too; added one by one it would be 0.51, and 0.87.
    assert score("average", None, 0.01, 0.2, 0.7, 1.15) == 0.52
    assert score("average", None, 0.01, 0.7, 0.7, 2.05) == 0.86


def test_weights_are_hundredths_times_n():
    # 1.7 * 0.65 + 5 * 0.35 is 2.855 on paper. With n / 100 for the weights it would become 2.85.
    assert score("decaying_average", 65, 5.0, 1.7) == 2.86


def test_the_example_of_the_documentation():
    week = [
        result(id="1", score=6.0, possible=10.0, percent=0.6, assessed_at=at(0)),
        result(id="2", score=2.0, possible=5.0, percent=0.4, assessed_at=at(DAY)),
        result(id="3", score=4.0, possible=4.0, percent=1.0, assessed_at=at(4 * DAY)),
    ]
    definition = outcome("decaying_average", 65)
    row = only_row([definition, *week])
    assert (row.score, row.mastery) == (4.13, True)
    deleted = result(id="3", updated=5 * DAY, workflow_state="deleted")
    row = only_row([definition, *week, deleted])
    assert (row.score, row.mastery) == (2.35, False)


@pytest.mark.parametrize(
    ("method", "expected"),
    [("latest", 5.0), ("decaying_average", 3.25), ("standard_decaying_average", 3.25)],
)
def test_order_is_that_of_assessment_not_of_ids(method, expected):
    events = [
        result(id="1", score=5.0, percent=1.0, assessed_at=at(20)),
        result(id="2", score=0.0, percent=0.0, assessed_at=at(10)),
    ]
    assert only_row([outcome(method), *events]).score == expected


def test_times_count_by_whole_seconds_and_ids_break_ties():
    events = [
        result(id="9", score=5.0, percent=1.0, assessed_at=at(10.9)),
        result(id="10", score=1.0, percent=0.2, assessed_at=at(10.1)),
    ]
    assert only_row([outcome("latest"), *events]).score == 1.0


def test_no_time_of_assessment_comes_first():
    events = [
        result(id="1", score=1.0, percent=0.2, assessed_at=at(10)),
        result(id="2", score=5.0, percent=1.0, assessed_at=None),
    ]
    assert only_row([outcome("latest"), *events]).score == 1.0


# --- the value of one result ---


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"score": 8.0, "possible": 10.0, "percent": 0.8}, 4.0),
        ({"score": 12.0, "possible": 10.0, "percent": 1.2}, 6.0),  # above 1 is not cut off
        ({"score": 2.0, "possible": 10.0, "percent": None}, 2.0),
        ({"score": 2.0, "possible": None, "percent": None}, 2.0),
        ({"score": 2.0, "possible": 10.0, "percent": float("nan")}, 2.0),
        ({"score": -1.0, "possible": 5.0, "percent": -0.2}, -1.0),
        ({"score": 0.0, "possible": 5.0, "percent": 0.0}, 0.0),
    ],
)
def test_value_is_the_percentage_of_the_scale_else_the_score(fields, expected):
    assert only_row([outcome(), result(**fields)]).score == expected


def quiz(result_id, percent, possible, quiz_id="9", **fields):
    return result(
        id=result_id,
        score=1.0,
        percent=percent,
        possible=possible,
        artifact_type="Quizzes::QuizSubmission",
        artifact_id="31",
        associated_asset_type="Quizzes::Quiz",
        associated_asset_id=quiz_id,
        **fields,
    )


@pytest.mark.parametrize(
    "method", ["latest", "average", "decaying_average", "weighted_average", "standard_decaying_average"]
)
def test_results_of_one_quiz_are_weighted_by_their_points(method):
    # (3 * 1 + 1 * 0) / 4 = 0.75 of 5
    assert only_row([outcome(method), quiz("1", 1.0, 3.0), quiz("2", 0.0, 1.0)]).score == 3.75


def test_the_share_is_divided_before_it_is_scaled():
    # 4.05 / 6 * 5 is 3.375 on paper; in floating point the share is a little less, as in Ruby.
    assert only_row([outcome("average"), quiz("1", 0.05, 1.0), quiz("2", 0.8, 5.0)]).score == 3.37


def test_a_quiz_is_known_by_the_asset_whatever_the_artifact():
    events = [quiz("1", 1.0, 3.0), quiz("2", 0.0, 1.0)]
    events[1]["body"]["artifact_id"] = "32"
    other_kind = result(id="3", score=0.0, percent=0.0, possible=4.0, associated_asset_id="9")
    assert only_row([outcome("average"), *events]).score == 3.75
    assert only_row([outcome("average"), *events, other_kind]).score == 2.5


def test_highest_and_n_mastery_take_them_one_by_one():
    events = [quiz("1", 1.0, 3.0), quiz("2", 0.0, 1.0)]
    assert only_row([outcome("highest"), *events]).score == 5.0
    assert only_row([outcome("n_mastery", 1), *events]).score == 5.0


def test_other_quizzes_and_other_work_do_not_weigh():
    events = [quiz("1", 1.0, 3.0), quiz("2", 0.5, 1.0, quiz_id="10"), result(id="3", percent=0.0, score=0.0)]
    assert only_row([outcome("average"), *events]).score == 2.5


def test_deleted_results_and_those_without_a_score_do_not_weigh():
    events = [
        quiz("1", 1.0, 3.0),
        quiz("2", 0.0, 1.0, workflow_state="deleted"),
        quiz("3", 0.0, 1.0),
    ]
    cleared = quiz("3", 0.0, 1.0, updated=5)
    cleared["body"]["score"] = None
    assert only_row([outcome("average"), *events, cleared]).score == 5.0


def test_results_of_a_quiz_without_points_have_no_value():
    nothing = quiz("1", 1.0, None)
    assert only_row([outcome("average"), nothing]).score is None
    assert only_row([outcome("average"), nothing]).results_count == 1
    assert only_row([outcome("average"), nothing, quiz("2", 0.5, 2.0)]).score == 2.5
    assert only_row([outcome("average"), nothing, quiz("2", 0.5, 2.0, quiz_id="10")]).score == 2.5
    assert only_row([outcome("latest"), nothing, quiz("2", 0.5, 0.0, quiz_id="10")]).score is None


def test_results_that_do_not_name_their_quiz_stand_alone():
    events = [quiz("1", 1.0, 3.0, quiz_id=None), quiz("2", 0.0, 1.0, quiz_id=None)]
    assert only_row([outcome("average"), *events]).score == 2.5


@pytest.mark.parametrize(
    "method", ["highest", "average", "n_mastery", "decaying_average", "standard_decaying_average", "latest"]
)
def test_numbers_beyond_a_double_make_no_score(method):
    events = [
        result(id=str(i), score=1e308, percent=1.5e308, possible=1e308, assessed_at=at(i))
        for i in range(1, 7)
    ]
    assert only_row([outcome(method), *events]).score is None
    huge = [event | {"body": event["body"] | {"percent": None}} for event in events]
    assert only_row([outcome(method), *huge]).score in (None, 1e308)
