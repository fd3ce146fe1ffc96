import csv
import io
import json

import pytest

from tests.compare.world import page, rollup, write_json
from tests.mastery.events import outcome, result
from tests.support.changelog import make_changelog, rows_as_stored, write_rows

EVENTS = [
    outcome("average", title="=Reads maps"),
    result(id="1", score=4.0, percent=0.8),
    result(id="2", score=1.0, percent=0.2),
    result(id="3", user_uuid="other", percent=0.4),
]


@pytest.fixture
def rows(some_topics):
    make_changelog(some_topics)
    write_rows(some_topics, rows_as_stored(EVENTS))


@pytest.fixture
def users(tmp_path):
    path = tmp_path / "users.csv"
    path.write_text("id,uuid,name\n10,student,Ann\n11,other,Ben\n")
    return path


@pytest.fixture
def canvas(tmp_path):
    """Canvas's answer: of the first student it does not count result 2."""
    answer = page(rollup("10", {"7": (4, 1)}), rollup("11", {"7": (2, 1)}))
    return write_json(tmp_path / "rollups.json", answer)


# One test, as making the topics takes longer than all else.
@pytest.mark.usefixtures("rows")
def test_scores_are_compared(mastery, canvas, users, tmp_path, monkeypatch):
    done = mastery("compare", canvas, "--users", users)
    assert (done.status, done.err) == (1, "")
    for text in (
        "different: student student, outcome 7 =Reads maps",
        "Canvas  4 (1 result)",
        "here    2.5 (2 results)",
        "mean: (4 + 1) / 2 = 2.5",
        "why     equal without result 2:",
        "course 565: 2 scores of 2 students on 1 outcomes",
    ):
        assert text in done.out
    assert "Ann" not in done.out

    done = mastery("compare", canvas, "--users", users, "--json")
    different, totals = map(json.loads, done.out.splitlines())
    assert (different["state"], different["canvas"]["score"], different["here"]["score"]) == (
        "different",
        4,
        2.5,
    )
    assert [one["id"] for one in different["results"]] == ["1", "2"]
    assert (totals["compared"], totals["equal"], totals["different"], done.status) == (2, 1, 1, 1)

    done = mastery("compare", canvas, "--users", users, "--csv")
    lines = list(csv.DictReader(io.StringIO(done.out)))
    assert [(line["state"], line["user_uuid"]) for line in lines] == [
        ("different", "student"),
        ("equal", "other"),
    ]
    assert lines[0]["outcome_title"] == "'=Reads maps"

    same = write_json(
        tmp_path / "same.json", page(rollup("10", {"7": (2.5, 2)}), rollup("11", {"7": (2, 1)}))
    )
    assert mastery("compare", same, "--users", users).status == 0

    roster = tmp_path / "roster.csv"
    roster.write_text("kind,id,name,canvas_id\nuser,student,Ann,10\nuser,other,Ben,11\n")
    monkeypatch.setenv("MASTERY_WEB_ROSTER", str(roster))
    assert mastery("compare", same).status == 0

    lacking = write_json(tmp_path / "lacking.json", page(rollup("10", {"7": (2.5, 2)}), pages=2))
    done = mastery("compare", lacking, "--users", users)
    assert done.status == 1
    assert "the files have 1 of 2 pages" in done.err
    assert "not in these files: 1" in done.out


def test_trouble_is_two(mastery, canvas, users, tmp_path, monkeypatch):
    for arguments, told in (
        ((canvas, "--users", users), "has no topic"),
        ((users, "--users", users), "no export of the Learning Mastery Gradebook"),
        ((users, canvas), "some files are CSV"),
        ((canvas, "--users", users, "--course", "5"), "they name 565"),
        ((canvas,), "nothing tells which uuid"),
        ((write_json(tmp_path / "p.json", {"rollups": []}),), "do not say which course"),
    ):
        done = mastery("compare", *arguments)
        assert (done.status, told in done.err) == (2, True), done.err
    assert mastery("compare", canvas, "--json", "--csv").status == 2
    assert mastery("compare").status == 2
    monkeypatch.setenv("MASTERY_BROKER", "127.0.0.1:1")
    assert mastery("compare", canvas).status == 2
