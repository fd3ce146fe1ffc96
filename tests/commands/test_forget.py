"""`mastery forget` from end to end: what is gone, what does not come back, what is said."""

import json
import shutil
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from app.backlog import read_backlog
from app.embedded.samples import sample_events
from app.kafka import consumer_config
from app.mastery.forgotten import is_mark
from app.partitioner import partition_of
from app.schemas.contract import load_contract
from app.settings import Settings
from app.verify.verifier import verify
from tests.commands.conftest import Outcome
from tests.support.records import produce as send
from tests.support.records import read_all
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess

Mastery = Callable[..., Outcome]

NAME = "canvas-docs-learning-learning_outcome_result_created"
SAMPLE = json.loads(next(sample.raw for sample in sample_events() if sample.name == NAME))
ACCOUNT = SAMPLE["metadata"]["root_account_uuid"]
VICTIM = "victim-" + "v" * 33
OTHERS = [f"other-{number}-" + "o" * 30 for number in range(5)]


def raw(user: str, outcome: int, number: int = 1, *, minutes: float = -60) -> bytes:
    """A result; its event was sent so many minutes from now."""
    sent = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
    changed = {"learning_outcome_id": str(outcome), "user_uuid": user, "id": f"{outcome}{number:04}"}
    event = {
        "metadata": SAMPLE["metadata"] | {"event_time": sent.replace("+00:00", "Z")},
        "body": SAMPLE["body"] | changed,
    }
    return json.dumps(event).encode()


class Scene:
    def __init__(self, settings: Settings, worker: WorkerProcess, folder: Path) -> None:
        self.settings, self.worker, self.folder = settings, worker, folder

    def send(self, events: Iterable[bytes]) -> None:
        send(self.settings.broker, self.settings.raw_topic_name, events)

    def settle(self) -> None:
        """Wait until the workers have done everything; the raw topic makes the others longer."""
        for topics in ([self.settings.raw_topic_name], self.settings.row_topics):
            places = [(topic, number) for topic in topics for number in range(self.settings.partitions)]
            wait_until(
                lambda places=places: all(entry.idle for entry in read_backlog(self.settings, places)),
                timeout=30,
                what="everything to be processed",
                detail=lambda: self.worker.log,
            )

    def last(self, topic: str) -> dict[bytes, bytes | None]:
        return {
            record.key or b"": record.value
            for record in read_all(self.settings.broker, self.settings.topic_prefix + topic)
        }

    def rows(self, user: str) -> list[bytes]:
        return [key for key, value in self.last("outcome_mastery").items() if user.encode() in key and value]

    def files_with(self, user: str) -> list[str]:
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        return [file.name for file in files if user.encode() in file.read_bytes()]

    def assert_gone(self) -> None:
        for topic in ("outcome_mastery", "course_outcome_mastery", "mastery-changelog"):
            found = self.last(topic)
            assert not any(VICTIM.encode() in key + (value or b"") for key, value in found.items() if value)
            assert any(OTHERS[0].encode() in key for key, value in found.items() if value)
        # Written a moment after the commit.
        wait_until(lambda: not self.files_with(VICTIM), timeout=5, what="state files without the student")
        assert self.files_with(OTHERS[0])


@pytest.fixture
def scene(topics: Settings, tmp_path: Path) -> Any:
    worker = WorkerProcess(topics, tmp_path)
    with worker:
        worker.wait_ready()
        yield Scene(topics, worker, tmp_path / "worker-state")


@pytest.mark.kafka
def test_the_student_is_gone_and_does_not_come_back(scene: Scene, mastery: Mastery) -> None:
    settings = scene.settings
    before = [raw(user, outcome) for user in [VICTIM, *OTHERS] for outcome in range(1, 13)]
    scene.send(before)
    scene.settle()
    assert len(scene.rows(VICTIM)) == 12
    assert scene.files_with(VICTIM)

    shown = mastery("forget", VICTIM, "--dry-run")
    assert shown.out.startswith(f"root account {ACCOUNT}: 12 rows\n")
    assert len(scene.rows(VICTIM)) == 12

    # While events flow, the student's too.
    done = threading.Event()

    def flow() -> None:
        number = 1
        while not done.is_set():
            number += 1
            scene.send([raw(user, 1 + number % 12, number) for user in [VICTIM, *OTHERS] * 10])

    feeder = threading.Thread(target=flow)
    feeder.start()
    try:
        forgotten = mastery("forget", VICTIM, "--yes", "--json")
    finally:
        done.set()
        feeder.join()
    assert (forgotten.status, forgotten.err) == (0, "")
    told = json.loads(forgotten.out)
    assert told["applied"]
    assert told["accounts"] == {ACCOUNT: 12}
    scene.settle()
    scene.assert_gone()

    # Raw events again, as dead letters that are replayed would come.
    scene.send(before)
    scene.settle()
    scene.assert_gone()

    # All results again, by a worker without files.
    scene.worker.terminate()
    assert scene.worker.wait() == 0, scene.worker.log
    shutil.rmtree(scene.folder / "mastery")
    with closing(Consumer(consumer_config(settings, group_id=settings.group_id))) as group:
        group.commit(
            offsets=[
                TopicPartition(topic, partition, 0)
                for topic in settings.row_topics
                for partition in range(settings.partitions)
            ],
            asynchronous=False,
        )
    scene.worker.start()
    scene.worker.wait_ready()
    scene.settle()
    scene.assert_gone()
    assert sum(map(is_mark, scene.last("mastery-changelog"))) == 2

    # What Canvas says later begins anew.
    scene.send([raw(VICTIM, 3, 9, minutes=1)])
    scene.settle()
    left = [f"{ACCOUNT}:{VICTIM}:3".encode()]
    assert scene.rows(VICTIM) == left
    verify_and_rebuild(scene, mastery, left)


