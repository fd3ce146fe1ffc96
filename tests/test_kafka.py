"""Client configuration from settings, and failures in plain words."""

import socket
import ssl

import faust
import pytest
from confluent_kafka import KafkaError, KafkaException

from app.kafka import (
    AccessDenied,
    BrokerErrors,
    BrokerFailure,
    BrokerUnreachable,
    CertificateRefused,
    LoginRefused,
    admin_client,
    broker_failure,
    client_config,
    consumer_config,
    faust_broker_options,
    producer_config,
)
from app.settings import load_settings

SASL = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-256",
    "sasl_username": "worker",
    "sasl_password": "hunter2",
}


def test_plain_clients_get_no_login_and_no_files():
    config = client_config(load_settings(broker="a:1,b:2"))
    assert config["bootstrap.servers"] == "a:1,b:2"
    assert config["security.protocol"] == "PLAINTEXT"
    assert not [name for name in config if name.startswith(("sasl.", "ssl."))]


def test_login_and_files_reach_every_kind_of_client(tmp_path):
    for name in ("ca", "cert", "key"):
        (tmp_path / name).touch()
    settings = load_settings(
        **SASL,
        tls_ca_file=tmp_path / "ca",
        tls_certificate_file=tmp_path / "cert",
        tls_key_file=tmp_path / "key",
        tls_key_password="locked",
    )
    expected = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "worker",
        "sasl.password": "hunter2",
        "ssl.ca.location": str(tmp_path / "ca"),
        "ssl.certificate.location": str(tmp_path / "cert"),
        "ssl.key.location": str(tmp_path / "key"),
        "ssl.key.password": "locked",
    }
    for config in (
        client_config(settings),
        producer_config(settings),
        consumer_config(settings, group_id="g"),
    ):
        assert expected.items() <= config.items()


def test_extra_options_in_python_spelling_or_librdkafkas():
    settings = load_settings()
    config = client_config(settings, socket_timeout_ms=5, log_level=3, stats_cb=print)
    assert (config["socket.timeout.ms"], config["log_level"], config["stats_cb"]) == (5, 3, print)
    assert producer_config(settings, **{"linger.ms": 7})["linger.ms"] == 7
    assert consumer_config(settings, group_id="g", isolation_level="read_uncommitted")["isolation.level"] == (
        "read_uncommitted"
    )


def test_consumers_read_committed_and_commit_nothing_by_themselves():
    config = consumer_config(load_settings(), group_id="g")
    assert config["isolation.level"] == "read_committed"
    assert config["enable.auto.commit"] is False
    assert config["group.id"] == "g"


def test_producers_partition_like_java():
    assert producer_config(load_settings())["partitioner"] == "murmur2_random"


def test_faust_gets_the_same_broker_and_login():
    plain = faust_broker_options(load_settings(broker="a:1,b:2"))
    assert plain == {"broker": ["kafka://a:1", "kafka://b:2"]}
    login = faust_broker_options(load_settings(**SASL))["broker_credentials"]
    assert isinstance(login, faust.SASLCredentials)
    assert (login.username, login.password, login.mechanism.value) == ("worker", "hunter2", "SCRAM-SHA-256")
    assert isinstance(login.ssl_context, ssl.SSLContext)
    tls = faust_broker_options(load_settings(security_protocol="SSL"))["broker_credentials"]
    assert isinstance(tls, faust.SSLCredentials)
    assert tls.context.verify_mode is ssl.CERT_REQUIRED
    without_tls = faust_broker_options(load_settings(**(SASL | {"security_protocol": "SASL_PLAINTEXT"})))
    assert without_tls["broker_credentials"].ssl_context is None


def error(code, text="text"):
    return KafkaError(code, text)


@pytest.mark.parametrize(
    ("raised", "reported", "kind", "permanent"),
    [
        (KafkaError._TIMED_OUT, None, BrokerUnreachable, False),
        (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, BrokerUnreachable, False),
        (KafkaError._TIMED_OUT, KafkaError._AUTHENTICATION, LoginRefused, True),
        (KafkaError._TRANSPORT, KafkaError._SSL, CertificateRefused, True),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError._TRANSPORT, AccessDenied, True),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, None, AccessDenied, True),
        (KafkaError.INVALID_CONFIG, None, BrokerFailure, False),
    ],
)
def test_the_cause_is_named_also_when_the_call_itself_only_timed_out(raised, reported, kind, permanent):
    errors = BrokerErrors()
    if reported is not None:
        errors(error(reported))
    failure = broker_failure(
        load_settings(broker="k:1"), KafkaException(error(raised)), errors, what="list topics"
    )
    assert type(failure) is kind
    assert failure.permanent is permanent
    assert "k:1" in str(failure)
    assert "list topics" in str(failure)
    assert "\n" not in str(failure)


def test_a_cause_is_not_pushed_out_by_the_silence_that_follows():
    errors = BrokerErrors()
    for code in (KafkaError._TRANSPORT, KafkaError._AUTHENTICATION, KafkaError._ALL_BROKERS_DOWN):
        errors(error(code))
    assert errors.last.code() == KafkaError._AUTHENTICATION
    errors.forget()
    assert errors.last is None


def ask(settings):
    """Ask for the topics as the commands do; return the failure."""
    errors = BrokerErrors()
    admin = admin_client(settings, errors=errors)
    with pytest.raises(KafkaException) as caught:
        admin.list_topics(timeout=3)
    admin.poll(0)
    return broker_failure(settings, caught.value, errors)


def test_a_port_where_nobody_listens():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        failure = ask(load_settings(broker=f"127.0.0.1:{probe.getsockname()[1]}"))
    assert type(failure) is BrokerUnreachable


@pytest.mark.parametrize("code", [KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION])
def test_a_partition_whose_leader_moves_may_be_asked_again(code):
    failure = broker_failure(load_settings(broker="a:1"), KafkaError(code), what="read")
    assert isinstance(failure, BrokerUnreachable)
    assert not failure.permanent
    assert "no leader at the moment (read)" in str(failure)
