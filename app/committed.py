"""Committed offsets of a group, asked until the broker tells them or says why not."""

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from app.coordinator import COORDINATOR_AWAY

__all__ = ["committed_offsets"]

#: Seconds of one question, and between two.
_ONE_TRY = 0.5
_PAUSE = 0.1

_TIMED_OUT = KafkaError._TIMED_OUT  # noqa: SLF001 - librdkafka's name


def committed_offsets(
    consumer: Consumer, wanted: Sequence[TopicPartition], timeout: float
) -> list[TopicPartition]:
    """Return the stable offsets of the consumer's group; the group's coordinator is waited for.

    The consumer has no assignment. Blocks up to `timeout` seconds: a transaction that carries offsets is
    waited for, too. Raises KafkaException.
    """
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            found = consumer.committed(list(wanted), timeout=max(0.01, min(_ONE_TRY, left)))
            _raise_first_error(found)
        except KafkaException as error:
            code = error.args[0].code()
            if code not in COORDINATOR_AWAY and code != _TIMED_OUT:
                raise
            # A group that may not be described is no error of the call, which only times out.
            _raise_refusal(consumer)
            if time.monotonic() > deadline:
                raise
            if code != _TIMED_OUT:
                time.sleep(_PAUSE)
        else:
            return found


def _raise_first_error(entries: Sequence[TopicPartition]) -> None:
    for entry in entries:
        if entry.error is not None:
            raise KafkaException(entry.error)


def _raise_refusal(consumer: Consumer) -> None:
    message = consumer.poll(0)
    error = None if message is None else message.error()
    if error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
        raise KafkaException(error)
