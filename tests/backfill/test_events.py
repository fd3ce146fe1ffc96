"""The event of each kind of row, field by field, and what no event can be made of."""

import json

import pytest

from app.backfill.directory import Directory
from app.backfill.errors import Problem, RowRefused, Skipped
from app.backfill.events import EventMaker, Institution
from app.backfill.kinds import Kind
from app.backfill.rest import Part, parts
from tests.backfill.school import DECODER

ROOT = Institution("root-uuid", "21070000000000001")
CREATED, UPDATED = "2026-01-12T08:00:00.250Z", "2026-01-13T09:00:00.750Z"
METADATA = {
    "producer": "backfill",
    "root_account_uuid": "root-uuid",
    "root_account_id": "21070000000000001",
}
OUTCOME = {
    "id": 7,
    "short_description": "Writes",
    "description": "<p>",
    "display_name": "W",
    "vendor_guid": "g",
    "context_type": "Course",
    "context_id": 565,
    "workflow_state": "archived",
    "calculation_method": "decaying_average",
    "calculation_int": 65,
    "data": '{":rubric_criterion": {":points_possible": 5, ":mastery_points": 3, ":ratings": '
    '[{":description": "Good", ":points": 5}]}}',
    "created_at": CREATED,
    "updated_at": UPDATED,
}
RESULT = {
    "id": "55",
    "learning_outcome_id": "7",
    "user_id": "3",
    "context_type": "Course",
    "context_id": "565",
    "workflow_state": "deleted",
    "score": "4.0",
    "possible": "5",
    "percent": "0.8",
    "mastery": "true",
    "original_score": "3",
    "original_possible": "5",
    "original_mastery": "false",
    "attempt": "2",
    "assessed_at": UPDATED,
    "artifact_id": "22",
    "artifact_type": "RubricAssessment",
    "association_type": "RubricAssociation",
    "association_id": "77",
    "title": "Ann Doe, Essay",
    "created_at": CREATED,
    "updated_at": UPDATED,
}


@pytest.fixture
def known():
    with Directory("21070000000000001") as directory:
        directory.take(Kind.USERS, {"id": "21070000000000003", "uuid": "ann"})
        directory.take(Kind.COURSES, {"id": "565", "uuid": "course-uuid"})
        directory.take(Kind.ACCOUNTS, {"id": "1", "uuid": "root-uuid", "parent_account_id": None})
        directory.take(Kind.ACCOUNTS, {"id": "5", "uuid": "dept-uuid", "parent_account_id": "1"})
        directory.take(Kind.OUTCOMES, OUTCOME)
        directory.take(Kind.GROUPS, {"id": 9, "title": "All", "context_type": "Account", "context_id": 5})
        directory.take(
            Kind.RUBRIC_ASSOCIATIONS, {"id": 77, "association_type": "Assignment", "association_id": 56}
        )
        yield directory


@pytest.fixture
def make(known):
    """Make the event of a row; its name, metadata and body, checked by the stream's own decoder."""

    def call(table, values, institution=ROOT):
        made = EventMaker(institution, known).make(Part(table, values))
        if isinstance(made, Skipped):
            return made
        DECODER(made.raw)
        event = json.loads(made.raw)
        assert event["metadata"].pop("event_name") == made.name
        return made.name, event["metadata"], event["body"]

    return call


def test_an_outcome(make):
    name, metadata, body = make(Kind.OUTCOMES, OUTCOME)
    assert name == "learning_outcome_updated"
    assert metadata == {**METADATA, "event_time": "2026-01-13T08:59:58.750Z"}
    assert body == {
        "learning_outcome_id": "7",
        "title": "Writes",
        "short_description": "Writes",
        "display_name": "W",
        "description": "<p>",
        "vendor_guid": "g",
        "workflow_state": "archived",
        "calculation_method": "decaying_average",
        "calculation_int": 65,
        "rubric_criterion": {
            "mastery_points": 3.0,
            "points_possible": 5.0,
            "ratings": [{"description": "Good", "points": 5.0}],
        },
        "context_id": "565",
        "context_type": "Course",
        "context_uuid": "course-uuid",
        "updated_at": "2026-01-13T09:00:00.000Z",
    }


