"""Watches the committed offsets, as the broker tells them, for as long as a test runs."""

import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaException

from tests.support.records import CommittedOffsets

__all__ = ["OffsetSampler"]

_INTERVAL = 0.05


class OffsetSampler:
    """A thread that asks for a group's committed offsets all the time and notes when one goes back."""

    def __init__(
        self, offsets: CommittedOffsets, *, on_sample: Callable[[dict[tuple[str, int], int]], None]
    ) -> None:
        self._offsets, self._on_sample = offsets, on_sample
        self._last: dict[tuple[str, int], int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="offset sampler", daemon=True)
        self.samples = 0
        self.went_back: list[str] = []

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Stop sampling; `went_back` and `samples` stay."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(30.0)

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL):
            try:
                now = self._offsets.read(timeout=2.0)
            except KafkaException:
                continue  # the broker is frozen, or away
            self.samples += 1
            for place, offset in now.items():
                if offset < self._last.get(place, 0):
                    moment = time.strftime("%H:%M:%S")
                    self.went_back.append(f"{place} from {self._last[place]} to {offset} at {moment}")
            self._last.update(now)
            self._on_sample(now)
        self._offsets.close()
