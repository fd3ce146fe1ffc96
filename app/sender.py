"""Send raw events, and know which of them the broker has."""

import time

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from app.errors import MasteryError
from app.kafka import BrokerErrors, broker_failure, producer_config
from app.settings import Settings, variable

__all__ = ["EventSender", "EventTooLarge"]

# Milliseconds until an event counts as not delivered: long enough for a broker to be restarted.
DELIVERY_TIMEOUT_MS = 60_000
# Seconds. A producer's first record alone can take one.
_SETTLING = 5.0


class EventTooLarge(MasteryError):
    """An event that the topic does not take."""


class EventSender:
    """An idempotent producer of unkeyed events. `accepted` counts what the broker has confirmed."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._errors = BrokerErrors()
        self._producer = Producer(
            producer_config(settings, errors=self._errors, message_timeout_ms=DELIVERY_TIMEOUT_MS)
        )
        self._failure: KafkaError | None = None
        self._handed = 0
        self.accepted = 0

    def send(self, event: bytes | None) -> None:
        """Hand one event over, None for a null value. Raises for it, or for one before, as `finish` does."""
        self._handed += 1
        while True:
            try:
                self._producer.produce(self._topic, event, on_delivery=self._delivered)
            except BufferError:
                # The local queue is full: the broker is slower than we are.
                self._serve(0.1)
            except KafkaException as error:
                raise self._explained(error.args[0], f"event {self._handed}") from None
            else:
                break
        self._serve(0)
        self._raise_failure()

    def finish(self) -> None:
        """Wait until the broker has everything. Raises EventTooLarge or BrokerFailure if it has not."""
        while len(self._producer):
            self._serve(0.1)
            self._raise_failure()
        self._raise_failure()

    def settle(self) -> None:
        """Wait for what is under way, some seconds at most: `accepted` is right after an error, too."""
        deadline = time.monotonic() + _SETTLING
        while len(self._producer) and time.monotonic() < deadline:
            self._serve(0.1)

    def _serve(self, timeout: float) -> None:
        """Let deliveries be reported, waiting up to `timeout` seconds for the first."""
        try:
            self._producer.poll(timeout)
        except KafkaException as error:
            self._failure = self._failure or error.args[0]
        except SystemError as error:
            # A fatal error is raised in the middle of a callback, and Python makes a SystemError of that.
            if not isinstance(error.__cause__, KafkaException):
                raise
            self._failure = self._failure or error.__cause__.args[0]

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.accepted += 1
        elif self._failure is None:
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._explained(self._failure)

    def _explained(self, error: KafkaError, which: str = "an event") -> MasteryError:
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return EventTooLarge(
                f"{which} is larger than {self._topic} takes",
                hint=f"{variable('max_message_bytes')} is the limit, and max.message.bytes that of the topic",
            )
        return broker_failure(self._settings, error, self._errors, what=f"write to {self._topic}")
