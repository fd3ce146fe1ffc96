"""Wrong logins and certificates: one line each, at once, from every command that talks to Kafka."""

import subprocess
import sys
import time
from collections.abc import Iterator

import click
import pytest

from app.checks import run_checks
from app.cli import cli
from app.connection import connect
from app.errors import MasteryError
from app.kafka import BrokerFailure
from app.settings import Settings
from app.topics import load_catalogue
from tests.kafka.secured import Authority
from tests.kafka.site import changed, mastery
from tests.support.worker import CHECKOUT, command_environment

pytestmark = pytest.mark.kafka

#: Each command that talks to Kafka, as somebody calls it. `{file}` is a file that there is.
COMMANDS = {
    "topics apply": (),
    "topics check": (),
    "schemas list": (),
    "schemas check": (),
    "schemas register": (),
    "generate": ("--events", "1", "--send"),
    "send": ("{file}",),
    "backfill": ("{file}", "--kind", "outcome_results"),
    "tail": ("rubric_assessed", "--exit"),
    "status": (),
    "show": ("--user", "somebody"),
    "raw inspect": (),
    "dead-letters list": (),
    "dead-letters show": ("0:0",),
    "dead-letters replay": (),
    "state export": (),
    "state verify": (),
    "state rebuild": ("--yes",),
    "forget": ("somebody", "--yes"),
}

#: These need no Kafka, start one of their own, stay (`worker` is tried below), or end with a status of their
#: own (`compare`).
OTHERS = {
    "broker",
    "compare",
    "demo",
    "receive https",
    "receive sqs",
    "schemas export",
    "settings",
    "state reset",
    "topics list",
    "web-token",
    "web-user",
    "worker",
}

#: Seconds. A start of the worker, and nothing else, would wait for a broker that may come up.
SOON = 20

FAULTS = {
    "password": "refused the login of user 'worker'",
    "authority": "not signed by an authority trusted here",
    "host": "is for another name",
    "expired": "has expired",
    "no client certificate": "asks for a client certificate",
    "in the clear": "closes the connection at once",
}


@pytest.fixture(params=FAULTS)
def fault(request, user, secured, tmp_path) -> tuple[Settings, str]:
    """Settings that are wrong in one way, and what says so."""
    wrong = {
        "password": {"sasl_password": "a-wrong-one"},
        "authority": {"tls_ca_file": Authority(tmp_path, "another").certificate},
        "host": {"broker": secured.other_name},
        "expired": {"broker": secured.expired},
        "no client certificate": {"broker": secured.mutual},
        "in the clear": dict.fromkeys(
            ("security_protocol", "sasl_mechanism", "sasl_username", "sasl_password", "tls_ca_file")
        ),
    }[request.param]
    return changed(user, **wrong), FAULTS[request.param]


def assert_one_line(error: MasteryError, words: str, secret: str) -> None:
    assert words in str(error)
    assert error.hint
    assert "MASTERY_" in error.hint
    assert "\n" not in str(error) + error.hint
    assert secret not in error.report
    assert "a-wrong-one" not in error.report


def test_every_command_says_it_in_one_line(fault, secured, tmp_path):
    settings, words = fault
    file = tmp_path / "events.json"
    file.write_text("{}")
    for command, options in COMMANDS.items():
        began = time.monotonic()
        with pytest.raises(BrokerFailure) as caught:
            mastery(settings, *command.split(), *(it.format(file=file) for it in options))
        assert time.monotonic() - began < SOON, command
        assert_one_line(caught.value, words, secured.password)


def test_the_workers_start_says_it_in_one_line(fault, secured):
    settings, words = fault
    said: list[str] = []
    with pytest.raises(MasteryError) as caught:
        run_checks(
            settings,
            load_catalogue(settings),
            transactional_id="t",
            deadline=time.monotonic(),
            say=said.append,
        )
    assert_one_line(caught.value, words, secured.password)
    assert said == []


def test_no_command_is_left_out():
    assert {*commands(cli)} == {*COMMANDS, *OTHERS}


def commands(group: click.Group, *path: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name))


@pytest.mark.parametrize("command", [("worker",), ("status",)], ids=" ".join)
def test_that_line_and_what_to_do_is_all_that_is_printed(user, secured, tmp_path, command):
    settings = changed(user, sasl_password="a-wrong-one")
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *command],
        env=command_environment(settings, MASTERY_STATE_DIR=str(tmp_path / "state")),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    error, hint = (done.stdout + done.stderr).strip().splitlines()
    assert done.returncode == 1
    assert error == f"error: the broker at {secured.tls} refused the login of user 'worker'"
    assert hint.startswith("  -> check MASTERY_SASL_USERNAME")


def test_what_is_right_is_let_in(user):
    connect(user)
