import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from app.kafka import client_config
from app.settings import Settings
from app.state import restore as restore_module
from app.state.errors import ChangelogUnusable, StateFileUnusable
from app.state.reader import StoreReader
from app.state.restore import RestoreProgress, restore
from app.state.store import PartitionStore, StoreIdentity
from tests.support.records import create_topic

Rows = Iterable[tuple[bytes, bytes | None]]


class Changelog:
    """A changelog of two partitions, and the files of both."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.topic = f"{settings.topic_prefix}changelog"
        create_topic(settings.broker, self.topic, partitions=2)
        self.producer = Producer(client_config(settings, **{"enable.idempotence": True}))

    def add(self, rows: Rows, *, partition: int = 0, producer: Producer | None = None) -> None:
        failures: list[object] = []
        writer = producer or self.producer
        for key, value in rows:
            writer.produce(
                self.topic, value, key, partition, lambda error, _: error and failures.append(error)
            )
        assert (writer.flush(20.0), failures) == (0, [])

    def transaction(self) -> Producer:
        producer = Producer(client_config(self.settings, **{"transactional.id": self.topic}))
        producer.init_transactions()
        producer.begin_transaction()
        return producer

    def file(self, partition: int) -> PartitionStore:
        identity = StoreIdentity(self.topic, "", partition, partitions=2, rows_format=1)
        return PartitionStore(self.folder / f"{partition}.db", identity)

    def restore(
        self,
        *partitions: int,
        check: Callable[[bytes], bool] = lambda value: not value.startswith(b"poison"),
        home: Callable[[bytes], int | None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> tuple[bool, list[RestoreProgress]]:
        stores = {partition: self.file(partition) for partition in partitions}
        told: list[RestoreProgress] = []
        try:
            done = restore(
                client_config(self.settings),
                self.topic,
                stores,
                check=check,
                home=home,
                cancelled=cancelled,
                report=told.append,
            )
        finally:
            for store in stores.values():
                store.close()
        return done, told

    def content(self, partition: int) -> dict[bytes, bytes]:
        with StoreReader(self.folder / f"{partition}.db") as reader:
            return dict(reader.scan(limit=100_000))


@pytest.fixture
def changelog(settings: Settings, tmp_path: Path) -> Changelog:
    return Changelog(settings, tmp_path)


def rows(start: int, end: int, value: bytes = b"v") -> list[tuple[bytes, bytes | None]]:
    return [(b"a:u%d:1" % number, value) for number in range(start, end)]


def test_an_empty_folder_gets_the_last_version_of_each_row(changelog: Changelog) -> None:
    changelog.add([*rows(0, 9000, b"old"), *rows(4000, 9000, b"new"), (b"a:u1:1", None)])
    changelog.add(rows(0, 5), partition=1)
    done, told = changelog.restore(0, 1)
    assert done
    expected = dict([*rows(0, 4000, b"old"), *rows(4000, 9000, b"new")])
    del expected[b"a:u1:1"]
    assert changelog.content(0) == expected
    assert changelog.content(1) == dict(rows(0, 5))
    last = {progress.partition: progress for progress in told}
    assert (last[0].start, last[0].position) == (0, 14_001)
    assert last[1].position == 5


def test_a_file_gets_what_it_lacks(changelog: Changelog) -> None:
    changelog.add(rows(0, 10))
    changelog.restore(0)
    changelog.add([(b"a:u3:1", b"changed"), (b"a:u4:1", None), *rows(10, 12)])
    _, told = changelog.restore(0)
    expected = dict(rows(0, 12)) | {b"a:u3:1": b"changed"}
    del expected[b"a:u4:1"]
    assert changelog.content(0) == expected
    assert [progress.start for progress in told] == [10]


def test_an_empty_changelog(changelog: Changelog) -> None:
    assert changelog.restore(0)[0]
    assert changelog.content(0) == {}
    with changelog.file(0) as store:
        assert not store.restoring


def test_a_restore_that_is_not_wanted_any_more_goes_on_later(changelog: Changelog) -> None:
    changelog.add(rows(0, 20))
    assert not changelog.restore(0, cancelled=lambda: True)[0]
    with changelog.file(0) as store:
        assert store.restoring
    assert changelog.restore(0)[0]
    assert changelog.content(0) == dict(rows(0, 20))


@pytest.mark.parametrize("record", [(b"a:u1:1", b"poison"), (None, b"v")])
def test_what_is_no_row_is_never_restored_past(
    changelog: Changelog, record: tuple[bytes | None, bytes]
) -> None:
    changelog.add([*rows(0, 3), record, *rows(3, 5)])  # type: ignore[list-item]
    with pytest.raises(ChangelogUnusable, match="partition 0 holds no row of this version at offset 3"):
        changelog.restore(0)
    with changelog.file(0) as store:
        assert store.restoring


def test_what_is_no_row_is_passed_over_once_a_later_record_of_its_key_is_good(changelog: Changelog) -> None:
    """As after a rebuild: until the topic is compacted, both are there."""
    changelog.add([*rows(0, 3), (b"a:u1:1", b"poison"), (b"a:u9:1", b"poison"), *rows(3, 5)])
    for key, told in ((b"a:u1:1", "offset 3"), (b"a:u9:1", "offset 4")):
        for _ in range(2):  # the first refusal must leave nothing that the next start goes on behind
            with pytest.raises(ChangelogUnusable, match=told):
                changelog.restore(0)
        changelog.add([(key, b"good" if key == b"a:u1:1" else None)])
    assert changelog.restore(0)[0]
    assert changelog.content(0) == dict(rows(0, 5)) | {b"a:u1:1": b"good"}
    changelog.add([(b"a:u2:1", b"poison")])
    for _ in range(2):
        with pytest.raises(ChangelogUnusable, match="offset 9"):
            changelog.restore(0)
    changelog.add([(b"a:u2:1", b"good")])
    assert changelog.restore(0)[0]
    assert changelog.content(0)[b"a:u2:1"] == b"good"


def test_a_row_of_another_partition_is_no_row(changelog: Changelog) -> None:
    changelog.add([*rows(0, 3), (b"a:stranger:1", b"v"), (b"a:gone:1", None)])

    def home(key: bytes) -> int | None:
        return 1 if b"stranger" in key or b"gone" in key else 0

    with pytest.raises(ChangelogUnusable, match="holds a row of another partition at offset 3"):
        changelog.restore(0, home=home)
    changelog.add([(b"a:stranger:1", None)])
    assert changelog.restore(0, home=home)[0]
    assert changelog.content(0) == dict(rows(0, 3))


@pytest.mark.kafka
def test_a_file_ahead_of_the_changelog_is_refused(changelog: Changelog) -> None:
    changelog.add(rows(0, 3))
    changelog.restore(0)
    with changelog.file(0) as store:
        store.write({b"a:x:1": b"v"}, 50)
    with pytest.raises(StateFileUnusable, match=r"stands at offset 50 of .* which goes from 0 to 3"):
        changelog.restore(0)


@pytest.mark.kafka
@pytest.mark.parametrize("end", ["commit", "abort"])
def test_an_open_transaction_is_waited_for(changelog: Changelog, end: str) -> None:
    changelog.add(rows(0, 3))
    producer = changelog.transaction()
    changelog.add([(b"a:u1:1", b"open"), *rows(10, 12)], producer=producer)
    ending = threading.Timer(1.5, getattr(producer, f"{end}_transaction"))
    ending.start()
    started = time.monotonic()
    assert changelog.restore(0)[0]
    ending.join()
    assert time.monotonic() - started > 1.0
    expected = dict(rows(0, 3))
    if end == "commit":
        expected |= {b"a:u1:1": b"open"} | dict(rows(10, 12))
    assert changelog.content(0) == expected


@pytest.mark.kafka
def test_markers_at_the_end_are_passed(changelog: Changelog) -> None:
    for _ in range(2):
        producer = changelog.transaction()
        changelog.add(rows(0, 2), producer=producer)
        producer.commit_transaction()
    changelog.restore(0)
    done, told = changelog.restore(0)
    assert done
    assert [progress.position for progress in told] == [6]


def test_a_file_is_gone_on_with_whatever_the_broker_says_of_the_end(
    changelog: Changelog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded broker tells an end inside the last batch."""
    changelog.add((b"a:u%d:7" % number, b"v") for number in range(50))
    assert changelog.restore(0)[0]
    offsets = restore_module._offsets
    monkeypatch.setattr(
        restore_module,
        "_offsets",
        lambda *asked: {partition: min(at, 20) for partition, at in offsets(*asked).items()},
    )
    changelog.add([(b"a:new:7", b"v")])
    done, told = changelog.restore(0)
    assert done
    assert (told[0].start, told[-1].position) == (50, 51)
