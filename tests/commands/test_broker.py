import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "app.cli", "broker"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_prints_its_address_and_ends_cleanly(number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        name, _, address = line.strip().partition(": ")
        assert name == "bootstrap"
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), timeout=5.0):
            pass
        process.send_signal(number)
        out, err = process.communicate(timeout=10.0)
        assert (process.returncode, out, err) == (0, "", "")
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0


def test_port_in_use_is_one_line_and_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--port", port], capture_output=True, text=True, cwd=CHECKOUT, timeout=20, check=False
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: port {port} is in use\n  -> ")
    assert "Traceback" not in done.stderr


def test_the_usual_port_in_use_means_the_next_one_and_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # in use already: as well
            taken.bind(("127.0.0.1", 9092))
            taken.listen()
        with subprocess.Popen(
            COMMAND,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
            env=os.environ | {"HOME": str(tmp_path)},
        ) as process:
            assert process.stdout is not None
            address = process.stdout.readline().strip().partition(": ")[2]
            process.terminate()
            err = process.communicate(timeout=10.0)[1]
    assert 9092 < int(address.rpartition(":")[2]) < 9192
    assert err == f"port 9092 is in use, so this is another: MASTERY_BROKER={address}\n"
    assert list(tmp_path.iterdir()) == []  # nothing in the home folder


def test_the_broker_dying_by_itself_ends_the_command_with_an_error() -> None:
    with subprocess.Popen(
        [*COMMAND, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(_broker_of(process.pid), signal.SIGKILL)
        _, err = process.communicate(timeout=10.0)
    assert process.returncode == 1
    assert err.startswith("error: the embedded broker ended by itself")


def _broker_of(pid: int) -> int:
    def children() -> list[int]:
        listing = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        )
        rows = (line.split(None, 2) for line in listing.stdout.splitlines())
        return [int(row[0]) for row in rows if row[1] == str(pid) and "tansu" in row[2]]

    return wait_until(children, timeout=5.0, what="the broker's process")[0]
