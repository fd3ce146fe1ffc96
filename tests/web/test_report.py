import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.stream.progress import Phase, Progress
from app.web.health import health_routes
from app.web.report import Group, Reports, WorkerReport


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def reports(clock):
    progress = Progress()
    progress.assigned(1, {("raw", 0): 0})
    progress.enter(Phase.RUNNING)
    report = WorkerReport(0.0, 1, "1.0", progress.snapshot(), Group("http://127.0.0.1:6066"))
    return Reports(report, lambda: clock[0])


def test_the_newest_report_counts(reports, clock):
    clock[0] = 3.0
    assert reports.age() == 3
    newer = WorkerReport(3.0, 1, "1.0", Progress().snapshot(), Group("http://127.0.0.1:6066"))
    reports.take(newer)
    assert (reports.latest(), reports.age()) == (newer, 0)


@pytest.mark.parametrize(
    ("age", "live", "ready"), [(0, 200, 200), (4, 200, 200), (7, 200, 503), (31, 503, 503)]
)
def test_a_worker_that_says_nothing_is_not_ready_and_later_not_alive(reports, clock, age, live, ready):
    clock[0] = age
    with TestClient(Starlette(routes=health_routes(reports))) as client:
        assert client.get("/live").status_code == live
        answer = client.get("/ready")
        assert answer.status_code == ready
        assert ("has not told of itself for" in (answer.json()["detail"] or "")) == (ready == 503)
