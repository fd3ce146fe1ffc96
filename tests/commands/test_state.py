"""The commands on state, with a real worker on a real Kafka: what is wrong is found, and made right."""

import json

import pytest
from confluent_kafka import Producer, TopicPartition

import app.rebuild.results as from_results
from app.kafka import admin_client, producer_config
from app.partitioner import partition_of
from app.rebuild.run import prepared
from app.schemas.contract import load_contract
from tests.support.records import read_all
from tests.support.worker import WorkerProcess


def differences(outcome):
    *found, totals = map(json.loads, outcome.out.splitlines())
    return {(one["topic"].rpartition(".")[2], one["key"], one["field"]) for one in found}, totals


class School:
    """A worker that has computed the rows of a small school, and means to spoil them."""

    def __init__(self, settings, mastery, folder):
        self.settings, self.mastery = settings, mastery
        self.worker = WorkerProcess(settings, folder)
        self._producer = Producer(producer_config(settings))

    def work(self):
        self.worker.start()
        self.worker.wait_ready()
        idle = self.mastery("status", "--wait-idle", "40")
        assert idle.status == 0, idle.err + self.worker.log

    def rest(self):
        self.worker.terminate()
        assert self.worker.wait() == 0, self.worker.log

    def rows(self):
        found = {}
        for record in read_all(self.settings.broker, self.settings.typed_topic("outcome_mastery")):
            found[record.key] = record.value
        return {key: value for key, value in sorted(found.items()) if value is not None}

    def put(self, topic, key, value, partition=None):
        home = partition_of(key, self.settings.partitions)
        self._producer.produce(
            self.settings.typed_topic(topic), value, key, home if partition is None else partition
        )
        assert self._producer.flush(10) == 0

    def spoil(self):
        """Spoil the published rows in four ways; return what is to be found of it."""
        rows = self.rows()
        one, two, three, *_, last = rows
        self.put("outcome_mastery", one, rows[last])
        self.put("outcome_mastery", two, None)
        stray = (partition_of(three, self.settings.partitions) + 1) % self.settings.partitions
        self.put("outcome_mastery", three, rows[three], stray)
        self.put("outcome_mastery", b"nobody:at-all:1", rows[last])
        return {
            (one.decode(), "user_uuid"),
            (two.decode(), "record"),
            (three.decode(), "partition"),
            ("nobody:at-all:1", "record"),
        }


@pytest.fixture
def school(settings, mastery, tmp_path):
    assert mastery("topics", "apply").status == 0
    size = ("--events", 3000, "--students", 40)
    assert mastery("generate", *size, "--send").status == 0
    one = School(settings, mastery, tmp_path)
    with one.worker:
        one.worker.wait_ready()
        assert mastery("status", "--wait-idle", "40").status == 0
        yield one


@pytest.mark.kafka
def test_what_is_wrong_is_found_and_made_right(school, settings, mastery, monkeypatch):
    verify_finds_what_is_spoilt(school, mastery)
    school.rest()
    rebuild_from_the_changelog(mastery)
    rebuild_from_the_results(school, settings, mastery)
    monkeypatch.setattr(from_results, "CHUNK", 50)
    a_rebuild_that_is_interrupted(school, settings, mastery)
    results_that_are_gone(settings, mastery)


def verify_finds_what_is_spoilt(school, mastery):
    right = mastery("state", "verify", "--json")
    _, totals = differences(right)
    assert right.status == 0, right.out
    assert totals["rows"] == totals["equal"] == len(school.rows()) > 100
    assert totals["results"] > 1000
    nobody = mastery("state", "verify", "--account", "nobody")
    assert (nobody.status, "is the uuid right?" in nobody.err) == (0, True)
    spoilt = school.spoil()
    wrong = mastery("state", "verify", "--json", "--settle", "1")
    found, totals = differences(wrong)
    assert wrong.status == 1
    assert spoilt <= {(key, field) for _, key, field in found}
    assert {key for _, key, _ in found} == {key for key, _ in spoilt}
    assert totals["different"] == 4
    alive = mastery("state", "rebuild", "--yes")
    assert (alive.status, "1 worker is in the group" in alive.err) == (1, True)


