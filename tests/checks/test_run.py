import socket
import threading
import time

import pytest
from confluent_kafka.admin import AclOperation, ResourceType

from app.access.grants import PermissionMissing
from app.checks import NotInTime
from app.connection import ClientRefused
from app.embedded.broker import EmbeddedBroker
from app.kafka import CertificateRefused, LoginRefused
from app.settings import load_settings
from app.topics import Catalogue, PartitionMismatch, TopicAdmin, TopicsMissing, apply, load_catalogue
from tests.kafka.secured import Authority
from tests.support.ports import stable_port

# "Within seconds", on a machine that does other things as well; the checks would wait for 30.
SECONDS = 10

READ, WRITE, DESCRIBE = AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE


def changed(settings, **changes):
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load_settings(**given | changes)


def make_topics(settings):
    apply(load_catalogue(settings), TopicAdmin(settings))


def one_line(error):
    assert "\n" not in str(error)
    assert error.hint
    assert "\n" not in error.hint
    return str(error)


# Any broker, the embedded one as well.


def test_a_broker_with_all_that_is_needed_passes_well_below_a_second(settings, check, said):
    make_topics(settings)
    check(settings)  # what is new in a cluster takes it a moment
    said.clear()
    reports = [check(settings) for _ in range(3)]
    assert min(report.seconds for report in reports) < 1
    report = reports[0]
    assert [result.name for result in report.results] == [
        "broker and login",
        "permissions and transactions",
        "topics",
    ]
    assert said == []


def test_nothing_is_written(settings, check):
    make_topics(settings)
    check(settings)
    client = TopicAdmin(settings)._client
    groups = {group.group_id for group in client.list_consumer_groups().result().valid}
    assert settings.group_id not in groups
    assert set(client.list_topics(timeout=5).topics) >= set(load_catalogue(settings).topics)


def test_missing_topics_are_named_and_the_way_to_make_them(settings, check):
    with pytest.raises(TopicsMissing) as caught:
        check(settings)
    assert "topics do not exist" in one_line(caught.value)
    assert "mastery topics apply" in caught.value.hint
    assert not [name for name in TopicAdmin(settings).topics() if name.startswith(settings.topic_prefix)]


def test_a_topic_that_workers_do_not_use_may_be_missing(settings, check):
    topics = load_catalogue(settings).topics
    used = {name: spec for name, spec in topics.items() if name != settings.replays_topic}
    assert len(used) == len(topics) - 1
    apply(Catalogue(used), TopicAdmin(settings))
    check(settings)


def test_another_partition_count_is_refused(settings, check):
    make_topics(settings)
    with pytest.raises(PartitionMismatch, match="has 4 partitions, not 6") as caught:
        check(changed(settings, partitions=6))
    assert "MASTERY_PARTITIONS=4" in one_line(caught.value) + caught.value.hint


def test_a_broker_that_does_not_tell_lets_pass_and_the_report_says_so(settings, check, broker):
    make_topics(settings)
    details = {result.name: result.detail for result in check(settings).results}
    told = broker.kind != "embedded"
    assert details["permissions and transactions"] == (
        "" if told else "this broker does not tell who may do what"
    )


# No broker, or none yet.


@pytest.mark.parametrize(
    ("host", "reason"), [("127.0.0.1", "connection refused"), ("host.invalid", "name or service not known")]
)
def test_no_broker_is_waited_for_until_the_deadline(check, said, host, reason):
    settings = load_settings(broker=f"{host}:{stable_port()}")
    began = time.monotonic()
    with pytest.raises(NotInTime, match=f"no Kafka broker answers at {settings.broker}: ") as caught:
        check(settings, wait=1.5)
    if host == "127.0.0.1":  # the words of a resolver are its own
        assert reason in one_line(caught.value)
    assert "MASTERY_BROKER" in caught.value.hint
    assert 1.5 <= time.monotonic() - began < 6
    assert said
    assert all("next try in" in line for line in said)


