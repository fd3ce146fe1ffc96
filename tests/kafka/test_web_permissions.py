"""Pages and API of a worker that may not read all topics: each says what lacks, none fails or hangs."""

import http.client
import json
import time

import pytest

from app.access.grants import Grant
from app.embedded.samples import sample_events
from app.reference.permissions import roles
from app.topics import load_catalogue
from tests.kafka.site import mastery
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess

pytestmark = pytest.mark.kafka

#: What the stream itself reads at a start and no more: without these, a worker goes on.
TAKEN_AWAY = ("dead-letter", "rubric_assessed", "outcome_mastery", "schemas")

PATHS = [
    "",
    "status",
    "topics",
    *(f"topics/{name}" for name in (*TAKEN_AWAY, "dead-letter-replays", "live-events")),
    "dead-letters",
    "dead-letters/0/0",
    "outcomes",
    "courses",
]

#: Seconds. A page waits for two at most; the machine may be busy.
SOON = 20


@pytest.fixture(scope="module")
def worker(site, secured, tmp_path_factory):
    """A worker with its role, which has read all there is."""
    settings = site.user
    secured.grant_only(_role(settings))
    mastery(site.administrator, "send", "-", given=b"\n".join(it.raw for it in sample_events()))
    mastery(site.administrator, "send", "--lines", "-", given=b"broken\n")
    with WorkerProcess(settings, tmp_path_factory.mktemp("worker")) as running:
        running.wait_ready(60)
        mastery(site.administrator, "status", "--wait-idle", "60")
        yield running


def _role(settings):
    return next(list(one.grants) for one in roles(settings, load_catalogue(settings)) if one.user == "worker")


def ask(worker, path, *, page):
    """Status, content and the seconds that it took."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(worker.url.removeprefix("http://"), timeout=30)
    try:
        connection.request("GET", path, headers={"Accept": "text/html" if page else "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), time.monotonic() - began
    finally:
        connection.close()


def test_every_page_and_answer_is_one_or_names_the_permission_that_lacks(worker, site, secured):
    settings = site.user
    taken = {name: Grant("Read", "topic", f"{settings.topic_prefix}{name}") for name in TAKEN_AWAY}
    secured.grant_only(set(_role(settings)) - set(taken.values()))
    time.sleep(3.5)  # what was found out before is kept for three seconds
    needs = {f"topics/{name}": grant for name, grant in taken.items()}
    needs |= dict.fromkeys(("dead-letters", "dead-letters/0/0"), taken["dead-letter"])
    for path in PATHS:
        for page in (True, False):
            address = f"/{path}" if page else f"/api/{path or 'overview'}"
            status, content, seconds = ask(worker, address, page=page)
            assert seconds < SOON, address
            if "has not answered within" in content:  # a busy machine: it goes on finding out
                time.sleep(2)
                status, content, seconds = ask(worker, address, page=page)
            if path not in needs:
                assert status == 200, (address, content)
                continue
            assert status == 503, (address, content)
            assert f"no Read on topic {needs[path].name}" in content
            assert f"--allow-principal User:worker --operation Read --topic {needs[path].name}" in content
            if not page:
                assert json.loads(content)["title"] == "Kafka does not let this worker read it"
    assert worker.running
    assert "Traceback" not in worker.log_file.read_text(encoding="utf-8")


def test_without_what_it_can_do_without_a_worker_shows_the_rest(worker, site, secured):
    """Its role has no DescribeConfigs, and no Read on the marks of replayed dead letters."""
    secured.grant_only(_role(site.user))
    wait_until(lambda: ask(worker, "/api/dead-letters", page=False)[0] == 200, timeout=20, what="the letters")
    answer = json.loads(ask(worker, "/api/topics/live-events", page=False)[1])
    assert answer["configs"]["retention.ms"] == str(14 * 24 * 60 * 60 * 1000)
    assert answer["records"]
