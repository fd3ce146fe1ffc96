"""The last events seen, of the partitions that a worker has."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from app.errors import MasteryError
from app.reader import Record, TopicReader
from app.schemas.decoder import AvroDecoder, DecodingError
from app.schemas.registry import schema_lookup
from app.settings import Settings
from app.web.local.letter_text import escaped
from app.web.local.offsets import TopicSpans
from app.web.local.shared import Shared
from app.web.models.stream import LastEvent

__all__ = ["LastRecords"]

#: Events that are shown, and offsets below the end of each partition that are read: markers take some.
_SHOWN: Final = 12
_BACK: Final = 24
#: Seconds for reading, and for waiting for it: the rest is shown without it.
_LONGEST: Final = 0.8
_PATIENCE: Final = 0.6
_KEEP: Final = 3.0
_TIME: Final = frozenset({"metadata.event_time"})


class LastRecords:
    """Reads the ends of the typed topics' partitions; `events`: event name by topic."""

    def __init__(
        self,
        settings: Settings,
        events: Mapping[str, str],
        spans: Callable[[], TopicSpans],
        partitions: Callable[[], Collection[int]],
    ) -> None:
        self._settings = settings
        self._events = events
        self._spans = spans
        self._partitions = partitions
        self._decoder: AvroDecoder | None = None
        self._shared = Shared(self._read, keep=_KEEP, name="last-events")

    async def newest(self) -> tuple[LastEvent, ...]:
        """The newest first; none where Kafka does not answer at once."""
        try:
            return (await self._shared.get(_PATIENCE)).value
        except (TimeoutError, MasteryError):
            return ()

    def _read(self) -> tuple[LastEvent, ...]:
        deadline = time.monotonic() + _LONGEST
        spans, owned = self._spans(), set(self._partitions())
        starts = {
            (topic, partition): max(span[0], span[1] - _BACK)
            for topic in self._events
            for partition, span in spans.get(topic, {}).items()
            if span is not None and span[1] > span[0] and partition in owned
        }
        if not starts:
            return ()
        found: list[Record] = []
        with TopicReader(self._settings, starts) as reader:
            while not reader.at_end and time.monotonic() < deadline:
                found += reader.read(max(0.0, min(0.2, deadline - time.monotonic())))
        found.sort(key=lambda one: (one.timestamp, one.offset), reverse=True)
        return tuple(
            LastEvent(
                event=self._events[one.topic],
                event_time=self._event_time(one),
                key=None if one.key is None else escaped(one.key, 200)[0],
                partition=one.partition,
                offset=one.offset,
            )
            for one in found[:_SHOWN]
        )

    def _event_time(self, record: Record) -> float:
        """When Canvas sent it; of what cannot be read, when it was written."""
        if self._decoder is None:
            self._decoder = AvroDecoder(schema_lookup(self._settings), only=_TIME, plain_times=True)
        try:
            return float(self._decoder.decode(record.value or b"")["metadata"]["event_time"]) / 1000
        except (DecodingError, MasteryError, LookupError, TypeError, ValueError):
            return record.timestamp / 1000
