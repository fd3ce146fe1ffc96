"""Each command's permissions, as docs/operating.md grants them: they are enough, and none is too much."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Consumer

from app.access import tasks
from app.access.grants import Grant, PermissionMissing
from app.access.tasks import Task
from app.backlog import read_backlog
from app.embedded.samples import sample_events
from app.forget.sending import NotApplied
from app.kafka import consumer_config
from app.reference.permissions import roles
from app.schemas.contract import load_contract
from app.schemas.known import KnownSchema
from app.schemas.schema_topic import SchemaTopic
from app.settings import Settings
from app.topics import load_catalogue
from tests.kafka.site import Site, mastery
from tests.support.records import produce, read_all
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess

pytestmark = pytest.mark.kafka

#: The id of a schema that is in the topic of schemas alone.
_OTHER_ID = 4711


def role(settings: Settings, user: str) -> list[Grant]:
    """What docs/operating.md grants to who is called so there."""
    return next(list(one.grants) for one in roles(settings, load_catalogue(settings)) if one.user == user)


@pytest.fixture(scope="module")
def school(secured, authority, tmp_path_factory) -> Site:
    """An installation that was set up, fed and run by the documented roles, and where all is processed."""
    folder = tmp_path_factory.mktemp("school")
    site = Site.at(secured, authority, "roles.", folder)
    settings, all_may = site.user, site.administrator
    secured.grant_only(role(settings, "deployer"))
    mastery(settings, "topics", "apply")
    mastery(settings, "topics", "check")
    mastery(settings, "schemas", "register")
    secured.grant_only(role(settings, "receiver"))
    events = b"\n".join(sample.raw for sample in sample_events())
    assert "events sent" in mastery(settings, "send", "-", given=events)
    mastery(settings, "send", "--lines", "-", given=b"broken\n")
    secured.grant_only(role(settings, "worker"))
    with WorkerProcess(settings, folder) as worker:
        worker.wait_ready(60)
        _wait_until_idle(all_may, worker)
        _write_as_another_release(all_may)
        _wait_until_idle(all_may, worker)
        worker.terminate()
        assert worker.wait() == 0, worker.log
    # Another state folder: all is restored from the topics.
    with WorkerProcess(settings, folder, name="restored") as worker:
        worker.wait_ready(60)
        worker.terminate()
        assert worker.wait() == 0, worker.log
    return site


def _wait_until_idle(settings: Settings, worker: WorkerProcess) -> None:
    inputs = [(name, number) for name in settings.input_topics for number in range(settings.partitions)]
    wait_until(
        lambda: all(entry.idle for entry in read_backlog(settings, inputs)),
        timeout=30,
        what="everything to be processed",
        detail=lambda: worker.log,
    )


def _write_as_another_release(settings: Settings) -> None:
    """Write a result once more, framed with the id of a schema that this release does not have."""
    topic = settings.typed_topic("learning_outcome_result_created")
    text = load_contract().events["learning_outcome_result_created"].text
    SchemaTopic(settings).write_schemas([KnownSchema(settings.subject(topic), 2, _OTHER_ID, text)])
    first = read_all(settings.broker, topic)[0]
    framed = b"\0" + _OTHER_ID.to_bytes(4, "big") + first.value[5:]
    produce(settings.broker, topic, [framed], key=first.key, partition=first.partition)


@dataclass(frozen=True)
class Work:
    """A command that does a task, as a person calls it; `{...}` stands for one of the `places`."""

    task: Callable[..., Task]
    command: tuple[str, ...]
    options: dict[str, Any]
    given: bytes | None = None
    before: Callable[[Settings], None] = lambda _: None

    def __str__(self) -> str:
        return " ".join(self.command)


def work(task, *command, given=None, before=lambda _: None, **options) -> Work:
    return Work(task, command, options, given, before)


def _stray_rows(settings: Settings) -> None:
    """Write rows that no result leads to: a rebuild deletes them."""
    for name in ("outcome_mastery", "course_outcome_mastery"):
        topic = settings.typed_topic(name)
        first = read_all(settings.broker, topic)[0]
        produce(
            settings.broker, topic, [first.value], key=b"school:nobody:1:1"[: 17 if "course" in name else 15]
        )
    first = next(
        record for record in read_all(settings.broker, settings.changelog_topic) if record.value is not None
    )
    produce(settings.broker, settings.changelog_topic, [first.value], key=b"school:nobody:1")


WORKS = [
    work(tasks.check_topics, "topics", "check"),
    work(tasks.read_schemas, "schemas", "list"),
    work(tasks.read_schemas, "schemas", "check"),
    work(tasks.send, "send", "-", given=b"{}"),
    work(tasks.inspect_raw, "raw", "inspect"),
    work(tasks.status, "status", counts_rows=False),
    work(tasks.status, "status", "--rows", counts_rows=True),
    work(tasks.show, "show", "--user", "{user}"),
    work(tasks.show, "show", "--user", "{user}", "--json", as_json=True),
    work(tasks.compare, "compare", "{rollups}", "--course", "1"),
    work(tasks.export, "state", "export"),
    work(tasks.verify, "state", "verify", "--settle", "0"),
    work(
        tasks.tail,
        "tail",
        "learning_outcome_result_created",
        "--from-beginning",
        "--exit",
        topic="learning_outcome_result_created",
    ),
    work(tasks.list_letters, "dead-letters", "list"),
    work(tasks.show_letter, "dead-letters", "show", "{letter}"),
    work(tasks.replay, "dead-letters", "replay", "--dry-run", dry_run=True),
    work(tasks.replay, "dead-letters", "replay", "--again", dry_run=False),
    work(tasks.forget, "forget", "{user}", "--dry-run", dry_run=True),
    work(tasks.forget, "forget", "{user}", "--yes", "--timeout", "0", dry_run=False),
    work(tasks.rebuild_from_changelog, "state", "rebuild", "--from-changelog", "--yes", before=_stray_rows),
    work(tasks.rebuild, "state", "rebuild", "--yes", before=_stray_rows),
]


def done(settings: Settings, one: Work, places: dict[str, str]) -> str:
    command = (word.format(**places) for word in one.command)
    # No worker runs that could forget anybody.
    told = mastery(settings, *command, given=one.given, expected=(NotApplied,))
    if one.task is tasks.compare and told.startswith("error: this user may not"):
        # It prints its troubles itself, for the sake of its exit status.
        line, hint = told.strip().splitlines()
        raise PermissionMissing(line.removeprefix("error: "), hint=hint)
    return told


@pytest.fixture(scope="module")
def places(school, tmp_path_factory) -> dict[str, str]:
    """What the commands are about: a dead letter, a student, and what Canvas says of nobody."""
    rollups = tmp_path_factory.mktemp("canvas") / "rollups.json"
    nobody = {"links": {"user": "1"}, "scores": []}
    rollups.write_text(json.dumps({"rollups": [nobody], "linked": {"users": [{"id": "1", "uuid": "u"}]}}))
    [letter] = re.findall(
        r"^(\d+:\d+) +not-json", mastery(school.administrator, "dead-letters", "list"), re.MULTILINE
    )
    keys = [record.key for record in read_all(school.administrator.broker, "roles.outcome_mastery")]
    return {"letter": letter, "user": keys[0].decode().split(":")[1], "rollups": str(rollups)}


def require_each(secured, task: Task, run: Callable[[], str], changes=lambda: None) -> None:
    """Run with all but one of the permissions, each in turn, then with all of them.

    What `changes` returns is another only once the command could do its work.
    """
    before = changes()
    for grant in task.grants:
        secured.grant_only({*task.all} - {grant})
        with pytest.raises(PermissionMissing) as caught:
            run()
        assert_named(caught.value, grant, task)
    assert changes() == before
    for grant in task.extra:
        secured.grant_only({*task.all} - {grant})
        assert "for want of DescribeConfigs" in run()
    secured.grant_only(task.all)
    assert "for want of" not in run()


@pytest.mark.parametrize("one", WORKS, ids=str)
def test_a_commands_permissions_are_enough_and_each_is_needed(school, secured, places, one):
    settings = school.user
    one.before(school.administrator)
    task = one.task(settings, load_catalogue(settings), **one.options)
    written = sorted(
        grant.name for grant in task.grants if (grant.operation, grant.resource) == ("Write", "topic")
    )
    require_each(
        secured,
        task,
        lambda: done(settings, one, places),
        lambda: [len(read_all(school.administrator.broker, topic)) for topic in written],
    )


def test_setting_up_needs_each_of_its_permissions(secured, authority, topic_prefix, tmp_path):
    settings = Site.at(secured, authority, topic_prefix, tmp_path).user
    catalogue = load_catalogue(settings)
    task = tasks.apply_topics(settings, catalogue)
    require_each(secured, task, lambda: mastery(settings, "topics", "apply"))
    task = tasks.register_schemas(settings, catalogue)
    require_each(secured, task, lambda: mastery(settings, "schemas", "register"))


def test_a_consumer_of_all_typed_topics_needs_no_more_than_its_role(school, secured):
    """That it needs each of them is Kafka's to say: this one shows no topic that may not be read."""
    settings = school.user
    granted = role(settings, "reports")
    secured.grant_only(granted)
    typed = [it.name for it in granted if it.resource == "topic" and it.name != settings.schemas_topic]
    with closing(Consumer(consumer_config(settings, group_id="reports"))) as consumer:
        assert {*typed, settings.schemas_topic} == {
            name for name in consumer.list_topics(timeout=10).topics if name.startswith("roles.")
        }
        consumer.subscribe(typed)
        polled = []
        wait_until(lambda: polled.append(consumer.poll(0.5)) or polled[-1], timeout=30, what="a record")
        assert polled[-1].error() is None
        consumer.commit(polled[-1], asynchronous=False)
    assert SchemaTopic(settings).read().schemas


def test_every_task_of_a_role_is_tried_here(school):
    settings = school.user
    tried = {one.task for one in WORKS} | {tasks.apply_topics, tasks.register_schemas}
    tried |= {tasks.worker, tasks.reports}  # by the fixture and test_worker_permissions; above
    names = {task(settings, load_catalogue(settings)).name for task in tried}
    documented = roles(settings, load_catalogue(settings))
    assert {task.name for one in documented for task in one.tasks} == names


def assert_named(error: PermissionMissing, grant: Grant, task: Task) -> None:
    """The line names this permission and no other, and the hint is the command that grants it."""
    name = f"{grant.name}*" if grant.prefixed else grant.name
    text = str(error)
    assert text.startswith(f"this user may not do all that `{task.name}` does at "), text
    assert re.search(rf": no {grant.operation} on {grant.resource}s? {re.escape(name)}", text), text
    assert len(re.findall(r"\bno ", text)) == 1, text
    assert "--allow-principal User:worker " in error.hint
    assert f"--operation {grant.operation} --{grant.resource} {grant.name}" in error.hint
    assert "\n" not in text + error.hint
