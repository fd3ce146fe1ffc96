import asyncio
import json
import logging
import stat
import threading
from dataclasses import replace

import pytest

from app.web.models.mastery import MasteryQuery
from app.web.models.stream import DeadLetterQuery
from app.web.problems import Forbidden, NotFound
from app.web.security import audit as audit_module
from app.web.security.audit import Audit, AuditFileUnusable
from app.web.security.audited import AuditedAnswers
from app.web.security.guarded import GuardedAnswers
from app.web.security.viewer import LOCAL, Role, Viewer
from tests.web.fake_school import COURSES
from tests.web.fakes import FakeAnswers

ANN = Viewer("Ann\n\u2028Ü", Role.VIEWER, client="203.0.113.9", path="/users/x")
GROUPS = replace(ANN, role=Role.AGGREGATE)


@pytest.fixture
def told(tmp_path):
    """Ask, and get the lines that the audit file holds afterwards."""
    file = tmp_path / "audit.jsonl"

    def ask(method, *arguments, viewer=ANN, fake=None, **more):
        audit = Audit(file, clock=lambda: 1_790_000_000.25)
        answers = AuditedAnswers(GuardedAnswers(fake or FakeAnswers()), audit)
        try:
            asyncio.run(getattr(answers, method)(viewer, *arguments, **more))
        finally:
            audit.stop()
        text = file.read_text()
        assert text.count("\n") == len(text.split("\n")) - 1
        return [json.loads(line) for line in text.split("\n")[:-1]]

    return ask


def test_who_looked_at_which_student_when_from_where(told):
    student = FakeAnswers().first_student()
    assert told("student", student) == [
        {
            "time": "2026-09-21T14:13:20.250Z",
            "login": "Ann\n\u2028Ü",
            "role": "viewer",
            "client": "203.0.113.9",
            "path": "/users/x",
            "student": student,
            "outcome": "shown",
        }
    ]


def test_looks_that_were_refused_are_told_too(told, tmp_path):
    with pytest.raises(NotFound):
        told("student", "nobody")
    with pytest.raises(Forbidden):
        told("student", "somebody", viewer=GROUPS)
    with pytest.raises(Forbidden):
        told("mastery", MasteryQuery(user="u"), viewer=GROUPS)
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(line.get("student"), line["outcome"]) for line in lines] == [
        ("nobody", "NotFound"),
        ("somebody", "Forbidden"),
        (None, "Forbidden"),
    ]
    assert lines[2]["filters"] == ["user"]


def test_lists_are_told_by_their_number_and_the_names_of_filters(told):
    course = next(iter(COURSES))
    (line,) = told("mastery", MasteryQuery(course=course, outcome="e", limit=40))
    assert (line["rows"], line["filters"]) == (40, ["course", "outcome"])
    assert course not in json.dumps(line)
    assert "student" not in line


def test_a_list_of_one_students_rows_is_a_look_at_the_student(told):
    student = FakeAnswers().first_student()
    (line,) = told("mastery", MasteryQuery(user=student))
    assert (line["student"], line["filters"]) == (student, ["user"])
    assert line["rows"] > 1


def test_grids_near_mastery_and_changes_name_students(told):
    fake = FakeAnswers()
    told("course", next(iter(COURSES)), fake=fake)
    told("outcome", next(iter(fake.school.outcomes)), fake=fake)
    letter = asyncio.run(fake.dead_letters(LOCAL, DeadLetterQuery())).letters[0]
    told("dead_letter", letter.partition, letter.offset, viewer=replace(LOCAL, path="/dead-letters"))
    lines = told("overview")
    assert [line["filters"] for line in lines[:3]] == [["course"], ["outcome"], ["dead letter"]]
    assert all(line["rows"] for line in lines)


def test_a_part_for_another_worker_is_told_by_that_one(told):
    student = FakeAnswers().first_student()
    assert told("student", student, local=True) == []
    assert told("mastery", MasteryQuery(), local=True) == []
    assert told("course", next(iter(COURSES)), local=True) == []
    assert told("overview", local=True) == []


def test_answers_without_students_are_not_told(told):
    for method in ("outcomes", "courses", "topics", "status"):
        assert told(method) == []
    assert told("dead_letters", DeadLetterQuery()) == []


def test_only_its_owner_reads_the_file(tmp_path):
    Audit(tmp_path / "audit").stop()
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_ends_the_start(tmp_path):
    with pytest.raises(AuditFileUnusable, match="MASTERY_WEB_AUDIT_FILE") as caught:
        Audit(tmp_path / "no folder" / "audit")
    assert caught.value.exit_code == 2


def test_without_a_file_lines_go_to_the_log(caplog):
    caplog.set_level(logging.INFO, "mastery.audit")
    audit = Audit()
    audit.student(ANN, "someone")
    audit.stop()
    (record,) = caplog.records
    assert (record.name, json.loads(record.getMessage())["student"]) == ("mastery.audit", "someone")


def test_a_file_that_was_moved_away_is_made_anew(tmp_path):
    file = tmp_path / "audit"
    first = Audit(file)
    first.student(ANN, "one")
    first.stop()
    file.rename(tmp_path / "audit.1")
    second = Audit(tmp_path / "audit")
    second.student(ANN, "two")
    second.stop()
    assert "two" in file.read_text()
    assert "one" in (tmp_path / "audit.1").read_text()


def test_a_disk_that_hangs_holds_nobody_up_and_lost_lines_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_module, "_MOST", 100)
    file, go = tmp_path / "audit", threading.Event()
    audit = Audit(file)
    real = audit_module._append
    monkeypatch.setattr(audit_module, "_append", lambda *given: go.wait(10) and real(*given))
    for number in range(1_000):
        audit.student(ANN, str(number))
    go.set()
    audit.stop()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lost = sum(line.get("lost", 0) for line in lines)
    assert lost >= 1
    assert lost + sum("student" in line for line in lines) == 1_000


def test_a_full_disk_sends_lines_to_the_log(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    audit = Audit(tmp_path / "audit")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit_module, "_append", full)
    audit.student(ANN, "someone")
    audit.stop()
    assert [record.name for record in caplog.records] == ["app.web.security.audit", "mastery.audit"]
    assert "someone" not in caplog.messages[0]
