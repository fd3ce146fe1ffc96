"""The thread that keeps views behind the changelog: own consumer, no group, committed records only.

It goes on whatever happens: an error is told by `error` or in a partition's state, and what failed is
tried again; what is ready can be read all the while. Partitions are read for the first time one after the
other, in batches; those that are built are followed meanwhile. It takes a share of one core that its owner
sets at any time, and the less it may take, the more changes of a row it brings in as one.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.definitions.topics import DefinitionTopics
from app.errors import MasteryError
from app.mastery import blob
from app.settings import Settings
from app.state.store import StoreIdentity
from app.topics import load_catalogue
from app.views.answers import Change, PartitionView
from app.views.files import ViewFiles
from app.views.followed import Followed, delete_view

__all__ = ["Builder"]

log = logging.getLogger(__name__)

#: Records that are read at a time.
_BATCH: Final = 5_000

#: Seconds for one wait: how soon other partitions or the end are noticed.
_POLL: Final = 0.2

#: Seconds between two looks at the topic, which also notice a broker that is away.
_LOOK_EVERY: Final = 10.0

#: Seconds until all is tried again after an error.
_PAUSE: Final = 2.0

#: Seconds between two batches where there is only a share of a core, and the longest pause.
_PACE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0

#: Seconds that a view is kept whose partition has left: it may come back.
_KEPT: Final = 900.0

_CUT_OFF: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001


class Builder:
    """Follows the changelog into `<folder>/<partition>.db` for the partitions that are owned."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        files: ViewFiles,
        *,
        share: Callable[[], float],
        tell: Callable[[tuple[Change, ...]], None],
    ) -> None:
        self._settings = settings
        self._topic = settings.changelog_topic
        self._folder = folder
        self._files = files
        self._share = share
        self._tell = tell
        spec = load_catalogue(settings).topics[self._topic]
        self._delete_retention = int(spec.config["delete.retention.ms"]) / 1000
        self._owned: frozenset[int] = frozenset()
        self._followed: Mapping[int, Followed] = {}
        self._seen: tuple[dict[str, str], set[tuple[str, int]]] | None = None
        self._left: dict[int, float] = {}
        self._assigned: frozenset[int] = frozenset()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="views", daemon=True)
        self.error: str | None = None
        """Why nothing is read at present, for a person."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; what it had read and not written is read again next time."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def own(self, partitions: Collection[int]) -> None:
        """Follow these partitions and no others, soon."""
        self._owned = frozenset(partitions)

    def states(self) -> dict[int, PartitionView]:
        """How far each owned partition is."""
        followed, error = self._followed, self.error
        return {
            partition: followed[partition].view(error)
            if partition in followed
            else PartitionView(partition, 0, None, ready=False, progress=0.0, current_at=0.0, error=error)
            for partition in sorted(self._owned)
        }

    def _run(self) -> None:
        if sys.platform == "linux":
            # Behind whatever else runs on the machine. Elsewhere this would be about the whole process.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        topics = DefinitionTopics(self._settings, [self._topic])
        while not self._closing.is_set():
            try:
                self._follow(topics)
            except MasteryError as error:
                self._failed(str(error))
            except KafkaException as error:
                self._failed(str(topics.explain(error, "follow the changelog for the web view")))
            except Exception as error:
                log.exception("the rows of the web view are opened anew")
                self._failed(f"an unexpected {type(error).__name__}")
                self._close_all()
            self._closing.wait(_PAUSE)
        self._close_all()

    def _failed(self, why: str) -> None:
        if self.error is None:
            log.warning("the web view does not follow the rows: %s", why)
        self.error = why

    def _close_all(self) -> None:
        followed, self._followed = self._followed, {}
        for one in followed.values():
            one.close()

    def _follow(self, topics: DefinitionTopics) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = topics.describe()
        if seen != self._seen:
            # Made anew, or with other partitions: the files tell what they are of.
            self._close_all()
            self._seen = seen
        for one in self._followed.values():
            one.restart()
        consumer = topics.consumer()
        self._assigned = frozenset()
        try:
            look_at = 0.0
            while not self._closing.is_set():
                self._settle(topics, *seen)
                self._assign(consumer)
                if time.monotonic() > look_at:
                    look_at = time.monotonic() + _LOOK_EVERY
                    if topics.describe() != seen:
                        return
                    self._tidy()
                self.error = None
                began = time.thread_time()
                idle = not self._step(consumer)
                self._look_after(idle=idle)
                self._rest(time.thread_time() - began, idle=idle)
        finally:
            consumer.close()

    def _settle(
        self, topics: DefinitionTopics, ids: Mapping[str, str], places: Collection[tuple[str, int]]
    ) -> None:
        """Open what came, close what left."""
        owned = self._owned & {partition for _, partition in places}
        followed = dict(self._followed)
        for partition in followed.keys() - owned:
            followed.pop(partition).close()
        self._followed = followed
        for partition in sorted(owned - followed.keys()):
            identity = StoreIdentity(self._topic, ids[self._topic], partition, len(places), blob.FORMAT)
            path = self._path(partition)
            one = Followed(path, identity, self._files, delete_retention=self._delete_retention)
            place = (self._topic, partition)
            try:
                if one.read and (reason := topics.misfit({place: one.read}, {place})) is not None:
                    log.info("the web view of partition %d is built anew: it %s", partition, reason)
                    one.rebuild()
                one.begin(topics.ends({place})[place])
            except BaseException:
                one.close()
                raise
            self._followed = {**self._followed, partition: one}

    def _tidy(self) -> None:
        """Delete views of partitions that left long ago; note that the others are up to date."""
        now = time.monotonic()
        for partition, one in self._followed.items():
            self._left.pop(partition, None)
            one.keep_fresh()
        there = {int(path.stem) for path in self._folder.glob("*.db") if path.stem.isdecimal()}
        for partition in there - self._followed.keys():
            if now - self._left.setdefault(partition, now) > _KEPT:
                delete_view(self._path(partition))
                del self._left[partition]

    def _path(self, partition: int) -> Path:
        return self._folder / f"{partition}.db"

    def _assign(self, consumer: Consumer) -> None:
        """Read what is built, and one that is not; all anew from where they are when that changes."""
        able = [one for one in self._followed.values() if not one.paused]
        first = [one.partition for one in able if not one.built][:1]
        wanted = frozenset(first + [one.partition for one in able if one.built])
        if wanted != self._assigned:
            consumer.assign(
                [
                    TopicPartition(self._topic, partition, self._followed[partition].read or OFFSET_BEGINNING)
                    for partition in sorted(wanted)
                ]
            )
            self._assigned = wanted

    def _step(self, consumer: Consumer) -> bool:
        """Read some records and bring them in; return whether there were any."""
        first = consumer.poll(_POLL)
        if first is None:
            return False
        by_partition: dict[int, list[Message]] = {}
        # `consume` waits until it has them all, so it gets no time to do so.
        for message in [first, *consumer.consume(_BATCH, 0)]:
            by_partition.setdefault(int(message.partition() or 0), []).append(message)
        for partition, messages in by_partition.items():
            one = self._followed.get(partition)
            if one is not None and partition in self._assigned:
                self._take(consumer, one, messages)
        return True

    def _take(self, consumer: Consumer, one: Followed, messages: Collection[Message]) -> None:
        records: list[tuple[bytes | None, bytes | None, int]] = []
        position, ended = one.read, False
        for message in messages:
            error, offset = message.error(), int(message.offset() or 0)
            if error is None:
                # librdkafka gives bytes where the stubs allow for text.
                key, value = message.key(), message.value()
                records.append((key, value, message.timestamp()[1]))
                position, ended = offset + 1, False
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name
                # What lies before it without a record: markers, aborted records.
                position, ended = offset, True
            elif error.code() in _CUT_OFF:
                log.info("the web view of partition %d is built anew: its place is gone", one.partition)
                one.rebuild()
                self._assigned = frozenset()
                return
            else:
                raise KafkaException(error)
        _, high = consumer.get_watermark_offsets(TopicPartition(self._topic, one.partition), cached=True)
        one.end = max(high, position)
        one.take(records, position, ended=ended)
        was_at = one.read
        try:
            changes = one.write()
        except MasteryError as error:
            log.warning("the web view of partition %d waits: %s", one.partition, error)
            one.put_off(str(error))
            changes = ()
        if one.read != was_at:
            # Rebuilt or put off: it is read from elsewhere.
            self._assigned = frozenset()
        if changes:
            self._tell(changes)

    def _look_after(self, *, idle: bool) -> None:
        for partition in self._files.take_suspects():
            if partition in self._followed:
                self._followed[partition].examine()
                self._assigned = frozenset()
        if idle:
            for one in self._followed.values():
                one.clean()

    def _rest(self, work: float, *, idle: bool) -> None:
        """Pause, so that the work is no more than the share of a core."""
        share = self._share()
        if share < 1.0 and not idle:
            self._closing.wait(min(max(_PACE, work * (1 / max(share, 0.01) - 1)), _LONGEST_PAUSE))