def test_an_outcome_without_a_scale_takes_it_from_another_file(make, known):
    bare = {**OUTCOME, "data": None}
    assert make(Kind.OUTCOMES, bare)[2]["rubric_criterion"]["mastery_points"] == 3.0
    with pytest.raises(RowRefused) as caught:
        make(Kind.OUTCOMES, {**bare, "id": 8})
    assert caught.value.problem is Problem.NO_SCALE


def test_a_row_that_never_changed_is_a_creation(make):
    name, metadata, body = make(Kind.OUTCOMES, {**OUTCOME, "updated_at": CREATED})
    assert (name, metadata["event_time"]) == ("learning_outcome_created", "2026-01-12T07:59:58.250Z")
    assert "updated_at" not in body


def test_a_group_and_a_link(make):
    group = {
        "id": 12,
        "title": "Essays",
        "learning_outcome_group_id": 9,
        "context_type": "Account",
        "context_id": 1,
        "workflow_state": "active",
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    assert make(Kind.GROUPS, group)[2] == {
        "learning_outcome_group_id": "12",
        "parent_outcome_group_id": "9",
        "parent_outcome_group_context_uuid": "dept-uuid",
        "title": "Essays",
        "workflow_state": "active",
        "context_id": "1",
        "context_type": "Account",
        "context_uuid": "root-uuid",
    }
    link = {
        "id": 31,
        "tag_type": "learning_outcome_association",
        "content_id": 7,
        "associated_asset_id": 9,
        "context_type": "Course",
        "context_id": 565,
        "workflow_state": "deleted",
        "created_at": CREATED,
        "updated_at": UPDATED,
    }
    name, _, body = make(Kind.LINKS, link)
    assert (name, body) == (
        "learning_outcome_link_updated",
        {
            "learning_outcome_link_id": "31",
            "learning_outcome_id": "7",
            "learning_outcome_context_uuid": "course-uuid",
            "learning_outcome_group_id": "9",
            "learning_outcome_group_context_uuid": "dept-uuid",
            "context_id": "565",
            "context_type": "Course",
            "workflow_state": "deleted",
            "updated_at": "2026-01-13T09:00:00.000Z",
        },
    )
    assert make(Kind.LINKS, {**link, "tag_type": "context_module"}) is Skipped.NO_LINK
    assert make(Kind.LINKS, {"id": 31, "meta.action": "D"}) is Skipped.DELETED_FOR_GOOD


def test_a_scale_has_its_ratings_best_first(make, known):
    for number, points in ((1, 1), (2, 3.5), (30, 2)):
        level = {"id": number, "outcome_proficiency_id": 4, "description": "L", "points": points}
        known.take(Kind.RATINGS, {**level, "mastery": points == 2, "color": "127A1B"})
    known.take(Kind.RATINGS, {"id": 9, "outcome_proficiency_id": 40, "points": 1})
    scale = {"id": 4, "context_type": "Account", "context_id": 1, "workflow_state": "active"}
    _, _, body = make(Kind.PROFICIENCIES, {**scale, "created_at": CREATED, "updated_at": UPDATED})
    levels = body.pop("outcome_proficiency_ratings")
    assert [(one["outcome_proficiency_rating_id"], one["points"], one["mastery"]) for one in levels] == [
        ("2", 3.5, False),
        ("30", 2.0, True),
        ("1", 1.0, False),
    ]
    assert levels[0]["color"] == "127A1B"
    assert body["outcome_proficiency_id"] == "4"


def test_a_result_names_student_course_and_work(make):
    name, metadata, body = make(Kind.RESULTS, RESULT)
    assert (name, metadata["event_time"]) == ("learning_outcome_result_updated", "2026-01-13T08:59:58.750Z")
    # Not the title: the student's name stands in it.
    assert body == {
        "id": "55",
        "learning_outcome_id": "7",
        "learning_outcome_context_uuid": "course-uuid",
        "user_uuid": "ann",
        "result_context_id": "565",
        "result_context_type": "Course",
        "result_context_uuid": "course-uuid",
        "workflow_state": "deleted",
        "score": 4.0,
        "possible": 5.0,
        "percent": 0.8,
        "mastery": True,
        "original_score": 3.0,
        "original_possible": 5.0,
        "original_mastery": False,
        "attempt": 2,
        "assessed_at": UPDATED,
        "artifact_id": "22",
        "artifact_type": "RubricAssessment",
        "associated_asset_id": "56",
        "associated_asset_type": "Assignment",
        "created_at": CREATED,
        "updated_at": "2026-01-13T09:00:00.000Z",
    }
    assert make(Kind.RESULTS, RESULT) == make(Kind.RESULTS, dict(reversed(RESULT.items())))


def test_a_result_without_id_where_the_stream_has_none(make):
    older = Institution("root-uuid", result_ids=False)
    assert "id" not in make(Kind.RESULTS, RESULT, older)[2]
    with pytest.raises(RowRefused) as caught:
        make(Kind.RESULTS, {**RESULT, "artifact_id": None}, older)
    assert caught.value.problem is Problem.NO_WORK


@pytest.mark.parametrize(
    ("change", "problem", "field"),
    [
        ({"user_id": "4"}, Problem.NO_STUDENT, "user_id"),
        ({"user_id": None}, Problem.NO_STUDENT, "user_id"),
        ({"learning_outcome_id": None}, Problem.MISSING_FIELD, "learning_outcome_id"),
        ({"id": ""}, Problem.MISSING_FIELD, "id"),
        ({"score": "A+"}, Problem.WRONG_TYPE, "score"),
        ({"updated_at": "soon"}, Problem.INVALID_TIME, "updated_at"),
    ],
)
def test_what_no_result_can_be_made_of(make, change, problem, field):
    with pytest.raises(RowRefused) as caught:
        make(Kind.RESULTS, {**RESULT, **change})
    assert (caught.value.problem, caught.value.field) == (problem, field)


def test_the_root_account_is_the_rows_own_else_the_given_else_the_only_one(make, known):
    def account(institution, **more):
        return make(Kind.RESULTS, {**RESULT, **more}, institution)[1]

    assert account(Institution())["root_account_uuid"] == "root-uuid"
    assert account(Institution())["root_account_id"] == "1"
    known.take(Kind.ACCOUNTS, {"id": "60", "uuid": "second", "parent_account_id": None})
    known.find.cache_clear()
    assert account(Institution(), root_account_id="60") == {
        "event_time": "2026-01-13T08:59:58.750Z",
        "producer": "backfill",
        "root_account_uuid": "second",
        "root_account_id": "60",
    }
    assert account(ROOT, root_account_id="1")["root_account_id"] == "21070000000000001"
    with pytest.raises(RowRefused) as caught:
        account(Institution())
    assert caught.value.problem is Problem.NO_ROOT_ACCOUNT


def test_a_page_of_results(known):
    page = {
        "outcome_results": [
            {
                "id": "42",
                "score": 6,
                "percent": 0.65,
                "submitted_or_assessed_at": "2026-02-01T00:00:00-06:00",
                "links": {"user": "3", "learning_outcome": "97", "alignment": "assignment_53"},
            },
            {"id": "43", "links": {"user": "3", "learning_outcome": "97", "alignment": "quiz_1"}},
            {"id": "44"},
        ],
        "linked": {
            "alignments": [
                {"id": "assignment_53", "html_url": "https://x.example/courses/565/assignments/53"}
            ],
            "users": [{"id": "3", "name": "Ann"}],
            "outcomes": [
                {"id": "97", "title": "T", "mastery_points": 3, "points_possible": 5, "ratings": None}
            ],
        },
    }
    found = list(parts(Kind.REST_RESULTS, page))
    assert [part.table for part in found] == [Kind.OUTCOMES, *[Kind.RESULTS] * 3]
    maker = EventMaker(ROOT, known)
    event = json.loads(maker.make(found[1]).raw)
    assert event["metadata"]["event_name"] == "learning_outcome_result_created"
    assert event["metadata"]["event_time"] == "2026-02-01T05:59:58.000Z"
    assert event["body"] == {
        "id": "42",
        "learning_outcome_id": "97",
        "user_uuid": "ann",
        "result_context_id": "565",
        "result_context_type": "Course",
        "result_context_uuid": "course-uuid",
        "workflow_state": "active",
        "score": 6.0,
        "percent": 0.65,
        "assessed_at": "2026-02-01T06:00:00.000Z",
        "associated_asset_id": "53",
        "associated_asset_type": "Assignment",
        "created_at": "2026-02-01T06:00:00.000Z",
    }
    for part, problem in ((found[2], Problem.NO_COURSE), (found[3], Problem.MISSING_FIELD)):
        with pytest.raises(RowRefused) as caught:
            maker.make(part)
        assert caught.value.problem is problem
    (told,) = [
        part for part in parts(Kind.REST_RESULTS, {**page, "course_id": 9}) if part.values.get("id") == "43"
    ]
    assert json.loads(maker.make(told).raw)["body"]["result_context_id"] == "9"


def test_links_of_the_rest_api_give_their_outcome_and_group(known):
    group = {"id": 2, "title": "G", "context_type": "Account", "context_id": 1, "subgroups_url": "/"}
    outcome = {"id": 3, "title": "O", "context_type": "Account", "context_id": 1}
    maker = EventMaker(ROOT, known)
    whole = {**outcome, "mastery_points": 3, "points_possible": 5, "ratings": []}
    made = [maker.make(part) for part in parts(Kind.REST_LINKS, {"outcome": whole, "outcome_group": group})]
    assert [one.name for one in made[:2]] == ["learning_outcome_created", "learning_outcome_group_created"]
    assert made[2] is Skipped.LINK_WITHOUT_ID
    short = {"id": 2, "title": "G", "subgroups_url": "/"}
    made = [maker.make(part) for part in parts(Kind.REST_LINKS, {"outcome": outcome, "outcome_group": short})]
    assert made == [Skipped.ABBREVIATED, Skipped.ABBREVIATED, Skipped.LINK_WITHOUT_ID]


def test_a_scale_of_the_rest_api_needs_an_id(known):
    answer = {"ratings": [{"description": "Top", "points": 4, "mastery": True, "color": "127A1B"}]}
    maker = EventMaker(ROOT, known)
    (part,) = parts(Kind.REST_PROFICIENCY, answer)
    with pytest.raises(RowRefused) as caught:
        maker.make(part)
    assert caught.value.problem is Problem.NO_PROFICIENCY_ID
    (part,) = parts(Kind.REST_PROFICIENCY, {**answer, "id": 4, "context_type": "Account", "context_id": 1})
    body = json.loads(maker.make(part).raw)["body"]
    assert body["outcome_proficiency_ratings"][0]["outcome_proficiency_rating_id"] == "4-1"


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.name.startswith("REST_")])
@pytest.mark.parametrize(
    "answer",
    [{}, {"errors": []}, {"outcome_results": {}}, {"ratings": [1]}, {"data": {"x": [None]}}, {"outcome": 1}],
)
def test_answers_that_are_none_are_refused(kind, answer):
    with pytest.raises(RowRefused):
        list(parts(kind, answer))


def test_a_roster_with_ids_of_canvas(known):
    known.take(Kind.ROSTER, {"kind": "user", "id": "bob", "name": "Bob", "canvas_id": "8"})
    known.take(Kind.ROSTER, {"kind": "course", "id": "565", "name": "C", "canvas_id": None})
    assert known.find("user", "8") == "bob"
    assert known.find("user", "21070000000000008") == "bob"
