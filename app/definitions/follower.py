"""The thread that reads the definition topics: all partitions, in no group, committed records only."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from app.definitions.changes import Vector
from app.definitions.copy import DefinitionRecord
from app.definitions.errors import DefinitionsBehind, DefinitionsFailed, DefinitionTopicsChanged
from app.definitions.topics import DefinitionTopics
from app.errors import MasteryError
from app.reader import TopicMissing

__all__ = ["Follower"]

log = logging.getLogger(__name__)

#: Records that are applied at a time. Each costs 30 us of CPU, a transaction of the file 0.2 ms.
_BATCH: Final = 2_000

#: Seconds for one wait: how soon a catch-up is begun, or the end of the worker noticed.
_POLL: Final = 0.1

#: Seconds between two looks for new partitions, and for topics that were made anew.
_LOOK_EVERY: Final = 30.0

#: Seconds between two tries of a question that the broker could not answer.
_PAUSE: Final = 0.5

_Place = tuple[str, int]

#: What goes away by itself: a broker that is away, starts or hands a partition over.
_PASSING: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - librdkafka's names
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        # librdkafka asks for a coordinator of the group that nobody joins.
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)
_CUT_OFF: Final = {
    KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - librdkafka's names
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}


@dataclass(slots=True, eq=False)
class _CatchUp:
    """Somebody waits until all is applied that was there when the wait began."""

    done: threading.Event = field(default_factory=threading.Event)
    wanted: bool = True
    ends: dict[_Place, int] | None = None
    """Of partitions that are not there yet; None until the broker was asked."""


class Follower:
    """Hands batches to `take` with the positions after them, in the follower's own thread.

    `take` is called with no records where only positions moved. `fail` is called once, when the thread ends
    by an error: nothing is followed any more, and every catch-up raises that error.
    """

    def __init__(
        self,
        topics: DefinitionTopics,
        *,
        take: Callable[[Sequence[DefinitionRecord], Vector], None],
        fail: Callable[[MasteryError], None],
    ) -> None:
        self._topics = topics
        self._take = take
        self._fail = fail
        self._failure: MasteryError | None = None
        self._closing = threading.Event()
        self._topic_ids: Mapping[str, str] = {}
        self._places: set[_Place] = set()
        self._positions: dict[_Place, int] = {}
        self._lock = threading.Lock()
        self._catch_ups: list[_CatchUp] = []
        self._ask_at = 0.0
        self._thread = threading.Thread(target=self._run, name="definitions", daemon=True)

    def start(self, topic_ids: Mapping[str, str], places: Collection[_Place], positions: Vector) -> None:
        """Follow these partitions, from these positions on; those without one from their beginning."""
        self._topic_ids = topic_ids
        self._places = set(places)
        self._positions = dict(positions)
        self._thread.start()

    def close(self) -> None:
        """End the thread. What it had read and not applied is read again next time."""
        self._closing.set()
        # `fail` may end in a close, in the thread itself.
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def catch_up(self, timeout: float, cancelled: Callable[[], bool]) -> bool:
        """Wait until all records that are there now are applied; False when cancelled before.

        There is what lies below the high watermark: open transactions are waited for, as they may hold
        definitions that results committed since were made under. Raises DefinitionsBehind after `timeout`
        seconds, or what ended the thread.
        """
        waiting = _CatchUp()
        with self._lock:
            self._catch_ups.append(waiting)
        deadline = time.monotonic() + timeout
        try:
            while not waiting.done.wait(0.02):
                if self._failure is not None:
                    raise self._failure
                if cancelled() or self._closing.is_set():
                    return False
                if time.monotonic() > deadline:
                    raise self._behind(waiting, timeout)
        finally:
            waiting.wanted = False
        return True

    def _behind(self, waiting: _CatchUp, timeout: float) -> DefinitionsBehind:
        missing = sorted(dict(waiting.ends or {}).items())
        where = "no broker tells where they end"
        if missing:
            (topic, partition), end = missing[0]
            position = self._positions.get((topic, partition), 0)
            more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
            where = f"{topic} partition {partition} is read up to {position} of {end}{more}"
        return DefinitionsBehind(
            f"the definitions could not be read to their end in {timeout:g} s: {where}",
            hint="a broker does not answer, or a transaction is open: start the worker again",
        )

    def _run(self) -> None:
        try:
            consumer = self._topics.consumer()
            try:
                self._follow(consumer)
            finally:
                consumer.close()
        except MasteryError as error:
            self._end(error)
        except KafkaException as error:
            self._end(self._topics.explain(error, "read definitions"))
        except Exception as error:
            log.exception("definitions are not followed any more")
            self._end(DefinitionsFailed(f"definitions are not followed any more: {type(error).__name__}"))

    def _end(self, failure: MasteryError) -> None:
        if not self._closing.is_set():
            self._failure = failure
            self._fail(failure)

    def _follow(self, consumer: Consumer) -> None:
        self._assign(consumer)
        look_at = time.monotonic() + _LOOK_EVERY
        while not self._closing.is_set():
            self._begin_catch_ups(consumer)
            if time.monotonic() > look_at:
                look_at = time.monotonic() + _LOOK_EVERY
                if self._look() is not None:
                    self._assign(consumer)
            self._step(consumer)

    def _assign(self, consumer: Consumer) -> None:
        """Read all partitions on from where they are; the end of each is told anew."""
        # At 0 there may be nothing any more, where topics are not kept for ever.
        consumer.assign(
            [TopicPartition(*place, self._positions.get(place) or OFFSET_BEGINNING) for place in self._places]
        )

    def _look(self) -> set[_Place] | None:
        """Return partitions that were added; None without any, or when the broker does not tell."""
        try:
            ids, places = self._topics.describe()
        except TopicMissing:
            # A broker that has just started may not know it yet; reading tells when it stays away.
            return None
        except KafkaException as error:
            self._require_passing(error)
            return None
        for topic, topic_id in ids.items():
            if topic_id != self._topic_ids[topic]:
                raise DefinitionTopicsChanged(
                    f"the topic {topic} was made anew while its definitions were followed",
                    hint="start the worker again: it reads them anew",
                )
        added = places - self._places
        if added:
            log.info("%d partitions of definitions were added", len(added))
            self._places |= added
        return added or None

    def _begin_catch_ups(self, consumer: Consumer) -> None:
        with self._lock:
            self._catch_ups = [one for one in self._catch_ups if one.wanted]
            begun = [one for one in self._catch_ups if one.ends is None]
        if not begun or time.monotonic() < self._ask_at:
            return
        self._look()
        try:
            ends = self._topics.ends(self._places)
        except KafkaException as error:
            self._require_passing(error)
            self._ask_at = time.monotonic() + _PAUSE
            return
        # The embedded broker tells too low ends. With the fetches that begin now, each partition's end is
        # news that is younger than the call.
        self._assign(consumer)
        for one in begun:
            one.ends = dict(ends)

    def _require_passing(self, error: KafkaException) -> None:
        """Go on after a question that had no answer, if it can have one later."""
        failure = self._topics.explain(error, "look at the topics of definitions")
        if failure.permanent:
            raise failure from None
        log.debug("definitions: %s", failure)

    def _step(self, consumer: Consumer) -> None:
        first = consumer.poll(_POLL)
        if first is None:
            return
        records: list[DefinitionRecord] = []
        moved: dict[_Place, int] = {}
        ended: dict[_Place, int] = {}
        # `consume` waits until it has them all, so it gets no time to do so.
        for message in [first, *consumer.consume(_BATCH, 0)]:
            place, offset = (str(message.topic()), int(message.partition() or 0)), int(message.offset() or 0)
            error = message.error()
            if error is None:
                value = message.value()
                records.append(DefinitionRecord(*place, offset, value if isinstance(value, bytes) else None))
                moved[place] = offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name
                # What lies before it without a record: markers, aborted records.
                ended[place] = moved[place] = offset
            else:
                self._judge(error, place)
        if records or any(self._positions.get(place) != at for place, at in moved.items()):
            self._take(records, moved)
            self._positions |= moved
        self._note(ended)

    def _judge(self, error: KafkaError, place: _Place) -> None:
        """Raise what does not go away by itself."""
        if error.code() in _CUT_OFF:
            raise DefinitionTopicsChanged(
                f"{place[0]} partition {place[1]} holds nothing at offset {self._positions.get(place, 0)}:"
                " the topic was deleted or made anew, or retention was faster than this worker",
                hint="start the worker again: it reads the definitions anew",
            )
        if error.code() not in _PASSING and not error.retriable():
            raise KafkaException(error)

    def _note(self, ended: Mapping[_Place, int]) -> None:
        with self._lock:
            waiting = [one for one in self._catch_ups if one.ends is not None]
        for one in waiting:
            ends = one.ends or {}
            for place, offset in ended.items():
                if offset >= ends.get(place, offset + 1):
                    del ends[place]
            if not ends:
                one.wanted = False
                one.done.set()
