import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.embedded.child import ChildProcess
from tests.support.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]


def _lives(pid: int) -> bool:
    """A zombie that nobody has waited for yet counts as ended."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def test_output_of_both_streams_is_kept_and_status_returned(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = ChildProcess(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], output=log)
    child.start()
    assert child.wait(10.0) == 3
    assert not child.running
    assert child.returncode == 3
    assert child.tail() == "out\nerr"
    assert log.read_text() == "out\nerr\n"


def test_output_without_a_file_and_only_the_last_lines() -> None:
    child = ChildProcess(["/bin/sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done"])
    child.start()
    child.wait(10.0)
    assert child.tail(2) == "line 4\nline 5"


def test_stop_ends_with_sigterm_and_a_stopped_process_too() -> None:
    for frozen in (False, True):
        child = ChildProcess(["sleep", "60"])
        child.start()
        if frozen:
            child.signal(signal.SIGSTOP)
        assert child.stop(timeout=5.0) == -signal.SIGTERM
        assert not child.running


def test_what_ignores_sigterm_is_killed() -> None:
    child = ChildProcess(["/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"])
    child.start()
    wait_until(lambda: "up" in child.tail(), timeout=5.0, what="the child to be up")
    assert child.stop(timeout=0.2) == -signal.SIGKILL


def test_it_can_be_started_again_but_not_twice() -> None:
    child = ChildProcess(["sleep", "60"])
    with child:
        first = child.pid
        with pytest.raises(RuntimeError, match="runs already"):
            child.start()
    with child:
        assert child.pid != first


def test_environment_is_replaced() -> None:
    child = ChildProcess(["/usr/bin/env"], env={"ONLY": "this"})
    child.start()
    child.wait(10.0)
    assert "ONLY=this" in child.tail()
    assert "HOME=" not in child.tail()


def test_no_such_program() -> None:
    with pytest.raises(FileNotFoundError):
        ChildProcess(["/no/such/program"]).start()


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)", "sys.exit(0)"])
def test_child_and_its_children_end_with_the_parent(end: str) -> None:
    code = f"""
import os, signal, sys, time
from app.embedded.child import ChildProcess
child = ChildProcess(["/bin/sh", "-c", "sleep 60 & echo $!; wait"])
child.start()
while not child.tail():
    time.sleep(0.01)
print(child.pid, child.tail(), flush=True)
{end}
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, cwd=CHECKOUT, check=False
    )
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2, done
    wait_until(
        lambda: not any(_lives(pid) for pid in pids), timeout=5.0, what="the child and its child to end"
    )


def test_no_guard_is_left() -> None:
    before = _guards()  # the broker of the run may have one
    with ChildProcess(["sleep", "60"]):
        assert _guards() == before + 1
    assert _guards() == before


def _guards() -> int:
    """Count this process's children that are guards."""
    listing = subprocess.run(
        ["ps", "-ww", "-eo", "ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    own = (line for line in listing.splitlines() if line.split()[0] == str(os.getpid()))
    return sum("read -r _" in line for line in own)
