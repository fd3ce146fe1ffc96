import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.definitions.lookup import DefinitionCounts
from app.settings import Settings
from app.stream.progress import Phase, Progress
from app.web.process import WebProcess
from app.web.security.audit import AuditFileUnusable
from tests.support.waiting import wait_until

#: A process that has a web process, tells its address and both ids, and then waits.
WORKER = """
import os, sys, time
from app.settings import Settings
from app.stream.progress import Progress
from app.web.process import WebProcess
from app.web.security.audit import AuditFileUnusable
web = WebProcess(Settings(web_port=0), Progress())
web.start()
while web.pid is None: time.sleep(0.01)
print(web.url, web.pid, flush=True)
time.sleep(60)
"""


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture(scope="module")
def progress():
    return Progress()


@pytest.fixture(scope="module")
def web(progress):
    web = WebProcess(Settings(web_port=0), progress, expected={"events": ["rubric_assessed"]})
    web.start()
    yield web
    web.stop()


def test_requests_wait_for_it_from_the_first_moment_on(web, progress):
    assert httpx.get(f"{web.url}/health/live", timeout=10).json() == {"live": True, "phase": "starting"}


def test_it_is_told_how_the_worker_stands(web, progress, catalogue):
    assert httpx.get(f"{web.url}/registry/subjects").status_code == 503
    web.serve_schemas(catalogue)
    web.tell_definitions(lambda: DefinitionCounts(7, 1, 3, 2, ()))
    progress.enter(Phase.RESTORING, "why it waits")
    wait_until(
        lambda: httpx.get(f"{web.url}/health/ready").json()["detail"] == "why it waits",
        timeout=3,
        what="the new phase",
    )
    wait_until(
        lambda: "mastery_definitions" in httpx.get(f"{web.url}/metrics").text, timeout=8, what="counts"
    )
    assert httpx.get(f"{web.url}/registry/subjects").json() == catalogue.subjects()


def test_the_metrics_are_of_both_processes(web):
    told = httpx.get(f"{web.url}/metrics").text
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }
    assert 'mastery_events_total{event="rubric_assessed"} 0.0' in told
    worker, own = (found[f"{prefix}process_resident_memory_bytes"] for prefix in ("", "mastery_web_"))
    for pid, told_bytes in ((os.getpid(), worker), (web.pid, own)):
        now = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        assert told_bytes == pytest.approx(now, rel=0.2)


def test_no_other_site_is_let_in_and_no_software_is_named(web):
    answer = httpx.get(f"{web.url}/health/live", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "server" not in answer.headers


def test_a_busy_worker_does_not_hold_it_up(web):
    # Pure Python that never gives way by itself, as an event loop in the middle of a batch.
    times: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        httpx.get(f"{web.url}/health/live").raise_for_status()
        times.append(time.monotonic() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    while asking.is_alive():
        sum(range(1000))
    assert times[0] < 2


def test_the_stream_comes_first(web):
    assert os.getpriority(os.PRIO_PROCESS, web.pid) > os.getpriority(os.PRIO_PROCESS, 0)


def test_signals_to_the_group_are_the_workers_to_follow(web):
    before = web.pid
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(before, number)
    time.sleep(0.3)
    assert httpx.get(f"{web.url}/health/live").status_code == 200
    assert web.pid == before


def test_killed_it_is_started_again_at_the_same_address(web, caplog):
    before = web.pid
    os.kill(before, signal.SIGKILL)
    assert httpx.get(f"{web.url}/health/live", timeout=10).status_code == 200
    assert web.pid != before
    assert caplog.messages == ["the web process has ended (exit status -9); it is started again"]


def test_what_was_told_before_is_told_again(web, catalogue):
    wait_until(
        lambda: httpx.get(f"{web.url}/registry/subjects").status_code == 200, timeout=3, what="schemas"
    )


def test_stop_ends_it_with_an_idle_connection_and_frees_the_port():
    web = WebProcess(Settings(web_port=0), Progress())
    web.start()
    port = web.port
    httpx.get(f"{web.url}/health/live", timeout=10)
    pid = web.pid
    with socket.create_connection(("127.0.0.1", port)):
        began = time.monotonic()
        web.stop()
        web.stop()
        assert time.monotonic() - began < 4
    assert gone(pid)
    again = WebProcess(Settings(web_port=port), Progress())
    again.start()
    again.stop()


def test_a_start_that_fails_at_once_does_not_wait_for_it():
    web = WebProcess(Settings(web_port=0), Progress())
    web.start()
    wait_until(lambda: web.pid, timeout=5, what="the process")
    pid, began = web.pid, time.monotonic()
    web.stop()
    assert time.monotonic() - began < 1
    assert gone(pid)


def test_a_stopped_process_does_not_hold_up_the_end():
    web = WebProcess(Settings(web_port=0), Progress())
    web.start()
    httpx.get(f"{web.url}/health/live", timeout=10)
    os.kill(web.pid, signal.SIGSTOP)
    pid = web.pid
    web.stop()
    assert gone(pid)


@pytest.mark.parametrize("early", [True, False], ids=["while it starts", "while it serves"])
def test_it_ends_with_a_worker_that_is_killed(early):
    with subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True) as worker:
        url, pid = worker.stdout.readline().split()
        if not early:
            httpx.get(f"{url}/health/live", timeout=10).raise_for_status()
        worker.kill()
    wait_until(lambda: gone(int(pid)), timeout=2 if not early else 5, what="the end of the web process")


def test_what_keeps_it_from_serving_ends_the_start(tmp_path):
    web = WebProcess(Settings(web_port=0, web_audit_file=tmp_path / "missing" / "audit.log"), Progress())
    with pytest.raises(AuditFileUnusable):
        web.start()
