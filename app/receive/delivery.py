"""Raw events to the raw topic: whoever brings one is told when the broker has it, and not before."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from app.errors import MasteryError
from app.kafka import BrokerErrors, BrokerFailure, BrokerUnreachable, broker_failure, producer_config
from app.reader import topic_missing
from app.settings import Settings

__all__ = ["Delivery", "DeliveryReport", "Outcome"]

log = logging.getLogger(__name__)

#: Seconds an event may wait for the broker before the process counts as not ready.
_LATE: Final = 5.0

#: Seconds that one look at the broker takes at most: the end of the process may have to wait for it.
_LOOK: Final = 3.0

#: Seconds that the last sign of the broker may be old.
_QUIET: Final = 15.0

#: Milliseconds that records are gathered for: what comes in is one event a request, and each waits for it.
_LINGER_MS: Final = 2

#: What librdkafka keeps for a record besides its bytes, generously.
_OVERHEAD: Final = 4096


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event: `delivered`, or why not. `too_large` ones never will be."""

    delivered: bool
    too_large: bool = False
    reason: str = ""


#: Called once for each event that was handed over, by whoever polls.
DeliveryReport = Callable[[Outcome], None]


class Delivery:
    """An idempotent producer of raw events, as they are: no key, no headers, the time is that of arrival.

    `send` never waits; `poll` calls the reports of what has come to an end. Both may be called in any thread.
    `limit` is how many bytes its caller hands over at most before reports come, and `patience` the seconds
    until an event that the broker has not taken is given up; 0 for ever.
    """

    def __init__(self, settings: Settings, *, limit: int, records: int, patience: float) -> None:
        self._settings = settings
        self._topic = settings.raw_topic_name
        self._errors = BrokerErrors()
        self._producer = Producer(
            producer_config(
                settings,
                errors=self._errors,
                message_timeout_ms=round(patience * 1000),
                linger_ms=_LINGER_MS,
                queue_buffering_max_messages=records + 1000,
                queue_buffering_max_kbytes=min(2_097_151, (limit + (records + 1000) * _OVERHEAD) // 1024),
            )
        )
        self._lock = threading.Lock()
        #: When each event that has no report yet was handed over, oldest first.
        self._waiting: dict[int, float] = {}
        self._number = 0
        self._seen: float | None = None
        self._trouble = "the broker has not answered yet"
        #: What the producer cannot go on after; the process is to be started again.
        self.failure: MasteryError | None = None

    def send(self, event: bytes, report: DeliveryReport) -> bool:
        """Hand an event over; False when the queue is full, and nothing was handed over.

        Raises BrokerFailure when the producer can do no more.
        """
        with self._lock:
            self._number += 1
            number = self._number
            self._waiting[number] = time.monotonic()

        def ended(error: KafkaError | None, _message: Message) -> None:
            self._ended(number, error, report)

        try:
            self._producer.produce(self._topic, event, on_delivery=ended)
        except BufferError:
            self._forget(number)
            return False
        except KafkaException as error:
            self._forget(number)
            if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                report(_TOO_LARGE)
                return True
            self._fail(error.args[0])
            raise self._worded(error.args[0]) from None
        return True

    def poll(self, timeout: float) -> None:
        """Let reports be made, waiting up to `timeout` seconds for the first."""
        try:
            self._producer.poll(timeout)
        except KafkaException as error:
            self._fail(error.args[0])
        except SystemError as error:
            # A fatal error is raised in the middle of a callback, and Python makes a SystemError of that.
            if not isinstance(error.__cause__, KafkaException):
                raise
            self._fail(error.__cause__.args[0])

    @property
    def waiting(self) -> int:
        """Events that were handed over and have no report yet."""
        return len(self._waiting)

    @property
    def obstacle(self) -> str | None:
        """Why events that come now would not be delivered; None when they would."""
        now = time.monotonic()
        if self.failure is not None:
            return str(self.failure)
        if self._seen is None or now - self._seen > _QUIET:
            return self._trouble
        with self._lock:
            oldest = next(iter(self._waiting.values()), now)
        return "the broker does not take events" if now - oldest > _LATE else None

    @property
    def topic_seen(self) -> bool:
        """Whether the raw topic was ever there. Before that nothing must be sent: it might make the topic."""
        return self._seen is not None

    def look(self) -> None:
        """Ask the broker for the topic, unless it has just taken something. Blocks for seconds at worst.

        Raises TopicMissing, and what no waiting changes (LoginRefused, CertificateRefused, AccessDenied).
        """
        if self._seen is not None and time.monotonic() - self._seen < _LATE:
            return
        try:
            if self._topic not in self._topics():
                raise topic_missing(self._settings, self._topic)
        except BrokerUnreachable as error:
            self._trouble = str(error)
        except MasteryError as error:
            self._trouble = str(error)
            if not isinstance(error, BrokerFailure) or error.permanent:
                raise
        else:
            self._seen = time.monotonic()

    def close(self, timeout: float) -> int:
        """Wait until everything has a report, `timeout` seconds at most. Returns what has none then."""
        deadline = time.monotonic() + timeout
        while self.waiting and self.failure is None and (left := deadline - time.monotonic()) > 0:
            self.poll(min(left, 0.1))
        return self.waiting

    def _topics(self) -> Collection[str]:
        """All of them: to ask for one by name might make it."""
        self._errors.forget()
        try:
            return list(self._producer.list_topics(timeout=_LOOK).topics)
        except KafkaException as error:
            raise broker_failure(self._settings, error, self._errors, what="list topics") from None

    def _ended(self, number: int, error: KafkaError | None, report: DeliveryReport) -> None:
        self._forget(number)
        if error is None:
            self._seen = time.monotonic()
            report(_DELIVERED)
        elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            report(_TOO_LARGE)
        else:
            self._trouble = str(self._worded(error))
            report(Outcome(delivered=False, reason=self._trouble))

    def _forget(self, number: int) -> None:
        with self._lock:
            del self._waiting[number]

    def _fail(self, error: KafkaError) -> None:
        if self.failure is None:
            self.failure = self._worded(error)

    def _worded(self, error: KafkaError) -> BrokerFailure:
        return broker_failure(self._settings, error, self._errors, what=f"write to {self._topic}")


_DELIVERED: Final = Outcome(delivered=True)
_TOO_LARGE: Final = Outcome(
    delivered=False, too_large=True, reason="the event is larger than the raw topic takes"
)
