"""Several workers of one command: their environments, their lines, and how they end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.processes import environment_of
from app.settings import Settings
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[1]

#: A group of two, whose processes run the script given, with their numbers in NUMBER.
GROUP = """
import logging, os, sys
from app.processes import WorkerGroup
logging.basicConfig(format="%(message)s")
environments = [{**os.environ, "NUMBER": str(number)} for number in (1, 2)]
group = WorkerGroup([sys.executable, "-c", sys.argv[1]], environments, as_json=len(sys.argv) > 2)
sys.exit(group.run())
"""
#: Says its process id, then waits for SIGTERM and ends with the number given.
OBEDIENT = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("stopping", file=sys.stderr), sys.exit(%d)))
print("pid", os.getpid(), file=sys.stderr, flush=True)
time.sleep(60)
"""


@pytest.fixture
def base(tmp_path: Path) -> dict[str, Any]:
    return {"broker": "127.0.0.1:9", "state_dir": tmp_path}


def start(script: str, output: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with output.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-c", GROUP, script, *arguments], stderr=stream, cwd=ROOT, start_new_session=True
        )


def pids(output: Path) -> list[int]:
    """Of both processes, once both have said it."""
    wait_until(lambda: output.read_text().count("pid ") == 2, what="both run", timeout=20)
    return [
        int(line.rpartition(" ")[2]) for line in sorted(output.read_text().splitlines()) if "pid " in line
    ]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_each_worker_has_a_folder_of_its_own(base: dict[str, Any], tmp_path: Path) -> None:
    environ = {"mastery_state_dir": "elsewhere", "PATH": "/bin", "MASTERY_APP_ID": "x"}
    assert environment_of(Settings(**base), 2, environ) == {
        "MASTERY_STATE_DIR": str(tmp_path / "2"),
        "PATH": "/bin",
        "MASTERY_APP_ID": "x",
    }


def test_ports_that_were_chosen_go_up_by_one(base: dict[str, Any]) -> None:
    settings = Settings(**base, web_port=7000, web_advertised_url="http://worker:8000/path")
    assert [environment_of(settings, number, {})["MASTERY_WEB_PORT"] for number in (1, 3)] == ["7000", "7002"]
    assert environment_of(settings, 3, {})["MASTERY_WEB_ADVERTISED_URL"] == "http://worker:8002/path"


def test_any_free_port_stays_any_free_port(base: dict[str, Any]) -> None:
    assert "MASTERY_WEB_PORT" not in environment_of(Settings(**base, web_port=0), 2, {})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    output = tmp_path / "log"
    group = start(OBEDIENT % 0, output)
    children = pids(output)
    group.send_signal(number)
    assert group.wait(20) == 0
    assert all(map(gone, children))
    lines = output.read_text().splitlines()
    assert sorted(line for line in lines if "pid" not in line) == ["1 | stopping", "2 | stopping"]


def test_when_one_ends_the_others_do_and_its_status_is_told(tmp_path: Path) -> None:
    output = tmp_path / "log"
    script = f"import os, sys\nif os.environ['NUMBER'] == '2': sys.exit(3)\n{OBEDIENT % 0}"
    assert start(script, output).wait(20) == 3
    assert "worker 2 ended with status 3: the others are stopped" in output.read_text().splitlines()


def test_a_worker_that_was_killed_counts_as_shells_have_it(tmp_path: Path) -> None:
    output = tmp_path / "log"
    group = start(OBEDIENT % 0, output)
    os.kill(pids(output)[0], signal.SIGKILL)
    assert group.wait(20) == 128 + signal.SIGKILL
    assert "2 | stopping" in output.read_text().splitlines()


def test_a_worker_that_ends_badly_when_told_to_end_is_not_hidden(tmp_path: Path) -> None:
    output = tmp_path / "log"
    group = start(OBEDIENT % 4, output)
    pids(output)
    group.terminate()
    assert group.wait(20) == 4


def test_workers_do_not_outlive_what_started_them(tmp_path: Path) -> None:
    output = tmp_path / "log"
    group = start(OBEDIENT % 0, output)
    children = pids(output)
    group.kill()
    group.wait(20)
    wait_until(lambda: all(map(gone, children)), what="all are gone", timeout=20)


def test_json_lines_name_their_worker_and_others_stay_as_they_are(tmp_path: Path) -> None:
    output = tmp_path / "log"
    script = f'import sys\nsys.stderr.write(\'{{"level": "INFO"}}\\nplain\\n\')\n{OBEDIENT % 0}'
    group = start(script, output, "json")
    pids(output)
    group.terminate()
    assert group.wait(20) == 0
    lines = output.read_text().splitlines()
    assert lines.count("plain") == 2
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert sorted(one["worker"] for one in told) == [1, 2]
    assert {one["level"] for one in told} == {"INFO"}


def test_a_worker_that_is_told_to_end_before_it_listens_has_not_failed(tmp_path: Path) -> None:
    output = tmp_path / "log"
    group = start("import sys, time; print('pid', 0, file=sys.stderr, flush=True); time.sleep(60)", output)
    pids(output)
    group.terminate()
    assert group.wait(20) == 0
