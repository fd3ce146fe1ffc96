"""What a run leaves: figures, and of a failed one a report that a person can begin with."""

import json
from pathlib import Path

from tests.chaos.faults import RecoveryClock
from tests.chaos.record import RunRecord


def test_figures_and_timeline_are_in_the_file_also_of_a_failed_run(tmp_path: Path) -> None:
    record = RunRecord("kill-random", 7, part="flush", folder=tmp_path / "new")
    record.note("start worker")
    record.measure(fed=3)
    record.count(kills=1)
    record.count(kills=1, freezes=0)
    record.append(seconds_to_ready=1.23456)
    record.write("AssertionError: 1 lost", first_wrong="raw (0, 5)", logs={"worker": "the last line"})

    written = json.loads(record.file.read_text())
    assert record.file.name == "kill-random-flush-7.json"
    assert not written["passed"]
    assert written["figures"] == {"fed": 3, "kills": 2, "freezes": 0, "seconds_to_ready": [1.235]}
    assert [text for _, text in written["timeline"]] == ["start worker"]

    report = record.report_file.read_text()
    for told in ("kill-random flush, seed 7", "make chaos SCENARIO=kill-random SEED=7", "1 lost"):
        assert told in report
    for told in ("raw (0, 5)", "start worker", "the last line"):
        assert told in report


def test_a_run_that_passes_removes_the_report_of_one_that_did_not(tmp_path: Path) -> None:
    record = RunRecord("kill-random", 7, folder=tmp_path)
    record.write("failed")
    assert record.report_file.exists()
    record.write(None)
    assert not record.report_file.exists()
    assert json.loads(record.file.read_text())["passed"]


def test_recovery_lasts_until_more_is_committed_than_right_after_the_fault(tmp_path: Path) -> None:
    record = RunRecord("kill-random", 7, folder=tmp_path)
    clock = RecoveryClock(record)
    clock.saw({0: 5})
    clock.began({0: 5, 1: 2})
    clock.saw({0: 5, 1: 2})
    assert record.figures == {}
    clock.saw({0: 5, 1: 3})
    clock.saw({0: 9, 1: 9})
    assert len(record.figures["seconds_to_commit"]) == 1
