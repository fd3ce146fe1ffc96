"""Whole runs: counts, problems, and runs that were cut off."""

import json

import pytest

from app.backfill.errors import BackfillError, Problem
from app.backfill.sinks import FileSink
from app.backfill.state import Progress, StateFile, fingerprint
from app.backfill.tally import Problems
from tests.backfill.running import ListSink, run
from tests.backfill.school import School, decoded, made_school

HEAD = "id,learning_outcome_id,user_uuid,score,context_id,created_at,updated_at\n"


def results(*lines):
    return HEAD + "".join(f"{line}\n" for line in lines)


def line(number, score=4, user="ann"):
    return f"{number},7,{user},{score},565,2026-01-12T08:00:00Z,2026-01-13T08:00:00Z"


def test_nothing_is_dropped_in_silence(tmp_path):
    (tmp_path / "r.csv").write_text(results(line(1), line(2, user=""), line(3, "x"), "4", line(5)))
    (tmp_path / "u.csv").write_text("id,uuid\n3,ann\n4,\n")
    (tmp_path / "t.csv").write_text("id,tag_type,content_type,content_id\n1,context_module,Assignment,9\n")
    events, made = run(tmp_path, root_account="root")
    assert len(events) == 2
    tally = made.tally.as_dict()
    assert tally == {
        "read": {"content_tags": 1, "learning_outcome_results": 5, "users": 2},
        "used": {"users": 1},
        "sent": {"learning_outcome_result_updated": 2},
        "sent_of": {"learning_outcome_results": 2},
        "skipped": {"content_tags not-an-outcome-link": 1},
        "problems": {
            "learning_outcome_results broken-row": 1,
            "learning_outcome_results no-student": 1,
            "learning_outcome_results wrong-type": 1,
            "users missing-field": 1,
        },
    }
    told = {(one.line, one.problem, one.field) for one in made.problems}
    assert told == {
        (3, Problem.NO_STUDENT, "user_id"),
        (4, Problem.WRONG_TYPE, "score"),
        (5, Problem.BROKEN_ROW, "1 fields where the head names 7"),
        (3, Problem.MISSING_FIELD, "uuid"),
    }


def test_strict_stops_at_the_first(tmp_path):
    (tmp_path / "r.csv").write_text(results(line(1), line(2, "x"), line(3)))
    sink = ListSink()
    with pytest.raises(BackfillError, match=r"r\.csv, line 3: wrong-type \(score\): "):
        run(tmp_path, root_account="root", strict=True, sink=sink)
    assert len(sink.events) == 1


def test_without_a_root_account_nothing_is_sent(tmp_path):
    (tmp_path / "r.csv").write_text(results(line(1)))
    with pytest.raises(BackfillError, match="root account is not known"):
        run(tmp_path)


def test_what_the_stream_would_refuse_is_not_sent(tmp_path):
    (tmp_path / "r.csv").write_text(results(line(1, user="x" * 2_000_000)))
    outcome = {"id": 7, "short_description": "T", "calculation_int": 1e300, "data": {"rubric_criterion": {}}}
    (tmp_path / "o.jsonl").write_text(json.dumps(outcome))
    events, made = run(tmp_path, root_account="root")
    assert events == []
    told = [(one.problem, one.field) for one in made.problems]
    assert told == [(Problem.REFUSED, "out-of-range at body.calculation_int"), (Problem.TOO_LARGE, "")]


def test_outcomes_that_many_pages_link_are_sent_once(tmp_path):
    outcome = {"id": "7", "title": "T", "mastery_points": 3, "points_possible": 5, "ratings": []}
    page = {"outcome_results": [], "linked": {"outcomes": [outcome]}}
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(page) + "\n" for _ in range(5)))
    events, made = run(tmp_path, root_account="root")
    assert len(events) == 1
    assert made.tally.skipped == {"learning_outcomes repeated": 4}


