from app.commands.demo_mastery import change_line, mastery_summary
from app.embedded.mastery_view import MasteryView


def row(user="ann", outcome="7", score=None, mastery=None, **fields):
    return {
        "root_account_uuid": "account",
        "user_uuid": user,
        "learning_outcome_id": outcome,
        "outcome_title": "Maps",
        "score": score,
        "mastery": mastery,
        "results_count": 1,
        **fields,
    }


def result(**body):
    full = {"id": "1", "artifact_id": None, "associated_asset_id": None, "user_uuid": "ann", **body}
    full.setdefault("learning_outcome_id", "21070000000000007")
    return {
        "metadata": {"root_account_uuid": "account", "root_account_id": "21070000000000001"},
        "body": full,
    }


def test_rows_are_counted_as_they_stand():
    view = MasteryView("rows")
    view.take("account:ann:7", row())
    view.take("account:bob:7", row("bob", score=2.0, mastery=False))
    view.take("account:ann:7", row(score=4.0, mastery=True, results_count=2))
    assert (view.records, view.students, view.outcomes) == (3, 2, 1)
    assert (
        mastery_summary(view)
        == "2 rows in rows: 2 students on 1 outcomes; 1 mastered, 1 not, 0 without a score"
    )
    assert not view.quiet(60)
    assert [change_line(change) for change in view.changes] == [
        "student ann… on 7 Maps: no score, of 1 result",
        "student bob… on 7 Maps: 2 (not mastered), of 1 result",
        "student ann… on 7 Maps: from no score to 4 (mastered), of 2 results",
    ]


def test_rows_are_expected_of_results_that_tell_whose_they_are():
    view = MasteryView("rows")
    for one in (result(), result(), result(user_uuid=None), result(id=None), result(user_uuid="bob")):
        view.expect(one)
    assert view.expected == {"account:ann:7", "account:bob:7"}
