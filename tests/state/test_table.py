import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from confluent_kafka import Producer

from app.kafka import client_config
from app.settings import Settings
from app.state import store as store_module
from app.state import table as table_module
from app.state.errors import StateFileUnusable, StateUnavailable
from app.state.folder import StateFiles
from app.state.integrity import row_seal
from app.state.reader import StoreReader
from app.state.store import PartitionStore, StoreIdentity
from app.state.table import Changelog, StateTable
from tests.support.records import create_topic

WEEK = 7 * 24 * 3600.0


class Scene:
    """A changelog with three rows in each of two partitions."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.folder = folder
        self.config = client_config(settings)
        self.changelog = Changelog(
            f"{settings.topic_prefix}changelog", "", 2, 1, lambda value: value != b"poison", WEEK
        )
        create_topic(settings.broker, self.changelog.topic, partitions=2)
        self.producer = Producer(client_config(settings, **{"enable.idempotence": True}))
        for partition in range(2):
            for number in range(3):
                self.produce(partition, f"a:u{number}:7".encode(), b"v%d" % number)

    def produce(self, partition: int, key: bytes, value: bytes | None) -> int:
        offsets = []
        self.producer.produce(
            self.changelog.topic, value, key, partition, lambda _, message: offsets.append(message.offset())
        )
        assert self.producer.flush(20.0) == 0
        return int(offsets[0])

    def table(self, **changes: object) -> StateTable:
        return StateTable(self.folder, replace(self.changelog, **changes), self.config)  # type: ignore[arg-type]

    def commit(self, table: StateTable, partition: int, rows: dict[bytes, bytes | None]) -> None:
        change = table.stage(partition, rows)
        change.offset = max(self.produce(partition, key, value) for key, value in rows.items())
        table.write([change])
        table.release([change])

    def content(self, partition: int) -> dict[bytes, bytes]:
        with StoreReader(self.folder / f"{partition}.db") as reader:
            return dict(reader.scan())


@pytest.fixture
def scene(settings: Settings, tmp_path: Path) -> Scene:
    return Scene(settings, tmp_path / "mastery")


@pytest.fixture
def table(scene: Scene) -> Iterator[StateTable]:
    table = scene.table()
    assert table.take_over([0, 1])
    yield table
    table.close()


ALL = {b"a:u0:7": b"v0", b"a:u1:7": b"v1", b"a:u2:7": b"v2"}


def test_restored_and_read(table: StateTable) -> None:
    assert table.partitions == [0, 1]
    assert table.get_many(1, [*ALL, b"a:u9:7"]) == ALL
    assert table.keys_of_outcome(0, b"7", after=b"a:u0:7", limit=1) == [b"a:u1:7"]
    assert table.scan_keys(0) == list(ALL)
    for one in table._partitions.values():
        caches = {db.execute("PRAGMA cache_size").fetchone() for db in (one.store._db, one.reader._db)}
        assert caches == {(-24 * 1024 // 2 // 2,)}, "all of a worker's partitions share one"


def test_what_is_staged_is_seen_at_once_and_written_when_committed(table: StateTable, scene: Scene) -> None:
    first = table.stage(0, {b"a:u0:7": b"new", b"a:u1:7": None, b"a:u3:7": b"first"})
    second = table.stage(0, {b"a:u0:7": b"newer"})
    seen = {b"a:u0:7": b"newer", b"a:u2:7": b"v2", b"a:u3:7": b"first"}
    wanted = [*ALL, b"a:u3:7"]
    assert table.get_many(0, wanted) == seen
    assert table.get_many(1, wanted) == ALL
    assert scene.content(0) == ALL
    first.offset = 5
    table.write([first])
    assert scene.content(0) == seen | {b"a:u0:7": b"new"}
    table.release([first])
    assert table.get_many(0, wanted) == seen
    second.offset = 6
    table.write([second])
    table.release([second])
    assert table.get_many(0, wanted) == seen == scene.content(0)


def test_committed_without_a_place_in_the_changelog(table: StateTable, scene: Scene) -> None:
    """The broker does not say where a batch went that it had taken before the retry."""
    change = table.stage(0, {b"a:u9:7": b"new"})
    scene.produce(0, b"a:u9:7", b"new")
    table.write([change])
    table.release([change])
    scene.commit(table, 1, {b"a:u0:7": b"other"})
    assert scene.content(0) == ALL | {b"a:u9:7": b"new"}
    table.close()
    reports = []
    again = scene.table()
    assert again.take_over([0, 1], report=reports.append)
    assert {one.partition: one.position - one.start for one in reports} == {0: 1, 1: 0}
    assert again.get_many(0, [*ALL, b"a:u9:7"]) == ALL | {b"a:u9:7": b"new"}
    again.close()


def test_what_was_not_committed_is_forgotten(table: StateTable, scene: Scene) -> None:
    table.stage(0, {b"a:u0:7": b"new"})
    table.give_up()
    assert table.get_many(0, ALL) == ALL
    assert scene.content(0) == ALL


def test_what_was_to_be_noted_and_was_not_committed_is_not_known(table: StateTable) -> None:
    """Rows whose new version was dropped with it would never be computed again."""
    table.write([table.note(0, definitions="first")])
    table.note(0, definitions="second")
    table.give_up()
    assert table.take_over([0])
    assert table.note_of(0, "definitions") == "first"


def test_partitions_come_and_go(table: StateTable, scene: Scene) -> None:
    scene.commit(table, 0, {b"a:u0:7": b"mine"})
    assert table.take_over([1])
    assert table.partitions == [1]
    scene.produce(0, b"a:u1:7", b"another worker's")
    assert table.take_over([0, 1])
    assert table.get_many(0, ALL) == ALL | {b"a:u0:7": b"mine", b"a:u1:7": b"another worker's"}


def test_a_restart_reads_only_what_is_new(table: StateTable, scene: Scene) -> None:
    scene.commit(table, 0, {b"a:u0:7": b"mine"})
    table.close()
    again, told = scene.table(), []
    assert again.take_over([0], report=told.append)
    assert [(progress.start, progress.position) for progress in told] == [(4, 4)]
    assert again.get_many(0, ALL) == ALL | {b"a:u0:7": b"mine"}
    again.close()


@pytest.mark.parametrize("wrong", ["damaged", "ahead", "foreign", "old"])
def test_a_file_that_cannot_be_used_is_moved_aside_and_restored(
    table: StateTable, scene: Scene, wrong: str
) -> None:
    if wrong == "ahead":
        change = table.stage(0, {b"a:u0:7": b"of a changelog that was made anew"})
        change.offset = 500
        table.write([change])
    table.close()
    changes: dict[str, object] = {}
    if wrong == "damaged":
        (scene.folder / "0.db").write_bytes(b"no database at all" * 100)
    elif wrong == "foreign":
        changes = {"topic_id": "anew"}
    elif wrong == "old":
        changes = {"delete_retention": 0.0}
    again = scene.table(**changes)
    assert again.take_over([0])
    assert again.get_many(0, ALL) == ALL
    again.close()
    assert len(StateFiles(scene.folder).aside()) == 1


def test_a_file_may_lack_half_of_the_time_that_tombstones_stay(
    table: StateTable, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last one: its clock was ahead when the file was written, so that nobody knows how old it is.
    for share, aside in ((0.45, 0), (0.55, 1), (-0.1, 2)):
        table.close()
        now = time.time() + share * WEEK
        monkeypatch.setattr(table_module, "time", SimpleNamespace(time=lambda now=now: now))
        assert table.take_over([0])
        assert len(StateFiles(scene.folder).aside()) == aside


def test_damage_found_later_ends_the_worker_once(table: StateTable, scene: Scene) -> None:
    for number in range(30):
        scene.commit(table, 0, {b"a:x%d:7" % number: bytes(4000)})
    table.close()
    path = scene.folder / "0.db"
    again = scene.table()
    # All of a file is looked at when it is opened: this comes after.
    assert again.take_over([0])
    middle = path.stat().st_size // 8192 // 2 * 8192
    with path.open("r+b") as file:
        file.seek(middle)
        file.write(b"\xff" * (3 * 8192))
    with pytest.raises(StateFileUnusable):
        again.get_many(0, [b"a:x%d:7" % number for number in range(30)])
    again.close()
    third = scene.table()
    assert third.take_over([0])
    assert len(third.scan_keys(0)) == 33
    third.close()


def test_damage_that_is_found_while_rows_are_written_ends_neither_thread_badly(
    table: StateTable, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite ends a process that closes a file in the midst of a call: both threads have theirs open."""
    amid, found = threading.Event(), threading.Event()

    def seal_of(key: bytes, value: bytes | None) -> int:
        amid.set()
        assert found.wait(10.0)
        return row_seal(key, value)

    scene.commit(table, 0, {b"a:x%d:7" % number: b"old" for number in range(1_000)})
    damage = sqlite3.connect(scene.folder / "0.db")
    with damage:
        damage.execute("UPDATE rows SET seal = seal + 1 WHERE key = ?", (b"a:x1:7",))
    damage.close()
    monkeypatch.setattr(store_module, "row_seal", seal_of)
    change = table.stage(0, {b"a:x%d:7" % number: b"new" for number in range(500, 1_000)})
    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(table.write, [change])
        assert amid.wait(10.0)
        with pytest.raises(StateFileUnusable):
            table.get_many(0, [b"a:x1:7"])
        found.set()
        # It was begun before: whether it still goes in does not matter, the file is aside.
        assert writing.exception() is None
    assert 0 not in table.partitions
    assert len(StateFiles(scene.folder).aside()) == 1
    table.close()


