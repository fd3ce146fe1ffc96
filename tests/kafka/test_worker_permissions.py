"""A worker asks for each of its permissions at its start; once one is gone, it ends in one line."""

import time
from pathlib import Path

import pytest

from app.access.asking import ask
from app.access.grants import Grant
from app.access.tasks import worker as worker_task
from app.checks import retry_until
from app.connection import connect
from app.embedded.samples import sample_events
from app.reference.permissions import roles
from app.sender import EventSender
from app.settings import Settings
from app.topics import TopicAdmin, apply, load_catalogue
from tests.kafka.site import Site
from tests.support.worker import WorkerProcess

pytestmark = pytest.mark.kafka

#: One for each way in which Kafka refuses: records to write, records to read, the group, transactions; and
#: all that is read, by the stream and by those who follow definitions.
TAKEN_AWAY = {
    "write": ("Write", "topic", ["rubric_assessed"]),
    "read": ("Read", "topic", ["mastery-commands"]),
    "group": ("Read", "group", ["mastery-stream"]),
    "transactions": ("Write", "transactional-id", ["mastery-stream."]),
    "definitions": ("Read", "topic", ["learning_outcome_created", "learning_outcome_updated"]),
}


def worker_role(settings: Settings) -> list[Grant]:
    return next(
        list(role.grants) for role in roles(settings, load_catalogue(settings)) if role.user == "worker"
    )


def test_a_start_asks_for_each_of_them(user, secured):
    """What is made of the answer, and of refused transactions, tests/checks shows."""
    role, catalogue = worker_role(user), load_catalogue(user)
    assert set(role) == set(worker_task(user, catalogue).grants)
    secured.grant_only(role)
    connection = connect(user)
    asked = [grant for grant in role if grant.resource != "transactional-id"]
    # A new cluster has no coordinator of groups at first.
    deadline = time.monotonic() + 30
    assert retry_until(deadline, lambda: ask(connection, user, asked), print).missing == ()
    for grant in asked:
        secured.grant_only({*role} - {grant})
        assert ask(connection, user, asked).missing == (grant,)


@pytest.fixture(scope="module")
def ended(secured, authority, tmp_path_factory) -> dict[str, tuple[int, str, Settings, list[Grant]]]:
    """Exit status and log of workers that lost a permission while they ran, all at the same time."""
    folder = tmp_path_factory.mktemp("workers")
    sites = {name: Site.at(secured, authority, f"without-{name}.", folder) for name in TAKEN_AWAY}
    taken: dict[str, list[Grant]] = {}
    granted: list[Grant] = []
    for name, site in sites.items():
        apply(load_catalogue(site.administrator), TopicAdmin(site.administrator))
        operation, resource, names = TAKEN_AWAY[name]
        whole = {f"{site.user.topic_prefix}{one}" for one in names}
        role = worker_role(site.user)
        taken[name] = [
            it for it in role if (it.operation, it.resource) == (operation, resource) and it.name in whole
        ]
        assert len(taken[name]) == len(names)
        granted += role
    secured.grant_only(granted)
    workers = {name: WorkerProcess(site.user, folder, name=name) for name, site in sites.items()}
    try:
        for worker in workers.values():
            worker.start()
        for worker in workers.values():
            worker.wait_ready(60)
        secured.grant_only({*granted} - {grant for one in taken.values() for grant in one})
        for site in sites.values():
            _send_all(site.administrator)
        return {
            name: (worker.wait(60), _output(worker.log_file), sites[name].user, taken[name])
            for name, worker in workers.items()
        }
    finally:
        for worker in workers.values():
            worker.kill()


def _send_all(settings: Settings) -> None:
    events = EventSender(settings, settings.raw_topic_name)
    for sample in sample_events():
        events.send(sample.raw)
    events.send(b"broken")
    events.finish()


def _output(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TAKEN_AWAY)
def test_those_that_are_taken_away_end_a_worker_in_one_line(ended, secured, name):
    status, output, settings, taken = ended[name]
    assert status == 1, output
    *_, error, hint = output.splitlines()
    assert error.startswith("error: this user may not do all that a worker does at "), output
    operation, resource = taken[0].operation, taken[0].resource
    names = ", ".join(f"{one.name}*" if one.prefixed else one.name for one in taken)
    assert error.endswith(f": no {operation} on {resource}{'s' if len(taken) > 1 else ''} {names}")
    assert hint.strip().startswith("-> grant it: ")
    assert f"--allow-principal User:{settings.sasl_username} --operation {operation} --{resource} " in hint
    assert "Traceback" not in output
    assert "FATAL" not in output
    assert secured.password not in output
