"""What the broker says of each letter of one transaction."""

from confluent_kafka import KafkaError, Message

from app.replay.letters import Place
from app.stream.errors import CheckpointFailed

__all__ = ["Deliveries", "NotDelivered"]

#: What becomes of the other records of a transaction that one record has spoilt.
_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001 - librdkafka's names


class NotDelivered(CheckpointFailed):
    """A letter that the broker did not take: the transaction can only be aborted."""

    def __init__(self, place: Place, reason: KafkaError) -> None:
        super().__init__(f"not delivered: {reason.name()}")
        self.place = place
        self.reason = reason


class Deliveries:
    """Takes the delivery reports of one transaction; `offsets` are the places in the raw topic, by letter.

    Reports of records that were under way at an abort come in the next transaction: they end up here, unused.
    """

    def __init__(self) -> None:
        self.offsets: dict[Place, tuple[int, int]] = {}
        self._open = True

    def close(self) -> None:
        """The transaction is over."""
        self._open = False

    def report(self, place: Place, error: KafkaError | None, message: Message) -> None:
        """Take a report. Raises NotDelivered out of the call that serves the reports.

        Else that call would wait until the other records time out, which librdkafka no longer sends.
        """
        if error is None:
            self.offsets[place] = (message.partition() or 0, message.offset() or 0)
        elif self._open and error.code() not in _PURGED:
            raise NotDelivered(place, error)