def verify_and_rebuild(scene: Scene, mastery: Mastery, left: list[bytes]) -> None:
    """The result topics still hold all that Canvas sent of the student."""

    def verified() -> Any:
        done = mastery("state", "verify", "--json")
        *_, totals = map(json.loads, done.out.splitlines())
        assert (done.status, totals["different"]) == (0, 0), done.out
        return totals

    before = verified()
    assert before["rows"] == before["equal"] == len(OTHERS) * 12 + len(left)
    scene.worker.terminate()
    assert scene.worker.wait() == 0, scene.worker.log
    assert "nothing was changed" in mastery("state", "rebuild", "--from-changelog", "--yes").out
    rebuilt = mastery("state", "rebuild", "--yes")
    assert rebuilt.status == 0, rebuilt.err
    assert f"then workers will compute {before['rows']} rows from" in rebuilt.out
    scene.worker.start()
    scene.worker.wait_ready()
    scene.settle()
    assert scene.rows(VICTIM) == left
    assert verified() == before
    forgotten_while_verified(scene, mastery, OTHERS[1])


def forgotten_while_verified(scene: Scene, mastery: Mastery, user: str) -> None:
    """A row that differs is looked at again; by then nobody wants it to be there any more."""
    settings = scene.settings
    one, another, *_ = scene.rows(user)
    wrong, topic = scene.last("outcome_mastery")[another], settings.typed_topic("outcome_mastery")
    send(settings.broker, topic, [wrong], key=one, partition=partition_of(one, settings.partitions))
    done = []

    def told(what: str, *_: int) -> None:
        if what.startswith("looking again") and not done:
            done.append(mastery("forget", user, "--yes"))

    verdict = verify(settings, load_contract(), settle=20.0, told=told)
    assert [outcome.status for outcome in done] == [0]
    assert verdict.exit_code == 0, verdict.differences
    assert scene.rows(user) == []


def test_what_is_said(topics: Settings, mastery: Mastery, tmp_path: Path) -> None:
    """Without a worker: the command stands, and nobody has applied it."""
    nobody = mastery("forget", "somebody", "--yes")
    assert nobody.status == 1
    assert "no row is of that student" in nobody.err
    assert "--account" in nobody.err
    unasked = mastery("forget", "somebody", "--account", "school")
    assert unasked.status == 2
    assert "--yes" in unasked.err
    wrong = mastery("forget", "somebody", "--account", "a:b", "--yes")
    assert (wrong.status, wrong.out) == (2, "")

    aside = topics.state_dir / "mastery" / "aside"
    aside.mkdir(parents=True)
    (aside / "3-1700000000000000000.db").write_bytes(b"rows")
    shown = mastery("forget", "somebody", "--account", "school", "--dry-run")
    assert shown.status == 0
    for name in (topics.raw_topic_name, topics.dead_letter_topic, *topics.result_topics):
        assert f"\n{name} " in shown.out
    assert "3-1700000000000000000.db" in shown.out
    assert "MASTERY_STATE_RETENTION_DAYS" in shown.out
    assert read_all(topics.broker, topics.commands_topic) == []

    waited = mastery("forget", "somebody", "--account", "school", "--yes", "--timeout", "0")
    assert waited.status == 1
    assert "no worker has applied the command" in waited.err
    (command,) = read_all(topics.broker, topics.commands_topic)
    assert command.key == b"school:somebody"
    assert json.loads(command.value or b"")["command"] == "forget"


def test_topics_that_are_not_there(settings: Settings, mastery: Mastery) -> None:
    done = mastery("forget", "somebody", "--account", "school", "--yes")
    assert done.status == 1
    assert "mastery topics apply" in done.err