def test_a_bad_linked_outcome_does_not_take_the_results_of_its_page_with_it(tmp_path):
    result = {"id": 1, "score": 3, "links": {"user_uuid": "ann", "learning_outcome": 7}}
    page = {
        "course_id": 5,
        "outcome_results": [result, 17],
        "linked": {"outcomes": [{"id": 7}, 3], "users": 1},
    }
    (tmp_path / "p.json").write_text(json.dumps(page))
    events, made = run(tmp_path, root_account="root")
    assert len(events) == 1
    assert made.tally.skipped == {"learning_outcomes abbreviated": 1}
    assert made.tally.problems == {"learning_outcome_results missing-field": 1}


class Killed(BaseException):
    pass


class MortalSink(ListSink):
    """Dies at an event; what was taken since it settled may be lost, or not."""

    def __init__(self, dies_at):
        super().__init__()
        self._dies_at = dies_at

    def take(self, raw):
        if len(self.events) == self._dies_at:
            raise Killed
        super().take(raw)


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    deliveries = made_school(4, 700, accounts=1)
    school = School(deliveries, deliveries[0][1].root)
    school.write_tables(folder, "csv")
    school.write_rest(folder / "rest")
    with (folder / "learning_outcome_results.csv").open("a") as file:
        file.write("broken\n" * 20)
    return folder


@pytest.mark.parametrize("dies_at", [0, 1, 30, 200, 350])
def test_killed_and_called_again_it_goes_on(export, tmp_path, monkeypatch, dies_at):
    monkeypatch.setattr("app.backfill.run._ROWS", 7)
    whole, uncut = run(export)
    state, kept = StateFile(tmp_path / "state"), tmp_path / "problems"
    sink = MortalSink(dies_at)
    with pytest.raises(Killed):
        run(export, state=state, sink=sink, problems=Problems(kept))
    first = sink.events[: sink.safe]
    progress = state.load("") or Progress("")
    assert (progress.counts == {}) == (dies_at <= 1)
    # Lines that were written behind what is noted are of rows that come again.
    with kept.open("a") as file:
        file.write('{"file": "half of a li')
    rest, made = run(
        export, state=state, progress=progress, problems=(problems := Problems(kept, progress.problem_bytes))
    )
    problems.close()
    assert first + rest == whole
    assert made.tally.as_dict() == uncut.tally.as_dict()
    assert len(kept.read_text().splitlines()) == made.tally.problems.total() == 20
    assert all(decoded(raw) for raw in whole)


def test_a_state_is_that_of_its_work_alone(tmp_path):
    state = StateFile(tmp_path / "state")
    assert state.load("a") is None
    state.save(Progress("a", 2, 17, counts={"sent": {"x": 1}}))
    assert state.load("a") == Progress("a", 2, 17, counts={"sent": {"x": 1}})
    with pytest.raises(BackfillError, match="other files"):
        state.load("b")
    state.remove()
    (tmp_path / "state").write_text("{")
    with pytest.raises(BackfillError, match="no state"):
        state.load("a")


def test_a_changed_file_is_other_work(tmp_path):
    file = tmp_path / "a"
    file.write_text("1")
    before = fingerprint([file], "x")
    assert before == fingerprint([file], "x") != fingerprint([file], "y")
    file.write_text("12")
    assert fingerprint([file], "x") != before


def test_a_file_of_events_goes_on_where_it_was_safe(tmp_path):
    path = tmp_path / "events"
    sink = FileSink(path)
    sink.take(b"{1}")
    sink.settle()
    size = sink.size
    sink.take(b"{2, half")
    sink.close()
    sink = FileSink(path, size)
    sink.take(b"{3}")
    sink.close()
    assert path.read_bytes() == b"{1}\n{3}\n"
    with pytest.raises(BackfillError, match="shorter"):
        FileSink(path, 100)
    with pytest.raises(BackfillError, match="cannot be written"):
        FileSink(tmp_path / "no" / "events")


def test_no_problems_no_file(tmp_path):
    path = tmp_path / "problems"
    path.write_text("of an earlier run")
    Problems(path).close()
    assert not path.exists()
