"""State read back from its changelog: all of it into a new file, or what a file lacks."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined] # not in its stubs

from app.held_offsets import held_offsets
from app.memory import give_back
from app.state.errors import ChangelogUnusable, StateFileUnusable
from app.state.store import PartitionStore

__all__ = ["RestoreProgress", "restore"]

#: Partition and offset.
_Place = tuple[int, int]

#: Records of one partition that are written to its file at a time. Each costs 5 us; a transaction 0.1 ms.
_BATCH = 4_000

#: Seconds without anything from the broker.
_PATIENCE = 30.0

#: Seconds. How long a look at a suspicious position waits for the broker to answer.
_LOOK_TIMEOUT = 5.0

#: Seconds for one wait; how soon a restore that is not wanted any more ends.
_POLL = 0.5


@dataclass(frozen=True, slots=True)
class RestoreProgress:
    """How far the restore of one partition is; offsets of the changelog."""

    partition: int
    start: int
    position: int
    end: int


@dataclass(slots=True)
class _Restore:
    """One partition on its way."""

    store: PartitionStore
    start: int
    end: int
    rows: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    position: int = 0
    spoiled: dict[bytes | None, tuple[int, str]] = field(default_factory=dict)
    """Keys whose last record is no row: where that is, and what it is."""
    spoils: set[int] = field(default_factory=set)
    """Offsets of all records that are none. From the first of them on nothing comes into the file."""

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take a record."""
        self.rows.append((key, value))
        if self.spoiled:
            self.spoiled.pop(key, None)

    def take_spoil(self, key: bytes | None, offset: int, what: str) -> None:
        """Take a record that is no row: a later one of its key may make up for it."""
        if not self.spoils:
            self.write()
        self.spoils.add(offset)
        self.spoiled[key] = offset, what

    def write(self) -> None:
        """Bring what was read into the file."""
        if self.spoils:
            self.rows = []
            return
        if self.store.restoring:
            self.store.append(self.rows, self.position)
        else:
            self.store.write(dict(self.rows), self.position, synced=False)
        self.rows = []


