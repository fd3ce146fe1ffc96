import pytest

from app.schemas.contract import load_contract
from app.schemas.encoder import compile_encoder
from bench.live import Arrival, Live, latencies, percentiles
from bench.mastery_workload import typed_records
from bench.measure import RunFailed
from bench.workload import RESULT_EVENT

LOAD = Live(rate=10, seconds=0.6, rows=2)
BEGIN = 100.0


def typed(number, at):
    ((key, value),) = typed_records(RESULT_EVENT, [LOAD.event(number)])
    return Arrival(at, True, key, value)


def row(number, count, at):
    schema = load_contract().derived["outcome_mastery"].schema
    account, user, outcome = LOAD.key(number).decode().split(":")
    names = [field["name"] for field in schema["fields"]]
    values = dict.fromkeys(names)
    values |= {
        "root_account_uuid": account,
        "user_uuid": user,
        "learning_outcome_id": outcome,
        "results_count": count,
        "definition_state": "known",
        "courses": [],
        "event_id": "e",
    }

    class Row:
        def __init__(self):
            for name in names:
                setattr(self, name, values[name])

    return Arrival(at, False, LOAD.key(number), compile_encoder(schema, 1).encode(Row()))


def arrivals():
    due = [BEGIN + number / LOAD.rate for number in range(LOAD.events)]
    records = [typed(number, at + 0.01 * (number + 1)) for number, at in enumerate(due)]
    # The first row shows its first result alone, then two at once; the other one all three at once.
    rows = [row(0, 1, due[0] + 0.5), row(0, 3, due[4] + 0.5), row(1, 3, due[5] + 0.5)]
    return records + rows


def test_latency_counts_from_when_an_event_was_due_and_a_row_from_its_first_record_with_the_result_in_it():
    records, rows = latencies(LOAD, BEGIN, arrivals())
    assert records == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    # Event 2 waits for event 4's record, 1 and 3 for that of 5.
    assert rows == pytest.approx([0.5, 0.9, 0.7, 0.7, 0.5, 0.5])


@pytest.mark.parametrize("lost", [0, -1])
def test_a_missing_record_makes_the_run_void(lost):
    left = arrivals()
    del left[lost]
    with pytest.raises(RunFailed, match="missing"):
        latencies(LOAD, BEGIN, left)


def test_a_second_record_of_a_result_makes_the_run_void():
    with pytest.raises(RunFailed, match="twice"):
        latencies(LOAD, BEGIN, [*arrivals(), typed(3, BEGIN + 9)])


def test_more_results_than_were_sent_make_the_run_void():
    with pytest.raises(RunFailed, match="more results"):
        latencies(LOAD, BEGIN, [*arrivals(), row(1, 4, BEGIN + 9)])


def test_percentiles_are_milliseconds():
    found = percentiles([number / 1000 for number in range(1000)])
    assert (found["p50"], found["p99"], found["p999"], found["max"]) == (500.0, 990.0, 999.0, 999.0)
