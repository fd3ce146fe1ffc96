import json

import pytest

from tests.mastery.events import outcome, result
from tests.support.changelog import make_changelog, rows_as_stored, write_rows

EVENTS = [
    outcome("average", title="Reads [maps]"),
    result(id="1", score=4.0, percent=0.8),
    result(id="2", score=1.0, percent=0.2, result_context_id="500"),
    result(id="3", updated=1, workflow_state="deleted"),
    result(id="4", learning_outcome_id="8"),
]


@pytest.fixture
def rows(some_topics):
    make_changelog(some_topics)
    write_rows(some_topics, rows_as_stored(EVENTS))


# One test, as making the topics takes longer than all else.
@pytest.mark.usefixtures("rows")
def test_a_student_is_shown_with_what_is_behind_each_score(mastery):
    done = mastery("show", "--user", "student")
    assert (done.status, done.err) == (0, "")
    for text in (
        "Student student, root account account-uuid",
        "Outcome 7: Reads [maps]",
        "4, mastered (1 result)",
        "1, not mastered (1 result)",
        "2.5, not mastered (2 results)",
        "mean: (4 + 1) / 2 = 2.5",
        "known; average, mastery at 3 of 5, scale of the outcome; version",
        "no: deleted",
        "Outcome 8: (title unknown)",
        "unknown: no event has told of this outcome, so there is no score",
    ):
        assert text in done.out
    assert done.out.splitlines()[-1].endswith("nothing is left to be processed")

    done = mastery("show", "--user", "student", "--outcome", "7", "--account", "account-uuid", "--json")
    (shown,) = map(json.loads, done.out.splitlines())
    assert (shown["score"], shown["formula"]) == (2.5, "mean: (4 + 1) / 2 = 2.5")
    assert [course["score"] for course in shown["courses"]] == [1.0, 4.0]
    assert {one["id"]: (one["value"], one["counts"], one["why_not"]) for one in shown["results"]} == {
        "1": (4.0, True, None),
        "2": (1.0, True, None),
        "3": (None, False, "deleted"),
    }
    assert shown["results"][0]["event_time"].endswith("Z")

    done = mastery("show", "--user", "nobody", "--outcome", "7")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("error: there are no results of outcome 7 of student nobody\n  -> ")
