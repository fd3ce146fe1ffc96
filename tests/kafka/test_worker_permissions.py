"""Each permission of a worker is needed: without it, or once it is gone, one line names it."""

import time

import pytest

from app.checks import PermissionMissing, run_checks
from app.embedded.samples import sample_events
from app.reference.permissions import roles
from app.sender import EventSender
from app.topics import load_catalogue
from tests.support.worker import WorkerProcess

pytestmark = pytest.mark.kafka


def worker_role(settings):
    return next(role for role in roles(settings, load_catalogue(settings)) if role.user == "worker")


def find(role, operation, resource, name=""):
    (found,) = (
        acl
        for acl in role.acls
        if (acl.operation, acl.resource) == (operation, resource) and acl.name.endswith(name)
    )
    return found


def test_a_worker_does_not_start_without_any_one_of_them(user, secured):
    role, catalogue = worker_role(user), load_catalogue(user)
    transactional_id = f"{user.group_id}.w1"

    def check():
        run_checks(user, catalogue, transactional_id=transactional_id, deadline=time.monotonic() + 20)

    secured.grant_role(role)
    check()
    for acl in role.acls:
        with secured.without(acl), pytest.raises(PermissionMissing) as caught:
            check()
        name = transactional_id if acl.resource == "transactional-id" else acl.name
        assert str(caught.value).endswith(f": no {acl.operation} on {acl.resource} {name}")
        assert f"--operation {acl.operation} --{acl.resource} " in caught.value.hint


@pytest.mark.parametrize(
    ("operation", "resource", "name"),
    [
        ("Write", "topic", "rubric_assessed"),
        ("Read", "topic", "mastery-commands"),
        ("Read", "group", ""),
        ("Write", "transactional-id", ""),
    ],
)
def test_one_that_is_taken_away_ends_a_worker_in_one_line(
    user, administrator, secured, tmp_path, operation, resource, name
):
    role = worker_role(user)
    acl = find(role, operation, resource, name)
    secured.grant_role(role)
    with WorkerProcess(user, tmp_path) as worker:
        worker.wait_ready()
        with secured.without(acl):
            events = EventSender(administrator, administrator.raw_topic_name)
            for sample in sample_events():
                events.send(sample.raw)
            events.send(b"broken")
            events.finish()
            assert worker.wait() == 1
    *_, error, hint = worker.log.splitlines()
    assert error.startswith("error: this user may not do all that a worker does")
    assert f": no {operation} on {resource} {acl.name}" in error
    assert hint.strip().startswith("-> grant it: ")
    assert f"--operation {operation} --{resource} " in hint
    assert "Traceback" not in worker.log
    assert "FATAL" not in worker.log
    assert secured.password not in worker.log_file.read_text()
