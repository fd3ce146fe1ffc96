from dataclasses import replace

import pytest

from app.stream.progress import Progress
from app.web.local.rates import Rates
from app.web.report import Group, WorkerReport


def report(at, events, *, pid=1, **counts):
    told = replace(Progress().snapshot(), events={"rubric_assessed": events}, **counts)
    return WorkerReport(at, pid, "1", told, Group("http://a"))


def test_a_rate_is_of_the_last_seconds():
    rates = Rates()
    assert (rates.raw(), rates.event("rubric_assessed")) == (0.0, 0.0)
    for second in range(60):
        rates.take(report(float(second), 10 * second if second < 40 else 400, dead_letters={"x": second}))
    assert rates.event("rubric_assessed") == 0.0
    assert rates.raw() == pytest.approx(1.0)
    assert rates.event("none") == 0.0


def test_a_worker_that_started_anew_begins_anew():
    rates = Rates()
    rates.take(report(1.0, 1000))
    rates.take(report(2.0, 0, pid=2))
    assert rates.raw() == 0.0
    rates.take(report(4.0, 6, pid=2))
    assert rates.raw() == 3.0
    rates.take(report(4.0, 6, pid=2))
    assert rates.raw() == 3.0