def restore(
    config: Mapping[str, Any],
    topic: str,
    stores: Mapping[int, PartitionStore],
    *,
    check: Callable[[bytes], bool],
    home: Callable[[bytes], int | None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    report: Callable[[RestoreProgress], None] = lambda _: None,
) -> bool:
    """Bring each partition's file up to the end of the changelog; False when cancelled before. Blocks.

    The end is the high watermark that is seen now: what an earlier owner committed lies below it, even where
    the transaction's markers are still on their way. It is reached when the read_committed position is there,
    so an open transaction is waited for. Nobody may write to these partitions meanwhile but in transactions
    that were begun before.

    `config` is that of a client, with the name of a group that this user may see; `check` says whether a
    value is a row of the format expected, and `home` in which partition a key belongs, None for any.

    A record that is no row, or in another key's partition, is passed over where a later one of its key is
    good; in a compacted topic it stays beside that for a while. Else nothing of it, or after it, comes into
    the file.

    Raises:
        StateFileUnusable: a file is ahead of the changelog, or behind its beginning; no file was changed.
        ChangelogUnusable: a key's last record is no row, or the broker does not answer.
        StateUnavailable: a file cannot be written.
    """
    passed: set[_Place] = set()
    left = stores
    try:
        while left:
            reader = _Reader(config, topic, _begin(config, topic, left), check, home, passed, report)
            if not reader.run(cancelled):
                return False
            passed |= reader.spoils
            left = {partition: stores[partition] for partition, _ in reader.spoils}
    except KafkaException as error:
        cause = error.args[0]
        name = cause.name() if isinstance(cause, KafkaError) else type(error).__name__
        raise ChangelogUnusable(f"the changelog {topic} could not be read: {name}") from None
    return True


def _begin(
    config: Mapping[str, Any], topic: str, stores: Mapping[int, PartitionStore]
) -> dict[int, _Restore]:
    admin = AdminClient({**config})
    begins = _offsets(admin, topic, stores, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
    ends = _offsets(admin, topic, stores, OffsetSpec.latest())  # type: ignore[no-untyped-call]
    positions = {partition: store.position for partition, store in stores.items()}
    beyond = {partition for partition, position in positions.items() if position > ends[partition]}
    beyond -= _held(config, topic, {partition: positions[partition] for partition in beyond})
    running = {}
    for partition, store in stores.items():
        position = positions[partition]
        if partition in beyond or 0 < position < begins[partition]:
            raise StateFileUnusable(
                store.path,
                f"stands at offset {position} of {topic} partition {partition}, which goes from"
                f" {begins[partition]} to {ends[partition]}",
            )
        running[partition] = _Restore(store, position, ends[partition], position=position)
    return running


def _held(config: Mapping[str, Any], topic: str, positions: Mapping[int, int]) -> set[int]:
    """Return the partitions that have these offsets, whatever the broker says of their ends."""
    if not positions:
        return set()
    consumer = _consumer(config, topic)
    try:
        places = {(topic, partition): position for partition, position in positions.items()}
        return {partition for _, partition in held_offsets(consumer, places, _LOOK_TIMEOUT)}
    finally:
        consumer.close()


def _consumer(config: Mapping[str, Any], topic: str) -> Consumer:
    return Consumer(
        {
            # Never joined, never committed: librdkafka wants a name, and asks who coordinates it. A Kafka
            # with access control lists answers that only for groups that this user may see.
            "group.id": f"{topic}-restore",
            **config,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": 65_536,
        }
    )


def _offsets(
    admin: AdminClient, topic: str, partitions: Mapping[int, object], which: OffsetSpec
) -> dict[int, int]:
    asked = admin.list_offsets(
        {TopicPartition(topic, partition): which for partition in partitions}, request_timeout=_PATIENCE
    )
    return {place.partition: int(future.result().offset) for place, future in asked.items()}


class _Reader:
    """Reads several partitions at once, each into its file."""

    def __init__(
        self,
        config: Mapping[str, Any],
        topic: str,
        running: dict[int, _Restore],
        check: Callable[[bytes], bool],
        home: Callable[[bytes], int | None],
        passed: Collection[_Place],
        report: Callable[[RestoreProgress], None],
    ) -> None:
        self.spoils: set[_Place] = set()
        """Records that are no rows, of partitions that are to be read again without them."""
        self._home = home
        self._passed = passed
        self._topic = topic
        self._running = running
        self._check = check
        self._report = report
        self._consumer = _consumer(config, topic)

    def run(self, cancelled: Callable[[], bool]) -> bool:
        heard_at = time.monotonic()
        try:
            self._consumer.assign(
                [
                    TopicPartition(self._topic, partition, one.start)
                    for partition, one in self._running.items()
                ]
            )
            while self._running:
                messages = self._consumer.consume(_BATCH, _POLL)
                if cancelled():
                    return False
                if messages:
                    heard_at = time.monotonic()
                elif time.monotonic() > heard_at + _PATIENCE:
                    raise ChangelogUnusable(f"the changelog {self._topic} could not be read in time")
                self._take(messages)
        finally:
            self._consumer.close()
        # What was on its way took several times what stays.
        give_back()
        return True

    def _take(self, messages: list[Message]) -> None:
        ended = []
        for message in messages:
            partition = int(message.partition() or 0)
            one = self._running.get(partition)
            if one is None:
                continue
            error = message.error()
            if error is None:
                self._take_record(one, partition, message)
                one.position = int(message.offset() or 0) + 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name
                one.position = int(message.offset() or 0)
                ended.append(partition)
            else:
                raise KafkaException(error)
        for partition, one in list(self._running.items()):
            if len(one.rows) >= _BATCH or partition in ended:
                one.write()
                self._report(RestoreProgress(partition, one.start, one.position, one.end))
            if partition in ended and one.position >= one.end:
                if one.spoils:
                    self._require_mended(partition, one)
                elif one.store.restoring:
                    one.store.finish_restore()
                else:
                    one.store.mark_synced()
                del self._running[partition]

    def _take_record(self, one: _Restore, partition: int, message: Message) -> None:
        key, value, offset = message.key(), message.value(), int(message.offset() or 0)
        problem = None
        if not isinstance(key, bytes):
            key, problem = None, "no row of this version"
        elif value is not None and not self._check(value):
            problem = "no row of this version"
        elif value is not None and self._home(key) not in {None, partition}:
            problem = "a row of another partition"
        if key is not None and problem is None:
            one.take(key, value)
        elif (partition, offset) not in self._passed:
            one.take_spoil(key, offset, problem or "")

    def _require_mended(self, partition: int, one: _Restore) -> None:
        for offset, problem in sorted(one.spoiled.values()):
            raise ChangelogUnusable(
                f"{self._topic} partition {partition} holds {problem} at offset {offset}",
                hint="a newer version wrote it, or something else than a worker: run that version, or"
                " `mastery state rebuild`",
            )
        self.spoils |= {(partition, offset) for offset in one.spoils}