def test_cancelled(scene: Scene) -> None:
    table = scene.table()
    assert not table.take_over([0], cancelled=lambda: True)
    assert table.partitions == []


def test_a_restore_that_lay_half_done_for_too_long_begins_anew(scene: Scene) -> None:
    """A row that it holds may have been deleted since, and the changelog may not tell any more."""
    identity = StoreIdentity(scene.changelog.topic, "", 0, 2, 1)
    scene.folder.mkdir()
    with PartitionStore(scene.folder / "0.db", identity) as store:
        store.append([(b"a:gone:7", b"v")], 1)
    table = scene.table(delete_retention=0.0)
    assert table.take_over([0])
    assert table.get_many(0, [*ALL, b"a:gone:7"]) == ALL
    assert len(StateFiles(scene.folder).aside()) == 1
    table.close()


def test_what_is_not_held_is_told_in_words(table: StateTable) -> None:
    """A damaged file was moved aside, and the stream goes on until the worker has ended."""
    change = table.stage(0, {b"a:u0:7": b"new"})
    change.offset = 3
    table._partitions.pop(0).close()
    for call in (
        lambda: table.get_many(0, [b"a:u1:7"]),
        lambda: table.scan_keys(0),
        lambda: table.keys_of_outcome(0, b"7"),
        lambda: table.write([change]),
    ):
        with pytest.raises(StateUnavailable, match="partition 0 is not held"):
            call()
