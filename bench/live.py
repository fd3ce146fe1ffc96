"""Live load at a given rate, and how long each of its results takes to both ends of the way.

The sender is a process of its own: event `n` is due at `begin + n / rate` on the machine's monotonic clock,
and its latency counts from then, sent late or not: what a stall holds back is not left out (no coordinated
omission). A follower, read_committed, notes when each typed record and each row of mastery can be read.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import Consumer, Producer, TopicPartition

from app.schemas.contract import load_contract
from app.schemas.decoder import compile_decoder
from bench.mastery_restore import student_uuid
from bench.measure import RunFailed
from bench.stage import Stage
from bench.workload import ACCOUNT, OUTCOMES, RESULT_EVENT, result_event

__all__ = ["FIRST", "Arrival", "Follower", "Live", "Sender", "percentiles"]

_ROOT = Path(__file__).resolve().parent.parent
_FRAMING = 5

FIRST = 10_000_000
"""The number of the first event of a load: results of other events have smaller ids."""


class Arrival(NamedTuple):
    """A record that can be read."""

    at: float
    typed: bool
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Live:
    """A load: results in turn of so many rows, of students from `first_student` on."""

    rate: int
    seconds: float
    rows: int
    first: int = FIRST
    first_student: int = 0

    @property
    def events(self) -> int:
        """How many there are."""
        return int(self.rate * self.seconds)

    def place(self, number: int) -> tuple[str, int]:
        """Student and outcome of event `number` of the load (from 0 on)."""
        student, outcome = divmod(number % self.rows, OUTCOMES)
        return student_uuid(self.first_student + student), outcome + 1

    def event(self, number: int) -> bytes:
        """The event."""
        user, outcome = self.place(number)
        return result_event(self.first + number, user=user, outcome=outcome)

    def key(self, number: int) -> bytes:
        """The key of its row."""
        user, outcome = self.place(number)
        return f"{ACCOUNT}:{user}:{outcome}".encode()


class Sender:
    """The process that sends a load, from `begin` (monotonic seconds) on."""

    def __init__(self, stage: Stage, load: Live, begin: float) -> None:
        task = {
            "bootstrap": stage.cluster.bootstrap,
            "topic": stage.raw_topic,
            "partitions": stage.partitions,
            "begin": begin,
            "load": [load.rate, load.seconds, load.rows, load.first, load.first_student],
        }
        command = [sys.executable, "-m", "bench.live", json.dumps(task)]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)

    def lateness(self) -> dict[str, float]:
        """Wait for its end: how much later than due it sent, in ms. Raises RunFailed."""
        out, _ = self._process.communicate()
        if self._process.returncode:
            raise RunFailed("the sender failed")
        late: dict[str, float] = json.loads(out)
        return late


class Follower:
    """Notes all that becomes readable in the typed topic and the rows' topic."""

    def __init__(self, stage: Stage) -> None:
        self.arrivals: list[Arrival] = []
        self._ended = threading.Event()
        self._typed = stage.typed_topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": stage.cluster.bootstrap,
                "group.id": "bench-follower",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
            }
        )
        topics = [stage.typed_topic, stage.row_topic]
        self._consumer.assign(
            [
                TopicPartition(topic, number, end)
                for topic in topics
                for number, end in enumerate(
                    stage.cluster.ends(topic, stage.cluster.partitions(topic), committed=False)
                )
            ]
        )
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    def _follow(self) -> None:
        poll, now, typed = self._consumer.poll, time.monotonic, self._typed
        while not self._ended.is_set():
            message = poll(0.1)
            if message is None or message.error() is not None:
                continue
            key, value = message.key(), message.value()
            if isinstance(key, bytes) and isinstance(value, bytes):
                self.arrivals.append(Arrival(now(), message.topic() == typed, key, value))


def latencies(
    load: Live, begin: float, arrivals: Sequence[Arrival], before: int = 0
) -> tuple[list[float], list[float]]:
    """Seconds of each event, in their order, to its typed record, and to a row that has it in it.

    `before`: results that every row had. Raises RunFailed when a typed record or a row is missing, or there
    are too many.
    """
    contract = load_contract()
    typed_record = compile_decoder(contract.events[RESULT_EVENT].schema)
    row_of = compile_decoder(contract.derived["outcome_mastery"].schema)
    due = [begin + number / load.rate for number in range(load.events)]
    typed: list[float | None] = [None] * load.events
    rows: list[float | None] = [None] * load.events
    places = {load.key(number): number for number in range(min(load.rows, load.events))}
    # The next event of each row that has not arrived in it.
    waiting = dict(places)
    for at, is_typed, key, value in arrivals:
        if is_typed:
            number = int(typed_record(value[_FRAMING:])["body"]["id"]) - 1 - load.first
            if not 0 <= number < load.events:
                continue
            if typed[number] is not None:
                raise RunFailed(f"result {number} was written twice")
            typed[number] = at - due[number]
        elif key in places:
            count = row_of(value[_FRAMING:])["results_count"] - before
            through = places[key] + (count - 1) * load.rows
            number = waiting[key]
            while number <= through:
                if number >= load.events:
                    raise RunFailed("a row has more results than were sent")
                rows[number] = at - due[number]
                number += load.rows
            waiting[key] = number
    found_typed = [one for one in typed if one is not None]
    found_rows = [one for one in rows if one is not None]
    if len(found_typed) < load.events or len(found_rows) < load.events:
        missing = load.events - len(found_typed), load.events - len(found_rows)
        raise RunFailed(f"{missing[0]} typed records and {missing[1]} results in rows are missing")
    return found_typed, found_rows


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds: p50, p90, p99, p99.9 and the most."""
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3, 2)

    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": at(1.0)}


def _send(task: dict[str, Any]) -> dict[str, float]:
    load, begin, partitions = Live(*task["load"]), task["begin"], task["partitions"]
    producer = Producer(
        {
            "bootstrap.servers": task["bootstrap"],
            "enable.idempotence": True,
            "linger.ms": 0,
            "compression.type": "lz4",
            "delivery.report.only.error": True,
        }
    )
    late = []
    for number in range(load.events):
        event, due = load.event(number), begin + number / load.rate
        while (left := due - time.monotonic()) > 0:
            time.sleep(left)
        late.append(time.monotonic() - due)
        producer.produce(task["topic"], event, partition=number % partitions)
        producer.poll(0)
    if producer.flush(60):
        raise RuntimeError("not delivered in 60 s")
    return percentiles(late)


if __name__ == "__main__":
    print(json.dumps(_send(json.loads(sys.argv[1]))))
