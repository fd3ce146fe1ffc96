"""Watches the committed offsets, as the broker tells them, for as long as a test runs."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.support.records import CommittedOffsets, end_offsets

__all__ = ["Mark", "OffsetSampler", "OutputEnds"]

_INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class Mark:
    """What was committed of the raw topic, by partition, and where the outputs ended right after that."""

    committed: Mapping[int, int]
    #: By topic and partition; transactions that are still open count.
    ends: Mapping[tuple[str, int], int]
    #: The time of day, for whoever compares it with logs.
    moment: str = ""


class OutputEnds:
    """Looks up the ends of topics, all at once and often."""

    def __init__(self, bootstrap: str, topics: Collection[str]) -> None:
        self._places = [
            TopicPartition(topic, partition, OFFSET_END)
            for topic, partition in end_offsets(bootstrap, topics)
        ]
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "tests-output-ends",
                "isolation.level": "read_uncommitted",
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    @classmethod
    def of_one_broker(cls, bootstrap: str, topics: Collection[str]) -> "OutputEnds | None":
        """Return one for these topics; None where there are several brokers.

        One of several that hung and wakes up takes itself for a leader for a while, and tells ends of before.
        """
        brokers = (
            AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=10.0).brokers
        )
        return cls(bootstrap, topics) if len(brokers) == 1 else None

    def read(self, timeout: float) -> dict[tuple[str, int], int]:
        """Return the ends. KafkaException where the broker does not tell all of them."""
        found = self._consumer.offsets_for_times(self._places, timeout=timeout)
        for place in found:
            if place.error is not None:
                raise KafkaException(place.error)
        return {(place.topic, place.partition): place.offset for place in found}

    def close(self) -> None:
        """Let the broker go."""
        self._consumer.close()


class OffsetSampler:
    """A thread that asks for a group's committed offsets all the time and notes when one goes back.

    With `ends` it keeps marks, of the topic `raw`: for each sample that tells something new where the outputs
    ended afterwards.
    """

    def __init__(
        self,
        offsets: CommittedOffsets,
        *,
        raw: str,
        ends: OutputEnds | None = None,
        on_sample: Callable[[Mapping[int, int]], None],
    ) -> None:
        self._offsets, self._raw, self._ends, self._on_sample = offsets, raw, ends, on_sample
        self._last: dict[tuple[str, int], int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="offset sampler", daemon=True)
        self.samples = 0
        self.marks: list[Mark] = []
        #: Topic, and what was seen.
        self.went_back: list[tuple[str, str]] = []

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Stop sampling; `went_back`, `marks` and `samples` stay."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(30.0)

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL):
            try:
                now = self._offsets.read(timeout=2.0)
                self._take(now)
            except KafkaException:
                continue  # the broker is frozen, or away
        self._offsets.close()
        if self._ends is not None:
            self._ends.close()

    def _take(self, now: dict[tuple[str, int], int]) -> None:
        self.samples += 1
        for place, offset in now.items():
            if offset < self._last.get(place, 0):
                moment = time.strftime("%H:%M:%S")
                text = f"{place} from {self._last[place]} to {offset} at {moment}"
                self.went_back.append((place[0], text))
        news = any(self._last.get(place) != offset for place, offset in now.items())
        self._last.update(now)
        raw = {partition: offset for (topic, partition), offset in now.items() if topic == self._raw}
        self._on_sample(raw)
        if news and self._ends is not None:
            self.marks.append(Mark(raw, self._ends.read(timeout=2.0), time.strftime("%H:%M:%S")))
