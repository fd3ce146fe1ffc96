"""Every pair of Canvas and here has one state, and what cannot be compared is told and not counted."""

import pytest

from app.compare.canvas import read_rollups
from app.compare.errors import CompareTrouble
from app.compare.gradebook import read_gradebook
from app.compare.pairs import State, compare
from tests.compare.world import USERS, page, rollup, stored_rows, write_json
from tests.mastery.events import outcome, result

HISTORY = [
    outcome("highest"),
    outcome("highest", learning_outcome_id="8", title="Reads maps"),
    result(id="1", score=4.0, percent=0.8),
    result(id="2", learning_outcome_id="8", percent=0.5),
    result(id="3", user_uuid="other", percent=0.2),
    result(id="4", result_context_id="500", learning_outcome_id="9"),
]


@pytest.fixture
def run(tmp_path):
    """Compare an answer of Canvas with a history."""

    def compared(answer, history=HISTORY, users=USERS, course="565"):
        canvas = read_rollups([write_json(tmp_path / "page", answer)])
        return compare(canvas, users, stored_rows(history), course)

    return compared


def states(made):
    return {(pair.user_uuid, pair.outcome): pair.state for pair in made.pairs}


def test_states(run):
    made = run(page(rollup("10", {"7": (4, 1), "9": (3, 1)}), rollup("11", {"7": (1.01, 1), "8": (None, 0)})))
    assert states(made) == {
        ("student", "7"): State.EQUAL,
        ("student", "8"): State.ONLY_HERE,
        ("student", "9"): State.ONLY_IN_CANVAS,
        ("other", "7"): State.DIFFERENT,
    }
    assert not made.same


def test_all_equal(run):
    made = run(page(rollup("10", {"7": (4.000001, 1), "8": (2.5, 1)}), rollup("11", {"7": (1, 1)})))
    assert made.same
    assert made.counts == {State.EQUAL: 3}


def test_no_score_on_both_sides_is_equal(run):
    history = [outcome("n_mastery", 3), result(percent=0.8)]
    made = run(page(rollup("10", {"7": (None, 1)})), history)
    assert states(made) == {("student", "7"): State.EQUAL}


def test_students_whose_uuid_is_not_known_are_told(run):
    made = run(
        page(rollup("10", {"7": (4, 1), "8": (2.5, 1)}), rollup("11", {"7": (1, 1)})), users={"10": "student"}
    )
    assert (made.unknown_users, made.left_out, made.counts) == (["11"], {"other"}, {State.EQUAL: 2})
    assert not made.same


def test_students_of_pages_that_lack_are_left_out(run):
    made = run(page(rollup("10", {"7": (4, 1), "8": (2.5, 1)}), pages=2))
    assert (made.left_out, made.counts, made.same) == ({"other"}, {State.EQUAL: 2}, False)


def test_of_several_root_accounts_the_one_that_knows_the_students(run):
    other = result(account="else", user_uuid="somebody")
    made = run(
        page(rollup("10", {"7": (4, 1), "8": (2.5, 1)}), rollup("11", {"7": (1, 1)})), [*HISTORY, other]
    )
    assert made.same
    with pytest.raises(CompareTrouble, match="2 root accounts have a course 565"):
        run(page(), [*HISTORY, other])
    with pytest.raises(CompareTrouble):
        run(page(rollup("10", {})), [*HISTORY, result(account="else")])


def test_nothing_on_either_side(run):
    made = run(page(), [], course="1")
    assert made.same
    assert made.pairs == []


@pytest.mark.parametrize(
    ("columns", "line", "unknown", "counts"),
    [
        ("Writes clearly,Reads maps", "4,2.5", {}, {State.EQUAL: 2, State.ONLY_HERE: 1}),
        # Of a column without scores that nobody here knows there is nothing to be said.
        ("Writes clearly,Reads maps,Else", "4,2.5,", {}, {State.EQUAL: 2, State.ONLY_HERE: 1}),
        ("Writes clearly,Else", "4,1", {"Else": 0}, {State.EQUAL: 1, State.ONLY_HERE: 2}),
        ("Reads maps,Writes clearly,Writes clearly", "2.5,4,4", {"Writes clearly": 2}, {State.EQUAL: 1}),
    ],
)
def test_columns_of_a_csv(columns, line, unknown, counts, tmp_path):
    titles = [f"{title} {what}" for title in columns.split(",") for what in ("result", "mastery points")]
    scores = [cell for score in line.split(",") for cell in (score, "3")]
    path = tmp_path / "gradebook.csv"
    path.write_text(
        ",".join(["Student name", "Student ID", *titles]) + "\n" + ",".join(["Ann", "10", *scores]) + "\n"
    )
    made = compare(read_gradebook([path]), USERS, stored_rows(HISTORY), "565")
    assert made.unknown_outcomes == unknown
    assert made.counts == counts
