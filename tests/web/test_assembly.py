import pytest
from starlette.testclient import TestClient

from app.settings import load_settings
from app.stream.progress import Phase, Progress
from app.web.application import build_application
from app.web.assembly import assemble
from app.web.report import Group, Reports, WorkerReport
from app.web.site import Site
from tests.support.ports import stable_port

URL = "http://127.0.0.1:6066"


@pytest.fixture
def settings(tmp_path):
    # Nobody listens there: what needs no broker is answered all the same.
    return load_settings(state_dir=tmp_path, broker=f"127.0.0.1:{stable_port()}")


@pytest.fixture
def progress():
    return Progress()


@pytest.fixture
def reports(progress):
    return Reports(WorkerReport(0.0, 1, "1.0", progress.snapshot(), Group(URL)))


@pytest.fixture
def site(settings, reports):
    site = Site(settings, reports, reports.latest)
    assemble(site)
    yield site
    site.close()


@pytest.fixture
def client(site):
    with TestClient(build_application(site), base_url=URL) as client:
        yield client


def tell(site, reports, progress, partitions):
    topic = site.settings.result_topics[0]
    group = Group(URL, {URL: {topic: partitions}})
    report = WorkerReport(1.0, 1, "1.0", progress.snapshot(), group)
    reports.take(report)
    site.take(report)


def test_nobody_is_said_to_be_unknown_before_all_rows_are_there(client, site, reports, progress):
    # Before the group is joined.
    for path in ("/api/users/nobody", "/api/users/nobody?account=a", "/api/courses/1"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), path
    (worker,) = client.get("/api/status").json()["freshness"]["workers"]
    assert (worker["name"], worker["state"]) == ("127.0.0.1:6066", "restoring")
    # While rows are restored.
    progress.enter(Phase.RESTORING, "restoring 2 partitions of state")
    tell(site, reports, progress, (0, 1))
    assert client.get("/api/users/nobody?account=a").status_code == 503
    # While they are read for the view.
    progress.assigned(1, {(site.settings.result_topics[0], partition): 0 for partition in (0, 1)})
    progress.enter(Phase.RUNNING)
    tell(site, reports, progress, (0, 1))
    assert client.get("/api/users/nobody").status_code == 503
    (worker,) = client.get("/api/mastery").json()["freshness"]["workers"]
    assert worker["state"] == "restoring"
    assert [one["partition"] for one in worker["partitions"]] == [0, 1]
    assert all(one["restoring"] for one in worker["partitions"])
