"""The router: raw Canvas events of one batch in, typed records and dead letters out."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from app.deadletter import dead_letter_headers
from app.events.envelopes import Unwrapper
from app.events.errors import ErrorKind, EventIgnored, EventRefused
from app.schemas.encoder import TimestampRangeError, is_plain_ascii
from app.stream.application import StreamApp
from app.stream.batch import Output, RawRecord, RecordBatch, keep_newest

__all__ = ["Route", "Router", "add_router"]

#: Bytes that Kafka's own framing of a record can take, rounded up: 61 for the batch, 21 for the record's
#: varints.
_FRAMING = 128

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Route:
    """Where records of one event go, and how they are encoded; `encode_ascii` takes pure ASCII alone."""

    event_name: str
    topic: str
    key: Callable[[Any], bytes]
    encode: Callable[[Any], bytes]
    encode_ascii: Callable[[Any], bytes]


class Router:
    """Turns a batch into its output. Pure but for the clock; raises nothing for whatever a record holds."""

    def __init__(
        self,
        decode: Callable[[bytes | None], Any],
        routes: Mapping[type, Route],
        *,
        dead_letter_topic: str,
        max_message_bytes: int,
        unwrap: Unwrapper | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._decode = decode
        self._routes = routes
        self._dead_letter_topic = dead_letter_topic
        self._max_bytes = max_message_bytes - _FRAMING
        self._unwrap = unwrap or Unwrapper()
        self._clock = clock
        self._event_names = {route.topic: route.event_name for route in routes.values()}

    def __call__(self, batch: RecordBatch) -> Output:
        """Return typed records for the events, dead letters for what is refused; ignored events are counted.

        A typed record carries the raw record's timestamp, or now if that lies in the future: brokers refuse
        times more than an hour ahead, and one such event must not stop the worker.
        """
        output = Output()
        typed, newest = output.typed.append, output.newest
        newest_of = newest.get
        decode, routes, max_bytes = self._decode, self._routes, self._max_bytes
        now = self._clock() // 1_000_000
        for record in batch.records:
            value = record.value
            try:
                event = decode(value)
                route = routes[event.__class__]
                encode = route.encode_ascii if is_plain_ascii(value or b"") else route.encode
                encoded = encode(event)
                key = route.key(event)
                if len(encoded) + len(key) > max_bytes:
                    raise EventRefused(ErrorKind.TOO_LARGE, "")  # noqa: TRY301 - refused like any other
            except EventRefused as refusal:
                self._look_into(output, batch, record, refusal, now)
            except TimestampRangeError as error:
                self._refuse(output, batch, record, EventRefused(ErrorKind.OUT_OF_RANGE, error.path), now)
            except EventIgnored as ignored:
                output.ignored[ignored.event_name] += 1
            else:
                typed((route.topic, encoded, key, -1, None, None, _timestamp(record.timestamp, now)))
                metadata = event.metadata
                source = (route.event_name, metadata.root_account_uuid)
                if metadata.event_time > newest_of(source, _LONG_AGO):
                    newest[source] = metadata.event_time
        # Counted here: in the loop it would cost 0.1 us an event.
        for topic, count in Counter(map(itemgetter(0), output.typed)).items():
            output.events[self._event_names[topic]] = count
        return output

    def _look_into(
        self, output: Output, batch: RecordBatch, record: RawRecord, refusal: EventRefused, now: int
    ) -> None:
        """Take the events out of a record that is none itself; where that fails for one, refuse it whole."""
        try:
            parts = self._unwrap(record.value, refusal.kind)
        except EventRefused as refused:
            self._refuse(output, batch, record, refused, now)
            return
        if parts is None:
            self._refuse(output, batch, record, refusal, now)
            return
        timestamp = _timestamp(record.timestamp, now)
        inner = Output()
        try:
            for place, value in parts:
                try:
                    self._add(inner, value, timestamp)
                except EventRefused as refused:
                    raise refused.within(place) from None
                except TimestampRangeError as error:
                    raise EventRefused(ErrorKind.OUT_OF_RANGE, error.path).within(place) from None
        except EventRefused as refused:
            self._refuse(output, batch, record, refused, now)
            return
        output.typed += inner.typed
        output.ignored += inner.ignored
        keep_newest(output.newest, inner.newest)

    def _add(self, output: Output, value: bytes, timestamp: int) -> None:
        """Add one event, as the loop of `__call__` does for most without the call."""
        try:
            event = self._decode(value)
        except EventIgnored as ignored:
            output.ignored[ignored.event_name] += 1
            return
        route = self._routes[event.__class__]
        encoded = (route.encode_ascii if is_plain_ascii(value) else route.encode)(event)
        key = route.key(event)
        if len(encoded) + len(key) > self._max_bytes:
            raise EventRefused(ErrorKind.TOO_LARGE)
        output.typed.append((route.topic, encoded, key, -1, None, None, timestamp))
        metadata = event.metadata
        keep_newest(output.newest, {(route.event_name, metadata.root_account_uuid): metadata.event_time})

    def _refuse(
        self, output: Output, batch: RecordBatch, record: RawRecord, refusal: EventRefused, now: int
    ) -> None:
        headers = dead_letter_headers(
            record.headers,
            kind=refusal.kind,
            exception=type(refusal).__name__,
            message=str(refusal),
            topic=batch.topic,
            partition=batch.partition,
            offset=record.offset,
        )
        timestamp = _timestamp(record.timestamp, now)
        output.dead.append(
            (self._dead_letter_topic, record.value, record.key, -1, None, None, timestamp, headers)
        )
        output.dead_letters[refusal.kind] += 1


def _timestamp(timestamp: int | None, now: int) -> int:
    """Clamp to (0, now] in milliseconds; none at all (-1) is now. librdkafka takes 0 for 'now': 1970 is 1."""
    if timestamp is None or timestamp < 0 or timestamp > now:
        return now
    return timestamp or 1


def add_router(app: StreamApp, topic: str, router: Callable[[], Router]) -> None:
    """Register the agent that routes `topic`; `router` is asked for when the agent starts."""
    raw = app.topic(topic, key_serializer="raw", value_serializer="raw")

    @app.agent(raw, name="router")
    async def route(stream: Any) -> None:
        process = router()
        async for event in stream.noack().events():
            batch: RecordBatch = event.value
            if app.checkpointer.is_current(batch.assignment):
                await app.handover.put(batch, process(batch))
