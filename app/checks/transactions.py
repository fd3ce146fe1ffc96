"""Whether the broker has transactions, and lets this worker use its own."""

import contextlib
import logging
from typing import NoReturn

from confluent_kafka import KafkaError, KafkaException, Producer

from app.checks.errors import TransactionsUnusable
from app.coordinator import COORDINATOR_AWAY
from app.kafka import BrokerErrors, BrokerUnreachable, broker_failure, producer_config
from app.settings import Settings
from app.stream.producer import TRANSACTION_TIMEOUT

__all__ = ["probe_transactions"]

# For one try. The very first transaction of a cluster may take more, as the broker makes a topic for them.
_TIMEOUT = 5.0

_SILENT = logging.getLogger(f"{__name__}.librdkafka")
_SILENT.setLevel(logging.CRITICAL + 1)

_WAITING = {
    *COORDINATOR_AWAY,
    KafkaError._TIMED_OUT,  # noqa: SLF001 - librdkafka's name
    KafkaError.CONCURRENT_TRANSACTIONS,
}


def probe_transactions(settings: Settings, transactional_id: str) -> bool:
    """Take over the worker's own transactional id, as its producer will. Return whether this user may.

    Nothing is written, and no other worker is touched; what an earlier run of this one left open is aborted.
    Raises TransactionsUnusable, or BrokerUnreachable for what may pass.
    """
    errors = BrokerErrors()
    producer = Producer(
        producer_config(
            settings,
            errors=errors,
            transactional_id=transactional_id,
            transaction_timeout_ms=int(TRANSACTION_TIMEOUT * 1000),
        ),
        # librdkafka prints fatal errors past its log level: they are said better below.
        logger=_SILENT,
    )
    try:
        # Without a connection, librdkafka would ask for the coordinator in vain and again only after 0.5 s.
        producer.list_topics(timeout=_TIMEOUT)
        producer.init_transactions(_TIMEOUT)
    except KafkaException as error:
        with contextlib.suppress(KafkaException):  # a fatal error is raised again by every call
            producer.poll(0)
        if error.args[0].code() != KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            _raise(settings, error, errors)
        return False
    return True


def _raise(settings: Settings, error: KafkaException, errors: BrokerErrors) -> NoReturn:
    raised = error.args[0]
    code = raised.code()
    failure = broker_failure(settings, error, errors, what="transactions")
    if failure.permanent:
        raise failure
    if code in _WAITING:
        raise BrokerUnreachable(
            f"the broker at {settings.broker} has no coordinator for transactions yet",
            hint="if this stays: is the broker's transaction.state.log.replication.factor above the number "
            "of brokers?",
        ) from None
    if isinstance(failure, BrokerUnreachable):
        raise failure
    if code == KafkaError.INVALID_TRANSACTION_TIMEOUT:
        raise TransactionsUnusable(
            f"the broker at {settings.broker} does not allow transactions of {TRANSACTION_TIMEOUT:.0f} s",
            hint="raise transaction.max.timeout.ms on the broker",
        ) from None
    raise TransactionsUnusable(
        f"transactions do not work on the broker at {settings.broker}: {raised.str()}",
        hint="they need Kafka 2.5 or later",
    ) from None
