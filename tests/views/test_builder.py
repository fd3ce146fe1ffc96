"""The builder on a real changelog of the embedded broker."""

import os
import sqlite3
import subprocess
import sys
import time

import pytest
from confluent_kafka import Producer

from app.kafka import admin_client, producer_config
from app.state.query import all_rows
from app.views import builder, followed
from app.views.answers import EVERYTHING, Search
from app.views.views import FOLDER, Views
from tests.mastery.events import outcome, result
from tests.support.changelog import make_changelog, rows_as_stored, write_rows
from tests.support.waiting import wait_until as wait_for
from tests.views.oracle import Oracle

STUDENTS = [f"student-{number}" for number in range(20)]


def wait_until(condition):
    wait_for(condition, timeout=20, what="the views")


def events(score=None, students=STUDENTS):
    return [
        outcome(),
        *[
            result(
                id=str(number),
                user_uuid=student,
                learning_outcome_id=one,
                score=number % 5 if score is None else score,
            )
            for number, student in enumerate(students, start=1)
            for one in ("7", "12")
        ],
    ]


@pytest.fixture
def changelog(settings):
    make_changelog(settings)
    write_rows(settings, rows_as_stored(events()))
    write_rows(settings, {b"account-uuid:student-1:12": None, b"forgotten/salt": b"\xf1marks"})
    return settings


@pytest.fixture
def views(changelog):
    with Views(changelog) as running:
        running.own(range(4))
        running.start()
        yield running


def all_ready(views):
    states = views.states()
    return len(states) == 4 and all(state.ready for state in states.values())


def agrees(views, settings):
    """Whether the views hold what the changelog tells."""
    oracle = Oracle({stored.key: (stored.row, stored.written_at) for stored in all_rows(settings)})
    search = Search(limit=500)
    return (
        list(views.search(search).rows) == oracle.search(search, EVERYTHING)
        and views.counts() == oracle.counts()
    )


def test_it_holds_what_the_changelog_tells_and_follows(views, changelog):
    wait_until(lambda: all_ready(views))
    assert agrees(views, changelog)
    assert all(state.applied == state.end for state in views.states().values())
    told = []
    end = views.subscribe(told.extend)
    write_rows(changelog, rows_as_stored(events(score=4.0, students=STUDENTS[:2])))
    write_rows(changelog, {b"account-uuid:student-5:7": None})
    wait_until(lambda: len(told) >= 5)
    assert agrees(views, changelog)
    assert {(change.user_uuid, change.deleted) for change in told} == {
        ("student-0", False),
        ("student-1", False),
        ("student-5", True),
    }
    end()
    write_rows(changelog, {b"account-uuid:student-6:7": None})
    wait_until(lambda: agrees(views, changelog))
    assert len(told) == 5


def test_a_restart_goes_on_where_it_was(changelog):
    for score in (1.0, 2.0, 3.0):
        with Views(changelog) as views:
            views.own(range(4))
            views.start()
            wait_until(lambda views=views: all_ready(views))
            assert agrees(views, changelog)
        write_rows(changelog, rows_as_stored(events(score=score)))


def test_partitions_come_and_go(views, changelog):
    wait_until(lambda: all_ready(views))
    rows = views.counts().rows
    views.own([0, 1])
    wait_until(lambda: views.counts().rows < rows)
    assert set(views.states()) == {0, 1}
    views.own(range(4))
    wait_until(lambda: all_ready(views) and agrees(views, changelog))
    views.own([])
    wait_until(lambda: views.counts().rows == 0)
    assert views.states() == {}


def test_views_of_partitions_that_left_long_ago_are_deleted(changelog, monkeypatch):
    monkeypatch.setattr(builder, "_KEPT", 0.1)
    monkeypatch.setattr(builder, "_LOOK_EVERY", 0.1)
    with Views(changelog) as views:
        views.own(range(4))
        views.start()
        wait_until(lambda: all_ready(views))
        views.own([2])
        folder = changelog.state_dir / FOLDER
        wait_until(lambda: [path.name for path in folder.glob("*.db")] == ["2.db"])
        assert not [path for path in folder.iterdir() if not path.name.startswith("2.db")]


def ruin(path):
    path.write_bytes(b"no database" * 1000)


def of_another_format(path):
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = '0' WHERE name = 'format'")
    db.close()


def too_old(path):
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = ? WHERE name = 'synced_at'", (time.time() - 16 * 86400,))
    db.close()


def beyond_the_end(path):
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = '100000' WHERE name = 'position'")
    db.close()


def of_another_topic(path):
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = replace(value, 'changelog', 'other') WHERE name = 'identity'")
    db.close()


