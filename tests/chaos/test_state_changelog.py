"""The changelog is gone, or holds what no worker wrote: never ready with rows missing."""

import sqlite3
import subprocess
import sys

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from app.partitioner import partition_of
from tests.chaos.mastery_run import MasteryRun
from tests.chaos.run import WatchedWorker
from tests.chaos.scenario import rounds, scenario
from tests.support.records import read_all
from tests.support.waiting import wait_until
from tests.support.worker import CHECKOUT, command_environment


def _mastery(run: MasteryRun, *words: str) -> str:
    """Run a command of `mastery`; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        env=command_environment(run.settings),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    run.note(f"mastery {' '.join(words)}: exit status {done.returncode}")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def _refused(run: MasteryRun, worker: WatchedWorker, told: str) -> None:
    """Start a worker that must end by itself, never ready, with one line that says why and one of advice."""
    before = len(worker.log_file.read_text()) if worker.log_file.exists() else 0
    worker.start()
    was_ready = False

    def ended() -> bool:
        nonlocal was_ready
        was_ready = was_ready or worker.ready
        return not worker.running

    wait_until(ended, timeout=90.0, what="the worker to refuse", detail=lambda: worker.log)
    assert not was_ready, "the worker was ready with rows missing"
    assert worker.wait() == 1, worker.log
    lines = worker.log_file.read_text()[before:].splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, worker.log
    assert told in errors[0], worker.log
    assert "mastery state rebuild" in worker.log
    assert "Traceback" not in worker.log
    run.note(f"refused: {told}")


def _poison(run: MasteryRun, partition: int, key: bytes | None, value: bytes | None) -> str:
    """Write a record into the changelog; return what the broker says of it."""
    answers: list[str] = []
    producer = Producer({"bootstrap.servers": run.kafka.bootstrap, "log_level": 0})
    producer.produce(
        run.settings.changelog_topic,
        value,
        key,
        partition,
        lambda error, _: answers.append(error.name() if error is not None else ""),
    )
    assert producer.flush(20.0) == 0
    return answers[0]


def _delete(run: MasteryRun, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": run.kafka.bootstrap, "log_level": 0})
    admin.delete_topics([topic])[topic].result(20.0)
    wait_until(
        lambda: topic not in admin.list_topics(timeout=5.0).topics, timeout=20.0, what="the topic to go"
    )
    run.note(f"{topic} deleted")


def _stop(run: MasteryRun, worker: WatchedWorker) -> None:
    run.require_work_left()
    worker.terminate()
    assert worker.wait(30.0) == 0, worker.log


@scenario("changelog-recreated", seconds=360)
def test_a_changelog_made_anew(mastery_run) -> None:
    """The changelog is deleted and made anew, empty, while the group's offsets stand where they were.

    Neither the worker with its files nor one without any becomes ready: each says in one line which changelog
    its results are in, and what to do. After `mastery state rebuild` every row is the oracle's.
    """
    for seed, _ in rounds("changelog-recreated"):
        run = mastery_run(seed=seed)
        worker = run.worker("worker")
        worker.start()
        run.wait_for_rows(300, timeout=90.0)
        _stop(run, worker)
        _delete(run, run.settings.changelog_topic)
        _mastery(run, "topics", "apply")
        _refused(run, worker, "it was deleted and made anew, and rows are missing")
        _refused(run, run.worker("without-files"), "it was deleted and made anew, and rows are missing")
        run.feeder.stop()
        _mastery(run, "state", "rebuild", "--yes")
        worker.start()
        worker.wait_ready(90.0)
        run.finish(timeout=120.0, rebuilt=True)


def _finish_among_poison(run: MasteryRun, worker: WatchedWorker) -> None:
    """As `run.finish`, where the changelog holds more than rows: what is published, and in the files."""
    judge = run.judge_of_fed()
    wait_until(
        lambda: judge.differences(*run.published()) == 0,
        timeout=120.0,
        what="every published row to be the oracle's",
        detail=run.logs,
        interval=1.0,
    )
    worker.terminate()
    assert worker.wait(30.0) == 0, worker.log
    judge.check_published(*run.published(), rebuilt=True)
    held: dict[bytes, bytes] = {}
    for path in (run.state_folder("worker") / "mastery").glob("[0-9].db"):
        with sqlite3.connect(path) as db:
            held |= dict(db.execute("SELECT key, value FROM rows").fetchall())
        db.close()
    judge.check_state("state files", held)
    run.measure(rows=len(judge.rows), rows_wrong=sum(map(len, judge.problems().values())))
    assert not judge.problems(), str(judge)


@scenario("changelog-poisoned", seconds=420)
def test_a_changelog_with_records_of_others(mastery_run) -> None:
    """Somebody writes into the changelog: bytes that are no row, a key that is none, another partition's row.

    A worker that restores it, with its files or without, never becomes ready: one line names the record.
    Without a key Kafka refuses a record. After `mastery state rebuild` every row is the oracle's, though the
    records are still there.
    """
    for seed, rng in rounds("changelog-poisoned"):
        run = mastery_run(seed=seed)
        worker = run.worker("worker")
        worker.start()
        run.wait_for_rows(300, timeout=90.0)
        _stop(run, worker)
        good = {
            record.key: record
            for record in read_all(run.kafka.bootstrap, run.settings.changelog_topic)
            if record.value is not None
        }
        key, other, strange = rng.sample(sorted(good), 3)
        assert _poison(run, 0, None, b"no key") == "INVALID_RECORD"
        stray = (good[strange].partition + 1) % run.settings.partitions
        poisons = (
            (good[key].partition, key, rng.randbytes(200), "holds no row of this version"),
            (good[other].partition, other, b"\1" + rng.randbytes(200), "holds no row of this version"),
            (rng.randrange(6), b"no-key-of-a-row", good[key].value, "holds a row of another partition"),
            (stray, strange, good[strange].value, "holds a row of another partition"),
        )
        assert partition_of(strange.rpartition(b":")[0], run.settings.partitions) != stray
        for number, (partition, poisoned, value, told) in enumerate(poisons):
            run.note(f"poisoned {number}")
            assert _poison(run, partition, poisoned, value) == ""
            _refused(run, worker if number % 2 else run.worker(f"new-{number}"), told)
            if number < len(poisons) - 1:
                # As an administrator mends one record: what was there is written again, or deleted.
                mended = good[poisoned].value if poisoned in good else None
                assert _poison(run, partition, poisoned, mended) == ""
        assert _poison(run, good[key].partition, key, b"and one more") == ""
        run.feeder.stop()
        _mastery(run, "state", "rebuild", "--yes")
        worker.start()
        worker.wait_ready(90.0)
        _finish_among_poison(run, worker)
