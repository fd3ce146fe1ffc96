"""Canvas's answers are read in any layout; what is none is refused, and nothing of it told."""

import json

import pytest

from app.compare.canvas import CanvasScore, read_rollups
from app.compare.errors import CompareTrouble
from tests.compare.world import page, rollup, write_json

FIRST = page(rollup("10", {"7": (3.5, 2)}), pages=2)
SECOND = page(rollup("11", {"7": (None, 0), "8": (2, 1)}), pages=2, number=2)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([FIRST, SECOND]),
        json.dumps(FIRST) + "\n" + json.dumps(SECOND),
        json.dumps(FIRST, indent=2) + json.dumps(SECOND, indent=2),
    ],
)
def test_pages_in_any_layout(text, tmp_path):
    path = tmp_path / "all.json"
    path.write_text(text)
    found = read_rollups([path])
    assert found.scores == {
        ("10", "7"): CanvasScore(3.5, 2),
        ("11", "7"): CanvasScore(None, 0),
        ("11", "8"): CanvasScore(2.0, 1),
    }
    assert (found.users, found.courses, found.page_count, found.complete) == ({"10", "11"}, {"565"}, 2, True)


def test_a_student_of_several_sections_is_one_and_a_lacking_page_is_noticed(tmp_path):
    one = rollup("10", {"7": (3.5, 2)})
    found = read_rollups([write_json(tmp_path / "page", page(one, one, pages=2))])
    assert (len(found.scores), found.complete) == (1, False)


def test_ids_may_be_numbers_and_much_may_be_missing(tmp_path):
    made = {"rollups": [{"scores": [{"score": 3, "links": {"outcome": 7}}], "links": {"user": 10}}]}
    found = read_rollups([write_json(tmp_path / "page", made)])
    assert found.scores == {("10", "7"): CanvasScore(3.0, None)}
    assert (found.courses, found.page_count, found.complete) == (set(), None, True)


def test_what_is_linked_is_taken(tmp_path):
    linked = {
        "users": [{"id": 10, "name": "Ann", "uuid": "student"}, {"id": 11, "name": "Ben"}],
        "outcomes": [{"id": "7", "title": "Maps", "calculation_method": "latest", "points_possible": 4}],
    }
    found = read_rollups([write_json(tmp_path / "page", page(**linked))])
    assert found.uuids == {"10": "student"}
    assert (found.outcomes["7"].title, found.outcomes["7"].calculation_method) == ("Maps", "latest")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("Ann", "an answer is a JSON object"),
        ('{"errors": [{"message": "Ann"}]}', "missing required field `rollups`"),
        ('{"rollups": [{"scores": [], "links": {"course": 565}}]}', "roll-ups of a whole course"),
        (
            '{"rollups": [{"scores": [{"score": "Ann", "links": {"outcome": 7}}], "links": {}}]}',
            "rollups[0].scores",
        ),
        ('{"rollups": [', "broken JSON"),
        ('{"rollups": [NaN]}', "no JSON"),
    ],
)
def test_what_is_none_is_refused(text, told, tmp_path):
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(CompareTrouble) as trouble:
        read_rollups([path])
    assert trouble.value.exit_code == 2
    assert str(path) in str(trouble.value)
    assert "Ann" not in trouble.value.report
    assert told in str(trouble.value)
