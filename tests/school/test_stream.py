"""What is promised of a school is in its stream."""

import re
import tracemalloc
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import islice, pairwise

import pytest

from app.school.founding import LEGACY_SCALES, METHODS
from app.school.stream import Plan, school_records
from app.school.upkeep import OTHER_EVENTS
from tests.school.conftest import PLAN


def account(one):
    return one.truth["metadata"].get("root_account_uuid")


def time(text):
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def histories(results):
    """Snapshots of each result that has an id, by account and id, in the order in which they were sent."""
    found = defaultdict(list)
    for one in results:
        if "id" in one.body and "repeated" not in one.truth:
            found[account(one), one.body["id"]].append(one)
    for history in found.values():
        history.sort(key=lambda one: one.truth["metadata"]["event_time"])
    return found


def followed(histories, before, after):
    """How many times a snapshot of one sort was followed by one of another."""
    pairs = [pair for history in histories.values() for pair in pairwise(history)]
    return sum(before(one.body) and after(two.body) for one, two in pairs)


def test_every_event_and_the_other_events(typed, told):
    assert len({one.event for one in typed}) == 12
    assert {one.truth["event"] for one in told if one.truth["to"] == "ignored"} == {
        n for n, _ in OTHER_EVENTS
    }


def test_every_calculation_method_and_old_definitions(typed):
    outcomes = [one.body for one in typed if one.event == "learning_outcome_created"]
    methods = {(body.get("calculation_method"), body.get("calculation_int")) for body in outcomes}
    assert methods >= set(METHODS)
    scales = {
        (body["rubric_criterion"].get("mastery_points"), body["rubric_criterion"].get("points_possible"))
        for body in outcomes
    }
    assert scales >= set(LEGACY_SCALES)
    assert any("context_id" not in body and int(body["learning_outcome_id"]) > 10**13 for body in outcomes)
    assert {body.get("context_type") for body in outcomes} == {"Account", "Course", None}
    accounts = {body["context_id"] for body in outcomes if body.get("context_type") == "Account"}
    assert len(accounts) == 4  # the root account and its sub-accounts
    assert any("copied_from_outcome_id" in body for body in outcomes)
    assert any("original_outcome_root_account_uuid" in body for body in outcomes)


def test_definitions_change(typed):
    updated = [one.body for one in typed if one.event == "learning_outcome_updated"]
    assert {body["workflow_state"] for body in updated} >= {"active", "archived", "retired", "deleted"}
    scales = [one.body for one in typed if one.event == "outcome_proficiency_updated"]
    assert {body["workflow_state"] for body in scales} == {"active", "deleted"}
    assert any(not body["outcome_proficiency_ratings"] for body in scales)
    for kind in ("group", "link"):
        states = {
            one.body["workflow_state"] for one in typed if one.event == f"learning_outcome_{kind}_updated"
        }
        assert states == {"active", "deleted"}
    assert any(
        one.body["context_type"] == "LearningOutcomeGroup"
        for one in typed
        if one.event == "learning_outcome_link_created"
    )


def test_definitions_come_after_results(typed):
    results, late = set(), 0
    for one in typed:
        if one.event == "learning_outcome_result_created":
            results.add((account(one), one.body["learning_outcome_id"]))
        elif one.event == "learning_outcome_created":
            late += (account(one), one.body["learning_outcome_id"]) in results
    assert late


def test_three_generations_of_results(results):
    shapes = Counter(
        ("id" in one.body, "user_uuid" in one.body, "title" in one.body, "artifact_created_at" in one.body)
        for one in results
    )
    newest, middle, oldest = (
        (True, True, False, True),
        (False, True, False, False),
        (False, False, True, False),
    )
    assert shapes.keys() == {newest, middle, oldest}
    assert min(shapes.values()) > 100
    accounts = defaultdict(set)
    for one in results:
        accounts[account(one)].add("id" in one.body)
    assert all(len(forms) == 1 for forms in accounts.values())


def test_local_ids_collide_between_root_accounts(results):
    outcomes = defaultdict(set)
    for one in results:
        outcomes[one.body["learning_outcome_id"]].add(account(one))
    assert max(map(len, outcomes.values())) == 3