def rebuild_from_the_changelog(mastery):
    """At once, without a worker."""
    dry = mastery("state", "rebuild", "--from-changelog", "--dry-run")
    assert "to be written anew: 3" in dry.out
    assert mastery("state", "verify").status == 1
    assert mastery("state", "rebuild", "--from-changelog", "--yes").status == 0
    again = mastery("state", "verify")
    assert again.status == 0, again.out
    assert "nothing was changed" in mastery("state", "rebuild", "--from-changelog", "--yes").out


def rebuild_from_the_results(school, settings, mastery):
    """Of a spoilt changelog, too. The worker's files are those of before."""
    school.spoil()
    key = next(reversed(school.rows()))
    home = partition_of(key.rpartition(b":")[0], settings.partitions)
    school.put("mastery-changelog", key, b"\x01junk", home)
    refused = mastery("state", "rebuild", "--from-changelog", "--yes")
    assert (refused.status, "cannot be read" in refused.err) == (1, True)
    assert mastery("state", "rebuild", "--yes").status == 0
    school.work()
    whole = mastery("state", "verify")
    assert whole.status == 0, whole.out
    school.rest()


def a_rebuild_that_is_interrupted(school, settings, mastery):
    """Workers can go on from half of it."""
    pieces = []

    def interrupt(count):
        pieces.append(count)
        if len(pieces) == 3:
            raise KeyboardInterrupt

    with prepared(settings, load_contract(), from_changelog=False, heard=lambda _: None) as rebuild:
        assert rebuild.plan.kept > 200
        with pytest.raises(KeyboardInterrupt):
            rebuild.run(interrupt)
    school.work()
    half = mastery("state", "verify")
    assert half.status == 0, half.out
    school.rest()


def results_that_are_gone(settings, mastery):
    """What is made from them cannot be proven, nor made anew from them."""
    admin = admin_client(settings)
    for future in admin.delete_records([TopicPartition(settings.result_topics[0], 1, 50)]).values():
        future.result(10)
    gone = mastery("state", "verify")
    assert gone.status == 2, gone.out
    assert "not verifiable" in gone.out
    refused = mastery("state", "rebuild", "--yes")
    assert (refused.status, "no longer from offset 0" in refused.err) == (1, True)
    assert "--from-changelog" in refused.err
    assert "to be written anew: 0" in mastery("state", "rebuild", "--from-changelog", "--dry-run").out


def test_reset_deletes_what_a_worker_keeps_and_nothing_else(settings, mastery):
    folder = settings.state_dir / "mastery"
    assert "there is no state" in mastery("state", "reset", "--yes").out
    (folder / "aside").mkdir(parents=True)
    ours = ["0.db", "0.db-wal", "11.db", "definitions.db", "aside/3-123.db", "aside/definitions-9.db"]
    for name in [*ours, "notes.txt", "other.db"]:
        (folder / name).write_text("x")
    dry = mastery("state", "reset", "--dry-run")
    assert f"would delete {len(ours)} files" in dry.out
    assert mastery("state", "reset").status == 130, "not asked for"
    assert (folder / "0.db").exists()
    assert mastery("state", "reset", "--yes").status == 0
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left == {"notes.txt", "other.db"}
    assert (settings.state_dir / "worker-id").exists()


def test_reset_is_refused_while_a_worker_holds_the_folder(settings, mastery):
    from app.checks import lock_state_dir

    (settings.state_dir / "mastery").mkdir(parents=True)
    (settings.state_dir / "mastery" / "0.db").write_text("x")
    with lock_state_dir(settings.state_dir):
        refused = mastery("state", "reset", "--yes")
    assert (refused.status, "in use by another worker" in refused.err) == (1, True)
    assert (settings.state_dir / "mastery" / "0.db").exists()
