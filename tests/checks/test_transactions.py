import pytest
from confluent_kafka import KafkaError, KafkaException

from app.checks import TransactionsUnusable
from app.checks.transactions import _raise, probe_transactions
from app.kafka import AccessDenied, BrokerErrors, BrokerUnreachable
from app.settings import load_settings

SETTINGS = load_settings(broker="127.0.0.1:1")


def judge(code):
    _raise(SETTINGS, KafkaException(KafkaError(code)), BrokerErrors())


def test_a_broker_with_transactions_passes_again_and_again(settings):
    for _ in range(2):
        assert probe_transactions(settings, f"{settings.group_id}-w1")


@pytest.mark.parametrize(
    ("code", "error", "word"),
    [
        (KafkaError._TIMED_OUT, BrokerUnreachable, "replication.factor"),
        (KafkaError.COORDINATOR_NOT_AVAILABLE, BrokerUnreachable, "replication.factor"),
        (KafkaError.CONCURRENT_TRANSACTIONS, BrokerUnreachable, "replication.factor"),
        (KafkaError._TRANSPORT, BrokerUnreachable, "MASTERY_BROKER"),
        (KafkaError.INVALID_TRANSACTION_TIMEOUT, TransactionsUnusable, "transaction.max.timeout.ms"),
        (KafkaError._UNSUPPORTED_FEATURE, TransactionsUnusable, "2.5"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, AccessDenied, "ACL"),
    ],
)
def test_what_may_pass_is_told_apart_from_what_does_not(code, error, word):
    with pytest.raises(error) as caught:
        judge(code)
    assert word in caught.value.hint