def test_results_are_graded_again(histories):
    for history in histories.values():
        for one, two in pairwise(history):
            assert two.body["assessed_at"] >= one.body["assessed_at"]
            assert two.body["created_at"] == one.body["created_at"]
    assert any(
        one.body.get("score") != two.body.get("score") and one.body["assessed_at"] < two.body["assessed_at"]
        for history in histories.values()
        for one, two in pairwise(history)
    )
    assert any(one.body["attempt"] > 1 for history in histories.values() for one in history)


def test_results_are_deleted_brought_back_and_cleared(histories):
    def active(body):
        return body["workflow_state"] == "active"

    def deleted(body):
        return body["workflow_state"] == "deleted"

    # Counted first: pytest would print all of the histories.
    deletions, returns = followed(histories, active, deleted), followed(histories, deleted, active)
    assert min(deletions, returns) > 10
    cleared = followed(histories, lambda one: "score" in one, lambda two: "score" not in two)
    filled = followed(histories, lambda one: "score" not in one, lambda two: "score" in two)
    assert min(cleared, filled) > 1


def test_results_are_born_deleted_and_give_their_score_to_the_old_row(histories):
    born = [
        history[0].body for history in histories.values() if history[0].body["workflow_state"] == "deleted"
    ]
    born = [body for body in born if "updated_at" not in body]
    assert len(born) > 5
    rows = [one.body for history in histories.values() for one in history if "updated_at" in one.body]
    same = ("user_uuid", "learning_outcome_id", "artifact_id", "associated_asset_id", "score", "assessed_at")
    given = {tuple(row.get(name) for name in same) for row in rows}
    # The update of the last one may still be on its way.
    assert sum(tuple(body.get(name) for name in same) not in given for body in born) <= 1


def test_what_is_assessed(results, typed):
    assert {one.body.get("artifact_type") for one in results} == {
        "RubricAssessment", "Submission", "Quizzes::QuizSubmission", "LiveAssessments::Submission", None,
    }  # fmt: skip
    assert {one.body.get("associated_asset_type") for one in results} == {
        "Assignment", "AssessmentQuestion", "Quizzes::Quiz", "LiveAssessments::Assessment", None,
    }  # fmt: skip
    rubrics = [one.body for one in typed if one.event == "rubric_assessed"]
    assert {body["assessment_type"] for body in rubrics} == {
        "grading",
        "graded",
        "peer_review",
        "provisional_grade",
    }
    held = {
        one.body.get("artifact_id") for one in results if one.body.get("artifact_type") == "RubricAssessment"
    }
    assert held & {body["id"] for body in rubrics}
    assert any(one.body.get("percent", 0) > 1 for one in results)
    assert any(one.body.get("percent", 0) % 0.5 for one in results)


def test_duplicates_are_the_same_bytes_and_come_later(told):
    first = {}
    repeated = 0
    for one in told:
        if one.record.raw is None:
            continue
        if one.truth.get("repeated"):
            repeated += 1
        else:
            first.setdefault(one.truth["event_id"], one)
    assert repeated > 100
    assert all(one.truth["event_id"] in first for one in told if one.truth.get("repeated"))


def test_disorder(typed, histories):
    times = [one.truth["metadata"]["event_time"] for one in typed]
    assert sum(one > two for one, two in pairwise(times)) > len(times) / 10
    place = {id(one): number for number, one in enumerate(typed)}
    assert any(
        place[id(one)] > place[id(two)] for history in histories.values() for one, two in pairwise(history)
    )


