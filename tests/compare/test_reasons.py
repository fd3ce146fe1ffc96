"""Why scores differ: what is said is found by trying, and there is always something said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.compare.canvas import CanvasDefinition, CanvasRollups, CanvasScore, read_rollups
from app.compare.pairs import State, compare
from app.compare.reasons import reasons
from tests.compare.world import USERS, page, rollup, stored_rows, write_json
from tests.mastery.events import at, outcome, result

DAY = 86_400
THREE = [
    result(id=str(number), percent=percent, artifact_id=str(number), assessed_at=at(number * DAY))
    for number, percent in enumerate((0.6, 0.4, 1.0), 1)
]


@pytest.fixture
def why(tmp_path):
    """The reasons of the one pair that is not equal."""

    def found(history, scores, **linked):
        canvas = read_rollups([write_json(tmp_path / "page", page(rollup("10", scores), **linked))])
        made = compare(canvas, USERS, stored_rows(history), "565")
        (pair,) = [pair for pair in made.pairs if pair.state is not State.EQUAL]
        return " | ".join(reasons(pair))

    return found


def test_without_a_result_that_canvas_does_not_count(why):
    assert why([outcome("average"), *THREE], {"7": (2.5, 2)}).startswith("equal without result 3:")
    assert why([outcome("average"), *THREE], {"7": (2.0, 1)}).startswith("equal without result 1 and 3:")
    # A CSV tells no count.
    assert why([outcome("average"), *THREE], {"7": (2.5, None)}).startswith("equal without result 3:")
    # The count does not agree: so it is not that.
    assert "equal without" not in why([outcome("average"), *THREE], {"7": (2.5, 3)})


def test_in_another_order(why):
    text = why([outcome("decaying_average", 65), *THREE], {"7": (2 * 0.65 + 4 * 0.35, 3)})
    assert text.startswith("equal if result 2 were the latest:")
    assert "latest" not in why([outcome("highest"), *THREE], {"7": (2, 3)})


def test_with_the_definition_that_canvas_tells(why):
    theirs = {"id": "7", "calculation_method": "latest", "points_possible": 10, "mastery_points": 6}
    text = why([outcome("highest"), *THREE[:2]], {"7": (4, 2)}, outcomes=[theirs])
    assert "Canvas computes with latest, mastery at 6 of 10, here it is highest, mastery at 3 of 5" in text
    assert "with that, the score would be equal" in text
    same = {"id": "7", "calculation_method": "weighted_average", "calculation_int": 65}
    text = why([outcome("decaying_average", 65), *THREE], {"7": (1, 3)}, outcomes=[same])
    assert "Canvas computes with" not in text


def test_more_or_fewer_results(why):
    history = [outcome("average"), *THREE]
    assert why(history, {"7": (1.11, 2)}).startswith("Canvas counts 2 of 3 results")
    assert why(history, {"7": (1.11, 5)}).startswith("Canvas counts 5 results, and 3 are here")
    assert why(history, {"7": (1.11, 3)}) == (
        "as many results on both sides: one of them may have changed without an event"
    )


def test_only_in_canvas(why):
    assert "no event told of a result" in why([], {"7": (3, 1)})
    assert "no event told of the outcome" in why([THREE[0]], {"7": (3, 1)})
    deleted = result(id="1", workflow_state="deleted", updated=5)
    assert "deleted here" in why([outcome(), deleted], {"7": (3, 1)})
    assert "no score of the results" in why([outcome("n_mastery", 5), *THREE], {"7": (3, 3)})


def test_only_here(why):
    history = [outcome(), THREE[0]]
    assert "Canvas counts no result" in why(history, {})
    assert "makes no score of them" in why(history, {"7": (None, 2)})
    mastered = [outcome("n_mastery", 2), THREE[0], THREE[2]]
    assert why(mastered, {"7": (None, 1)}).startswith("equal without result 3:")
    assert "no longer one of the course" in why(history, {}, outcomes=[{"id": "8"}])
    assert "not in Canvas's file" in why([outcome(), result(user_uuid="gone")], {})


@given(
    method=st.sampled_from(["highest", "latest", "average", "n_mastery", "decaying_average", None]),
    percents=st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 1.1]), max_size=5),
    score=st.none() | st.sampled_from([0.0, 1.25, 2.5, 3.75, 5.0, 3.21]),
    count=st.none() | st.integers(0, 6),
    definition=st.none() | st.sampled_from(["highest", "latest", "nonsense"]),
    knows=st.booleans(),
)
def test_there_is_always_something_said(
    method: str | None,
    percents: list[float],
    score: float | None,
    count: int | None,
    definition: Any,
    knows: bool,
) -> None:
    history = [outcome(method)] if knows else []
    for number, percent in enumerate(percents):
        history.append(
            result(id=str(number), percent=percent, artifact_id=str(number), assessed_at=at(number))
        )
    canvas = CanvasRollups(scores={("10", "7"): CanvasScore(score, count)}, users={"10"}, courses={"565"})
    if definition:
        canvas.outcomes["7"] = CanvasDefinition(calculation_method=definition)
    for pair in compare(canvas, USERS, stored_rows(history), "565").pairs:
        said = reasons(pair)
        assert bool(said) == (pair.state is not State.EQUAL)
        if any(one.startswith("equal without") for one in said):
            assert pair.canvas is not None
            assert (
                pair.canvas.count is None
                or pair.course is None
                or pair.canvas.count < pair.course.results_count
            )