def test_a_broker_that_comes_up_meanwhile_is_used(check, said, tmp_path):
    port = stable_port()
    settings = load_settings(broker=f"127.0.0.1:{port}", partitions=1, state_dir=tmp_path)
    broker = EmbeddedBroker(port=port)

    def later() -> None:
        time.sleep(1.0)
        broker.start()

    starting = threading.Thread(target=later)
    starting.start()
    try:
        with pytest.raises(TopicsMissing):
            check(settings)
        assert said
    finally:
        starting.join()
        broker.stop()


def test_one_of_several_brokers_is_enough(settings, check):
    make_topics(settings)
    check(changed(settings, broker=f"127.0.0.1:{stable_port()},{settings.broker}"))


def test_what_takes_connections_and_says_nothing_is_no_broker(check):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = load_settings(broker=f"127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(NotInTime, match="says nothing"):
            check(settings, wait=0)
        assert time.monotonic() - began < 8


def test_a_certificate_file_that_holds_none_is_told_before_any_connection(check, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    settings = load_settings(broker="127.0.0.1:1", security_protocol="SSL", tls_ca_file=file)
    with pytest.raises(ClientRefused) as caught:
        check(settings)
    assert "ssl.ca.location" in one_line(caught.value)
    assert "MASTERY_TLS_" in caught.value.hint


# A broker that wants a login and grants nothing by itself.


@pytest.fixture
def admin_settings(secured, topic_prefix, tmp_path):
    return load_settings(
        broker=secured.bootstrap, topic_prefix=topic_prefix, partitions=2, state_dir=tmp_path, web_port=0
    )


@pytest.fixture
def user_settings(secured, admin_settings, check, said):
    """A user with every right, on topics that are there, in a cluster that is warm."""
    make_topics(admin_settings)
    check(admin_settings)
    said.clear()
    secured.grant(*all_rights(admin_settings))
    return changed(
        admin_settings,
        broker=secured.login,
        security_protocol="SASL_PLAINTEXT",
        sasl_username=secured.user,
        sasl_password=secured.password,
    )


def all_rights(settings, *, without=()):
    rights = {
        "read": (ResourceType.TOPIC, settings.topic_prefix, READ),
        "write": (ResourceType.TOPIC, settings.topic_prefix, WRITE),
        "group": (ResourceType.GROUP, settings.group_id, READ),
        "transactions": (ResourceType.TRANSACTIONAL_ID, settings.group_id, WRITE),
    }
    return [right for name, right in rights.items() if name not in without]


@pytest.mark.kafka
def test_the_rights_in_the_hints_are_enough(user_settings, check, said):
    check(user_settings)
    assert said == []


@pytest.mark.kafka
def test_a_login_over_tls_passes(user_settings, secured, authority, check):
    check(
        changed(
            user_settings,
            broker=secured.tls,
            security_protocol="SASL_SSL",
            tls_ca_file=authority.certificate,
        )
    )


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("lacking", "message", "hint"),
    [
        (
            "read",
            "no Read on topics {prefix}",
            "--operation Read --topic {prefix}",
        ),
        ("write", "no Write on topics {prefix}", "--operation Write --topic {prefix}"),
        ("group", "no Read on group {group}", "--operation Read --group {group}"),
        (
            "transactions",
            "no Write on transactional-id {group}.*",
            "--operation Write --transactional-id {group}. --resource-pattern-type prefixed",
        ),
    ],
)
def test_a_missing_right_is_one_line_within_seconds(
    user_settings, secured, check, said, capfd, lacking, message, hint
):
    names = {"prefix": user_settings.topic_prefix, "group": user_settings.group_id}
    secured.grant(*all_rights(user_settings, without=[lacking]))
    began = time.monotonic()
    with pytest.raises(PermissionMissing) as caught:
        check(user_settings)
    assert time.monotonic() - began < SECONDS
    text = one_line(caught.value)
    assert message.format(**names) in text
    assert text.count("no ") == 1
    assert hint.format(**names) in caught.value.hint
    assert secured.password not in text + caught.value.hint
    assert said == []
    assert capfd.readouterr().err == ""  # librdkafka prints nothing of its own


@pytest.mark.kafka
def test_all_that_lacks_is_in_one_line(user_settings, secured, check):
    secured.grant((ResourceType.GROUP, user_settings.group_id, DESCRIBE))
    with pytest.raises(PermissionMissing) as caught:
        check(user_settings)
    text = one_line(caught.value)
    for what in ("Read on topics", "Write on topics", "Read on group", "Write on transactional-id"):
        assert f"no {what}" in text


@pytest.mark.kafka
def test_one_topic_that_may_not_be_written_is_named(user_settings, secured, check):
    names = [name for name in load_catalogue(user_settings).topics if not name.endswith("dead-letter")]
    rights = [(ResourceType.TOPIC, name, operation) for name in names for operation in (READ, WRITE)]
    secured.grant(*rights, *all_rights(user_settings, without=["read", "write"]))
    with pytest.raises(PermissionMissing) as caught:
        check(user_settings)
    assert one_line(caught.value).endswith(f"no Write on topic {user_settings.dead_letter_topic}")


@pytest.mark.kafka
@pytest.mark.parametrize(
    "wrong", [{"sasl_password": "wrong"}, {"sasl_username": "nobody"}, {"sasl_mechanism": "SCRAM-SHA-256"}]
)
def test_a_refused_login_is_not_waited_for(user_settings, check, said, wrong):
    began = time.monotonic()
    with pytest.raises(LoginRefused) as caught:
        check(changed(user_settings, **wrong))
    assert time.monotonic() - began < SECONDS
    assert "refused the login" in one_line(caught.value)
    assert said == []


@pytest.mark.kafka
def test_a_certificate_that_is_not_trusted_is_told_as_such(user_settings, secured, check, tmp_path):
    other = Authority(tmp_path, "other-authority")
    settings = changed(
        user_settings, broker=secured.tls, security_protocol="SASL_SSL", tls_ca_file=other.certificate
    )
    began = time.monotonic()
    with pytest.raises(CertificateRefused) as caught:
        check(settings)
    assert time.monotonic() - began < SECONDS
    assert "certificate" in one_line(caught.value)
    assert "MASTERY_TLS_CA_FILE" in caught.value.hint


@pytest.mark.kafka
@pytest.mark.parametrize("listener", ["login", "tls"])
def test_a_client_in_the_clear_at_a_listener_that_wants_more(admin_settings, secured, check, listener):
    settings = changed(admin_settings, broker=getattr(secured, listener))
    with pytest.raises(NotInTime, match="closes the connection at once") as caught:
        check(settings, wait=0)
    assert "MASTERY_SECURITY_PROTOCOL" in caught.value.hint


@pytest.mark.kafka
def test_tls_at_a_listener_in_the_clear(user_settings, authority, check):
    settings = changed(user_settings, security_protocol="SASL_SSL", tls_ca_file=authority.certificate)
    with pytest.raises(NotInTime, match="PLAINTEXT") as caught:
        check(settings, wait=0)
    assert "MASTERY_SECURITY_PROTOCOL" in caught.value.hint


@pytest.mark.kafka
def test_an_advertised_address_where_nothing_listens_is_named(admin_settings, secured, check):
    with pytest.raises(NotInTime, match="sends its clients on to ") as caught:
        check(changed(admin_settings, broker=secured.nowhere), wait=0)
    assert "advertised.listeners" in caught.value.hint


@pytest.mark.kafka
def test_a_frozen_broker_is_waited_for(user_settings, secured, check, said):
    secured.freeze()
    thawing = threading.Timer(4.0, secured.thaw)
    thawing.start()
    try:
        check(user_settings)
    finally:
        thawing.cancel()
        secured.thaw()