def test_forms_on_the_wire(typed, told):
    raws = [one.record.raw for one in told if one.event]
    for form in (
        rb'"attributes":',
        rb'"client_ip":""',
        rb'"score":NaN',
        rb'"score":null',
        rb'"learning_outcome_id":\d',
        rb'"assessed_at":"[0-9T:.-]+-06:00"',
        rb'"created_at":"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? UTC"',
        rb'"possible":5,',
        rb'"possible":5\.0',
        rb'"event_time":"[0-9-]+T[0-9:]+Z"',
        rb'"event_time":"[0-9-]+T[0-9:]+\.\d{3}Z"',
        rb'"schema_version":',
    ):
        assert any(re.search(form, raw) for raw in raws), form
    metadata = {name for one in typed for name in one.truth["metadata"].get("extra", ())}
    assert metadata == {"$envelope.schema_version", "request_tags"}
    body = {re.sub(r"\d+", "0", name) for one in typed for name in one.body.get("extra", ())}
    assert body >= {
        "pathway",
        "rubric_criterion.ignore_for_scoring",
        "rubric_criterion.ratings[0].long_description",
        "outcome_proficiency_ratings[0].level",
    }
    assert any(one.body.get("display_name") == "" for one in typed)
    assert any("…" in raw.decode() for raw in raws)


def test_keys_of_every_form(typed):
    keys = [(one.event, one.truth["key"], one) for one in typed]
    assert any(re.fullmatch(r"\w{40}:\w{40}", key) for name, key, _ in keys if "_result_" in name)
    assert any(re.fullmatch(r"\w{40}::\d+", key) for name, key, _ in keys if "_result_" in name)
    assert any(key.startswith("-:") for _, key, _ in keys)
    assert any(key.endswith(one.truth["event_id"]) for name, key, one in keys if name.startswith("outcomes."))


def test_metadata_of_jobs_and_requests(typed):
    everywhere = {name for one in typed for name in one.truth["metadata"]}
    assert everywhere >= {
        "job_id",
        "user_login",
        "real_user_id",
        "developer_key_id",
        "context_role",
        "user_sis_id",
    }
    assert all("user_login" not in one.truth["metadata"] for one in typed if "_result_" in one.event)


def test_a_term_runs_over_months_and_on_school_days(typed):
    days = {time(one.truth["metadata"]["event_time"]).date() for one in typed}
    assert min(days) == date(2025, 9, 1)
    assert timedelta(110) < max(days) - min(days) < timedelta(125)
    assert {day.weekday() for day in days} <= set(range(6))
    # Classes are graded together: on most days, many results of one asset.
    assert len(days) < 90


def test_lines_are_possible(records):
    assert all(record.raw is None or (record.raw and b"\n" not in record.raw) for record in records)


def test_the_same_plan_gives_the_same_bytes_everywhere():
    # A change to the school changes this. Another Python, machine or PYTHONHASHSEED must not.
    digest = sha256()
    for record in islice(school_records(Plan(events=2000, students=40)), 2000):
        digest.update(record.raw or b"null")
    assert digest.hexdigest()[:32] == "7f0eab6cc5d26e5d5d99b7b3127d4ec0"


@pytest.mark.parametrize("changed", [{"seed": 2}, {"students": 50}, {"accounts": 1}, {"days": 50}])
def test_another_plan_is_another_school(changed):
    def some(**fields):
        return [record.raw for record in islice(school_records(Plan(**{"events": 500} | fields)), 200)]

    assert some(**changed) != some()


@pytest.mark.parametrize("plan", [Plan(events=1, students=1, accounts=1), Plan(students=1, accounts=9)])
def test_the_smallest_schools_go_on_too(plan):
    assert len(list(islice(school_records(plan), 1500))) == 1500


def test_memory_follows_the_students_and_not_the_records():
    def peak(records):
        tracemalloc.start()
        try:
            for _ in islice(school_records(Plan(events=2000, students=30)), records):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    assert peak(5000) < 1.5 * peak(1500)


def test_a_term_is_as_long_as_it_shall_be():
    plan = Plan(events=1000, students=20, days=30, start=date(2026, 1, 7))
    times = [
        fate.event.metadata["event_time"]
        for _, fate, _ in islice(school_records(plan), 1000)
        if hasattr(fate, "event")
    ]
    first, last = (datetime.fromtimestamp(at / 1000).date() for at in (min(times), max(times)))  # noqa: DTZ006
    assert first == date(2026, 1, 12)
    assert timedelta(20) < last - first < timedelta(32)
    assert PLAN.days == 120
