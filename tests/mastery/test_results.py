from itertools import permutations

import pytest

from app.mastery.results import Results
from app.mastery.snapshot import read_result
from tests.mastery.events import only_row, outcome, result

NO_ID = {"id": None, "result_context_id": None, "result_context_type": None}
NO_ASSET = {"associated_asset_type": None, "associated_asset_id": None}


def snapshots_of(*events):
    return [read_result(event)[1] for event in events]


def after(*events):
    """The results after these events, which end in the same in every order, delivered once or twice."""
    ends = []
    for order in permutations(snapshots_of(*events)):
        for deliveries in (order, order + order):
            results = Results()
            for snapshot in deliveries:
                results.apply(snapshot)
            ends.append(results)
    assert all(end == ends[0] for end in ends)
    return ends[0]


def scores(results):
    return [(snapshot.id, snapshot.score) for snapshot in results.snapshots if snapshot.counts]


def test_a_late_creation_does_not_overwrite_an_update():
    assert scores(after(result(sent=9, score=1.0), result(updated=1, sent=1, score=2.0))) == [("1", 2.0)]


def test_the_later_update_wins_and_the_time_sent_decides_between_equal_ones():
    assert scores(after(result(updated=1, score=1.0), result(updated=2, score=2.0))) == [("1", 2.0)]
    assert scores(after(result(updated=1, sent=1, score=1.0), result(updated=1, sent=2, score=2.0))) == [
        ("1", 2.0)
    ]


def test_a_cleared_score_clears():
    assert scores(after(result(updated=1), result(updated=2, score=None))) == []
    assert scores(after(result(updated=1), result(updated=2, score=None), result(updated=3))) == [("1", 3.0)]


def test_a_deleted_result_goes_and_can_come_back():
    deleted = result(updated=2, workflow_state="deleted")
    assert scores(after(result(updated=1), deleted)) == []
    assert scores(after(result(updated=1), deleted, result(updated=3))) == [("1", 3.0)]


def test_created_as_deleted_never_counts():
    stillborn = result(id="2", workflow_state="deleted", score=5.0)
    assert scores(after(stillborn, result(updated=1, score=5.0))) == [("1", 5.0)]
    assert scores(after(stillborn)) == []


def test_created_as_deleted_counts_once_it_is_updated_to_active():
    assert scores(after(result(workflow_state="deleted"), result(updated=1))) == [("1", 3.0)]


def test_two_ids_with_the_same_work_are_two_results():
    assert scores(after(result(id="10", score=1.0), result(id="9", score=2.0))) == [("9", 2.0), ("10", 1.0)]


def test_without_an_id_the_work_is_the_identity():
    events = (
        result(**NO_ID, score=1.0),
        result(**NO_ID, score=2.0, updated=1),
        result(**NO_ID, score=4.0, artifact_id="9"),
    )
    assert scores(after(*events)) == [(None, 2.0), (None, 4.0)]


def test_an_id_replaces_what_stood_without_one_even_if_that_is_newer():
    assert scores(after(result(**NO_ID, updated=9, score=1.0), result(score=2.0))) == [("1", 2.0)]
    other = result(**NO_ID, score=1.0, artifact_id="9")
    assert scores(after(other, result(score=2.0))) == [(None, 1.0), ("1", 2.0)]


def test_an_id_that_has_moved_on_to_other_work_still_replaces():
    moved = result(updated=2, artifact_id="23")
    assert scores(after(result(**NO_ID), result(updated=1), moved)) == [("1", 3.0)]
    back = result(updated=3)
    assert scores(after(result(**NO_ID), result(updated=1), moved, back)) == [("1", 3.0)]


def test_former_works_are_only_those_that_no_result_names():
    first, moved = result(updated=1), result(updated=2, artifact_id="23")
    assert [work.artifact_id for work in after(first, moved).former_works] == ["22"]
    assert not after(first, moved, result(updated=3)).former_works[1:]
    assert not after(first, moved, result(id="2")).former_works


def test_a_deletion_that_names_no_asset_still_replaces():
    deleted = result(updated=3, workflow_state="deleted", **NO_ASSET)
    assert scores(after(result(**NO_ID), deleted)) == []
    assert scores(after(result(**NO_ID), result(updated=1), deleted)) == []


def test_created_as_deleted_replaces_nothing():
    stillborn = result(id="2", workflow_state="deleted")
    assert scores(after(result(**NO_ID), stillborn)) == [(None, 3.0)]
    assert scores(after(result(**NO_ID), stillborn, result(id="2", updated=1, score=4.0))) == [("2", 4.0)]


def test_a_work_stays_claimed_when_a_creation_as_deleted_wins():
    """Canvas creates a result once; but whatever comes, order must not matter."""
    created, stillborn = result(sent=1), result(sent=2, workflow_state="deleted")
    assert scores(after(created, stillborn, result(**NO_ID))) == []
    assert after(created, stillborn).former_works


def test_apply_says_whether_anything_changed():
    old, new = snapshots_of(result(updated=1), result(updated=2))
    results = Results()
    assert results.apply(new)
    assert not results.apply(new)
    assert not results.apply(old)
    (late,) = snapshots_of(result(updated=1, artifact_id="99"))
    assert results.apply(late), "it named a work that nothing else does"
    assert not results.apply(late)
    (nameless,) = snapshots_of(result(**NO_ID, artifact_id="99"))
    assert not results.apply(nameless)


@pytest.mark.parametrize("order", list(permutations(["2", "10", "1", "21070000000000002"])))
def test_results_stand_in_the_order_of_their_ids(order):
    results = Results()
    for result_id in order:
        results.apply(read_result(result(id=result_id, root_account_id=None))[1])
    assert [snapshot.id for snapshot in results.snapshots] == ["1", "2", "10", "21070000000000002"]


def test_row_without_live_results():
    row = only_row([outcome(), result(updated=5, sent=6, workflow_state="deleted")])
    assert (row.results_count, row.score, row.mastery, row.rating, row.last_assessed_at) == (0,) + (None,) * 4
    assert row.last_event_time is not None
    assert [(course.course_id, course.results_count) for course in row.courses] == [("565", 0)]
