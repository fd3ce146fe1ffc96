"""Wrong logins and certificates: one line each, soon, from the worker and from the commands."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.settings import load_settings
from tests.kafka.secured import Authority
from tests.support.worker import CHECKOUT, command_environment

pytestmark = pytest.mark.kafka

COMMANDS = [
    ("worker",),
    ("topics", "apply"),
    ("tail", "rubric_assessed", "--exit"),
    ("state", "verify"),
    ("dead-letters", "list"),
    ("show", "--user", "somebody"),
]

#: Seconds. The worker's start and nothing else would wait for a broker that may come up.
SOON = 30


def changed(settings, **values):
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load_settings(**given | values)


def ended(settings, command, folder):
    """Exit status and output of a command, and how long it took."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *command],
        env=command_environment(settings, MASTERY_STATE_DIR=str(folder / "-".join(command))),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("password", "refused the login of user 'worker'"),
        ("authority", "not signed by an authority trusted here"),
        ("host", "is for another name"),
        ("expired", "has expired"),
        ("no client certificate", "asks for a client certificate"),
    ],
)
def test_each_says_it_in_one_line(user, secured, tmp_path, wrong, words):
    settings = {
        "password": lambda: changed(user, sasl_password="a-wrong-one"),
        "authority": lambda: changed(user, tls_ca_file=Authority(tmp_path, "another").certificate),
        "host": lambda: changed(user, broker=secured.other_name),
        "expired": lambda: changed(user, broker=secured.expired),
        "no client certificate": lambda: changed(user, broker=secured.mutual),
    }[wrong]()
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda command: ended(settings, command, tmp_path), COMMANDS))
    for command, (status, output, seconds) in zip(COMMANDS, results, strict=True):
        *before, error, hint = output.strip().splitlines()
        assert (status, before) == (1, []), (command, output)
        assert error.startswith("error: "), (command, output)
        assert words in error, (command, output)
        assert hint.strip().startswith("-> "), (command, output)
        assert not {"a-wrong-one", secured.password} & set(output.split()), command
        assert seconds < SOON, command