@pytest.mark.parametrize("harm", [ruin, of_another_format, too_old, beyond_the_end, of_another_topic])
def test_what_cannot_be_gone_on_with_is_built_anew(changelog, harm):
    with Views(changelog) as views:
        views.own(range(4))
        views.start()
        wait_until(lambda: all_ready(views))
    path = changelog.state_dir / FOLDER / "1.db"
    for part in (path.with_name("1.db-wal"), path.with_name("1.db-shm")):
        part.unlink(missing_ok=True)
    harm(path)
    with Views(changelog) as views:
        views.own(range(4))
        views.start()
        wait_until(lambda: all_ready(views))
        assert agrees(views, changelog)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT value FROM meta WHERE name = 'position'").fetchone() != ("100000",)
    db.close()


def test_a_forgotten_student_leaves_no_bytes(views, changelog, monkeypatch):
    monkeypatch.setattr(followed, "_CLEAN_AFTER", 0.0)
    monkeypatch.setattr(followed, "_CLEAN_AGAIN", 0.1)
    write_rows(changelog, rows_as_stored(events(students=["ForgetMeNotForgetMe"])))
    wait_until(lambda: all_ready(views) and views.keys_of_user("ForgetMeNotForgetMe"))
    write_rows(changelog, {f"account-uuid:ForgetMeNotForgetMe:{one}".encode(): None for one in ("7", "12")})
    folder = changelog.state_dir / FOLDER
    wait_until(lambda: not any(b"ForgetMeNot" in path.read_bytes() for path in folder.iterdir()))
    assert views.keys_of_user("ForgetMeNotForgetMe") == []
    assert agrees(views, changelog)


def test_a_row_of_a_newer_version_is_told_and_waited_for(views, changelog, monkeypatch):
    monkeypatch.setattr(followed, "_RETRY", 0.3)
    wait_until(lambda: all_ready(views))
    producer = Producer(producer_config(changelog))
    producer.produce(changelog.changelog_topic, b"\xee newer", b"account-uuid:student-0:7", 0)
    producer.flush(10)
    wait_until(lambda: views.states()[0].error is not None)
    assert "newer version" not in str(views.states()[0].error)
    assert views.states()[0].ready
    assert [state.error for state in views.states().values()][1:] == [None] * 3
    write_rows(changelog, {b"account-uuid:student-0:7": None})
    producer.produce(changelog.changelog_topic, None, b"account-uuid:student-0:7", 0)
    producer.flush(10)
    wait_until(lambda: views.states()[0].error is None)
    assert agrees(views, changelog)


def test_a_changelog_that_is_not_there_is_waited_for(settings, monkeypatch):
    monkeypatch.setattr(builder, "_PAUSE", 0.2)
    with Views(settings) as views:
        views.own(range(4))
        views.start()
        wait_until(lambda: views.error is not None)
        assert not views.states()[0].ready
        make_changelog(settings)
        write_rows(settings, rows_as_stored(events()))
        wait_until(lambda: all_ready(views))
        assert views.error is None
        assert agrees(views, settings)


def test_a_changelog_made_anew_is_read_anew(changelog):
    # Not while it is read: librdkafka 2.16 crashes when a topic is deleted that it fetches from.
    with Views(changelog) as views:
        views.own(range(4))
        views.start()
        wait_until(lambda: all_ready(views))
    admin = admin_client(changelog)
    for future in admin.delete_topics([changelog.changelog_topic]).values():
        future.result()
    make_changelog(changelog)
    write_rows(changelog, rows_as_stored(events(students=["somebody-else"])))
    with Views(changelog) as views:
        views.own(range(4))
        views.start()
        wait_until(lambda: all_ready(views))
        assert agrees(views, changelog)


def test_a_share_of_a_core_is_kept_to(changelog, monkeypatch):
    monkeypatch.setattr(builder, "_PACE", 0.05)
    with Views(changelog, share=lambda: 0.25) as views:
        views.own(range(4))
        views.start()
        wait_until(lambda: all_ready(views))
        for score in (1.0, 2.0, 3.0):
            write_rows(changelog, rows_as_stored(events(score=score)))
        wait_until(lambda: agrees(views, changelog))


CHILD = """
import sys
from app.settings import load_settings
from app.views import followed
from app.views.views import Views
followed._AT_A_TIME = 3
views = Views(load_settings())
views.own(range(4))
views.start()
print("started", flush=True)
sys.stdin.read()
"""


def test_a_kill_at_any_time_loses_nothing(changelog):
    """Killed in the first reading, and while it follows: what is left is the view of some position."""
    environment = os.environ | {
        "MASTERY_BROKER": changelog.broker,
        "MASTERY_TOPIC_PREFIX": changelog.topic_prefix,
        "MASTERY_STATE_DIR": str(changelog.state_dir),
        "MASTERY_PARTITIONS": "4",
    }
    for number in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            child.stdout.readline()
            for score in range(3):
                write_rows(changelog, rows_as_stored(events(score=score / 2)))
                time.sleep(0.1 * number)
            child.kill()
    with Views(changelog) as views:
        views.own(range(4))
        views.start()
        wait_until(lambda: all_ready(views))
        assert agrees(views, changelog)
