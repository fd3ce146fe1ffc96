"""Feeds the raw topic at a bounded rate, and keeps what it fed."""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message, Producer

from tests.chaos.workload import Event

__all__ = ["Fed", "Feeder", "Place"]

Place = tuple[int, int]  # partition and offset in the raw topic
_TICK = 0.02
_AGE_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Fed:
    """An event that the broker acknowledged, and the timestamp (ms) it has there."""

    event: Event
    timestamp: int


class Feeder:
    """A thread that writes events, in turn to all partitions, until it is stopped."""

    def __init__(
        self, bootstrap: str, topic: str, events: Iterator[Event], *, partitions: int, rate: int
    ) -> None:
        self._topic, self._partitions, self._rate = topic, partitions, rate
        self._events = events
        self._fed: dict[Place, Fed] = {}
        self._positions = dict.fromkeys(range(partitions), 0)
        self._failed: list[KafkaError] = []
        self._error: BaseException | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "message.timeout.ms": 120_000,
                "socket.timeout.ms": 5_000,
                "reconnect.backoff.max.ms": 500,
                "linger.ms": 5,
                "compression.type": "lz4",
                # A record is held against this before it is compressed, by the broker after.
                "message.max.bytes": 32 * 1024 * 1024,
                "log_level": 0,
            }
        )

    @property
    def count(self) -> int:
        """Events that the broker has acknowledged so far."""
        return len(self._fed)

    def positions(self) -> dict[int, int]:
        """Return per partition the offset up to which everything is acknowledged."""
        return dict(self._positions)

    def start(self) -> None:
        """Begin to feed."""
        self._thread.start()

    def stop(self) -> Mapping[Place, Fed]:
        """Stop, wait until all is acknowledged, and return everything that was fed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(150.0)
        if self._error is not None:
            raise self._error
        assert not self._thread.is_alive(), "the feeder does not stop"
        assert not self._failed, f"{len(self._failed)} events could not be fed: {self._failed[0]}"
        return self._fed

    def close(self) -> None:
        """Stop, whatever became of it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(150.0)

    def _run(self) -> None:
        try:
            self._feed()
        except BaseException as error:  # noqa: BLE001 - handed to whoever calls stop()
            self._error = error

    def _feed(self) -> None:
        started, sent = time.monotonic(), 0
        # In the past, and each another one: a worker's own clock must not show in what it writes.
        first_timestamp = int(time.time() * 1000) - _AGE_MS
        while not self._stopping.is_set():
            due = int((time.monotonic() - started) * self._rate)
            # What could not be sent in time, as the broker was away, is not made up for in one rush.
            if due - sent > self._rate:
                started += (due - sent - self._rate) / self._rate
                due = sent + self._rate
            while sent < due and not self._stopping.is_set():
                self._send(next(self._events), sent % self._partitions, first_timestamp + sent)
                sent += 1
            self._producer.poll(_TICK)
        left = self._producer.flush(120.0)
        assert left == 0, f"{left} events were never acknowledged"

    def _send(self, event: Event, partition: int, timestamp: int) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failed.append(error)
                return
            # Unknown where the broker has answered a retry alone; in a partition, events keep their order.
            offset = message.offset()
            if offset is None:
                offset = self._positions[partition]
            self._fed[partition, offset] = Fed(event, timestamp)
            self._positions[partition] = offset + 1

        while True:
            try:
                self._producer.produce(
                    self._topic,
                    event.value,
                    partition=partition,
                    timestamp=timestamp,
                    on_delivery=delivered,
                )
                return
            except BufferError:
                self._producer.poll(0.1)
