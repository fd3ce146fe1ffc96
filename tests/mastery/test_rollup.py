import msgspec

from app.mastery.row import courses_left
from app.mastery.rules import AccountRules
from app.mastery.versions import milliseconds
from tests.mastery.events import at, definition_of, only_row, outcome, proficiency, result

SCALES = AccountRules(account_level_scales=True)
RATINGS = ((5.0, "Exceeds"), (3.0, "Meets"), (0.0, "Below"))
OTHER_COURSE = {"result_context_id": "99", "result_context_uuid": "course-99"}


def test_every_field_of_a_row():
    history = [
        outcome("average", ratings=RATINGS, updated=3),
        result(id="1", score=2.0, percent=0.4, assessed_at=at(10), sent=11),
        result(id="2", score=5.0, percent=1.0, assessed_at=at(5), updated=6, sent=20, **OTHER_COURSE),
    ]
    assert msgspec.json.decode(msgspec.json.encode(only_row(history))) == {
        "root_account_uuid": "account-uuid",
        "user_uuid": "student",
        "learning_outcome_id": "7",
        "score": 3.5,
        "mastery": True,
        "rating": "Meets",
        "mastery_points": 3.0,
        "points_possible": 5.0,
        "calculation_method": "average",
        "calculation_int": None,
        "results_count": 2,
        "last_assessed_at": milliseconds(at(10)),
        "definition_state": "known",
        "scale_source": "outcome",
        "definition_version": definition_of(history[0]).basis.version,
        "definition_time": milliseconds(at(3)),
        "outcome_title": "Writes clearly",
        "rating_points": 3.0,
        "last_event_time": milliseconds(at(20)),
        "courses": [
            ["99", "course-99", 5.0, True, 1, milliseconds(at(5))],
            ["565", "course-565", 2.0, False, 1, milliseconds(at(10))],
        ],
    }


def test_mastery_and_level_are_of_the_rounded_score():
    # 2.996 of 5 rounds to 3.0, which is mastery.
    row = only_row([outcome(ratings=RATINGS), result(score=2.996, percent=0.5992)])
    assert (row.score, row.mastery, row.rating) == (3.0, True, "Meets")
    row = only_row([outcome(ratings=RATINGS), result(score=2.99, percent=0.598)])
    assert (row.score, row.mastery, row.rating) == (2.99, False, "Below")


def test_below_the_lowest_level():
    row = only_row([outcome(ratings=((2.0, "Some"),)), result(score=1.0, percent=0.2)])
    assert (row.score, row.rating, row.rating_points) == (1.0, None, None)


def test_an_unknown_outcome_keeps_the_results_and_shows_no_score():
    row = only_row([result()])
    assert (row.results_count, row.score, row.mastery, row.definition_state) == (1, None, None, "unknown")
    assert (row.definition_version, row.definition_time, row.scale_source, row.points_possible) == (None,) * 4
    assert [(course.results_count, course.score) for course in row.courses] == [(1, None)]


def test_results_of_no_course_count_for_the_whole_alone():
    row = only_row([outcome(), result(result_context_id=None, result_context_type=None)])
    assert (row.score, row.courses) == (3.0, ())


def test_the_courses_uuid_is_taken_from_the_first_result_that_has_it():
    events = [result(id="2", result_context_uuid=None), result(id="10")]
    (course,) = only_row([outcome(), *events]).courses
    assert course.course_uuid == "course-565"


def test_last_event_is_of_the_present_state_not_of_what_it_replaced():
    events = [result(updated=1, sent=99), result(updated=2, sent=50), result(updated=2, sent=40)]
    assert only_row([outcome(), *events]).last_event_time == milliseconds(at(50))


def test_courses_with_scales_of_their_own():
    account = proficiency((4.0, "Four", True))
    own = proficiency((2.0, "Two", True), outcome_proficiency_id="2", context_type="Course", context_id="565")
    here, there = result(percent=1.0), result(id="2", percent=0.5, **OTHER_COURSE)
    alone = only_row([outcome(), account, own, here], SCALES)
    assert (alone.score, alone.points_possible) == (2.0, 2.0), "all results are of one course"
    both = only_row([outcome(), account, own, here, there], SCALES)
    assert (both.score, both.points_possible) == (4.0, 4.0)
    assert [(course.course_id, course.score) for course in both.courses] == [("99", 2.0), ("565", 2.0)]
    assert both.definition_version not in {
        alone.definition_version,
        only_row([outcome(), account, there], SCALES).definition_version,
        only_row([outcome(), proficiency((3.0, "Three", True)), own, here, there], SCALES).definition_version,
    }


def test_courses_left():
    before = only_row([outcome(), result(updated=1)])
    after = only_row([outcome(), result(updated=2, **OTHER_COURSE)])
    assert courses_left(before, after) == ["565"]
    assert courses_left(None, after) == []
    assert courses_left(after, after) == []
    deleted = only_row([outcome(), result(updated=3, workflow_state="deleted", **OTHER_COURSE)])
    assert courses_left(after, deleted) == []
