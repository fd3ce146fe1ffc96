from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError

from app.replay.deliveries import Deliveries, NotDelivered

MESSAGE = SimpleNamespace(partition=lambda: 3, offset=lambda: 0)


def test_offsets_are_kept_and_a_refusal_ends_the_transaction():
    deliveries = Deliveries()
    deliveries.report((0, 1), None, MESSAGE)
    assert deliveries.offsets == {(0, 1): (3, 0)}
    with pytest.raises(NotDelivered, match="MSG_SIZE_TOO_LARGE") as caught:
        deliveries.report((0, 2), KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), MESSAGE)
    assert caught.value.place == (0, 2)


def test_what_is_only_spoilt_or_comes_late_is_no_refusal():
    deliveries = Deliveries()
    for code in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
        deliveries.report((0, 1), KafkaError(code), MESSAGE)
    deliveries.close()
    deliveries.report((0, 1), KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), MESSAGE)
    assert deliveries.offsets == {}
