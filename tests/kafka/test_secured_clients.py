"""Every client of the project against a Kafka that wants TLS and a login, and grants only what is needed."""

from contextlib import closing

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AclOperation, ResourceType

from app.backlog import read_backlog
from app.cli import cli
from app.embedded.samples import sample_events
from app.errors import MasteryError
from app.forget.sending import NotApplied
from app.kafka import (
    AccessDenied,
    BrokerErrors,
    BrokerUnreachable,
    CertificateRefused,
    LoginRefused,
    admin_client,
    broker_failure,
    consumer_config,
)
from app.reader import TopicReader, topic_partitions
from app.reference.permissions import roles
from app.schemas.contract import load_contract
from app.sender import EventSender
from app.settings import Settings, load_settings
from app.stream.errors import TakeOverFailed
from app.topics import load_catalogue
from tests.kafka.secured import Authority
from tests.support.records import produce
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess, command_environment

pytestmark = pytest.mark.kafka


@pytest.fixture
def login(secured, user):
    """Settings of a user with TLS and a login, who may do what a worker does."""
    secured.grant(
        (ResourceType.TOPIC, user.topic_prefix, AclOperation.READ),
        (ResourceType.TOPIC, user.topic_prefix, AclOperation.WRITE),
        (ResourceType.GROUP, user.group_id, AclOperation.READ),
        (ResourceType.TRANSACTIONAL_ID, user.group_id, AclOperation.WRITE),
    )
    return user


def changed(settings: Settings, **values) -> Settings:
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load_settings(**{name: value for name, value in (given | values).items() if value is not None})


def test_sender_worker_and_reader_log_in_over_tls(login, tmp_path):
    events = EventSender(login, login.raw_topic_name)
    for sample in sample_events():
        events.send(sample.raw)
    events.finish()
    assert events.accepted == len(sample_events())
    inputs = [(login.raw_topic_name, partition) for partition in range(login.partitions)]
    assert not all(entry.idle for entry in read_backlog(login, inputs))
    with WorkerProcess(login, tmp_path) as worker:
        worker.wait_ready()
        wait_until(
            lambda: all(entry.idle for entry in read_backlog(login, inputs)),
            timeout=30,
            what="everything to be processed",
            detail=lambda: worker.log,
        )
        worker.terminate()
        assert worker.wait() == 0
    partitions = topic_partitions(login)
    typed = [login.typed_topic(name) for name in load_contract().events if "outcome" in name]
    with TopicReader.whole(login, typed, partitions) as reader:
        records = []
        while not reader.at_end:
            records += reader.read(0.5)
    assert len(records) == sum("outcome" in sample.event_name for sample in sample_events())


def failure(settings: Settings):
    """What listing topics says, as the commands say it."""
    errors = BrokerErrors()
    admin = admin_client(settings, errors=errors)
    with pytest.raises(KafkaException) as caught:
        admin.list_topics(timeout=5)
    admin.poll(0)
    return broker_failure(settings, caught.value, errors, what="list topics")


def test_a_wrong_password_is_told_from_a_broker_that_is_not_there(login):
    refused = failure(changed(login, sasl_password="wrong"))
    assert type(refused) is LoginRefused
    assert login.sasl_username in str(refused)
    assert "wrong" not in str(refused)
    assert "MASTERY_SASL_PASSWORD" in refused.hint


def test_an_authority_that_is_not_trusted_is_told(login, tmp_path):
    other = Authority(tmp_path, "somebody-else")
    refused = failure(changed(login, tls_ca_file=other.certificate))
    assert type(refused) is CertificateRefused
    assert "MASTERY_TLS_CA_FILE" in refused.hint


def test_talking_plainly_to_a_port_that_wants_tls(login):
    plain = changed(
        login,
        security_protocol=None,
        sasl_username=None,
        sasl_password=None,
        sasl_mechanism=None,
        tls_ca_file=None,
    )
    refused = failure(plain)
    assert type(refused) is BrokerUnreachable
    assert "MASTERY_SECURITY_PROTOCOL" in refused.hint


def test_a_missing_permission_is_told(login, secured):
    secured.grant((ResourceType.TOPIC, login.topic_prefix, AclOperation.READ))
    sender = EventSender(login, login.raw_topic_name)
    sender.send(b"{}")
    with pytest.raises(AccessDenied):
        sender.finish()
    with pytest.raises(AccessDenied):
        read_backlog(login, [(login.raw_topic_name, 0)])


def test_a_permission_taken_away_under_a_worker_ends_it_in_one_line(login, secured, tmp_path):
    with WorkerProcess(login, tmp_path) as worker:
        worker.wait_ready()
        secured.grant(
            (ResourceType.TOPIC, login.topic_prefix, AclOperation.WRITE),
            (ResourceType.GROUP, login.group_id, AclOperation.READ),
            (ResourceType.TRANSACTIONAL_ID, login.group_id, AclOperation.WRITE),
        )
        assert worker.wait() == 1
        # The stream and the follower of the definitions both read; who is refused first says so.
        refusals = (
            "the broker does not hand out records of",
            "Topic authorization failed (read definitions)",
        )
        assert sum(told in worker.log for told in refusals) >= 1
        assert "-> " in worker.log.splitlines()[-1]
        assert "Traceback" not in worker.log


def test_a_replay_without_its_permissions_sends_nothing(login, secured):
    produce(secured.bootstrap, login.dead_letter_topic, [b"{}"])
    read = (ResourceType.TOPIC, login.topic_prefix, AclOperation.READ)
    write = (ResourceType.TOPIC, login.topic_prefix, AclOperation.WRITE)
    replaying = (ResourceType.TRANSACTIONAL_ID, login.group_id, AclOperation.WRITE)
    # librdkafka asks for the coordinator of the group that a reader names, though it never joins it.
    group = (ResourceType.GROUP, login.group_id, AclOperation.DESCRIBE)
    for granted in (write, replaying):
        secured.grant(read, group, granted)
        with pytest.raises(AccessDenied):
            mastery(login, "dead-letters", "replay", "--kind", "unknown")
    secured.grant(read, group, write, replaying)
    assert "1 dead letter replayed" in mastery(login, "dead-letters", "replay", "--kind", "unknown")


def test_a_topic_that_may_not_be_seen_is_told_from_one_that_is_missing(login, secured):
    secured.grant((ResourceType.GROUP, login.group_id, AclOperation.READ))
    for command in (("tail", "rubric_assessed"), ("state", "export"), ("status",), ("dead-letters", "list")):
        with pytest.raises(AccessDenied, match="may not even see the topic"):
            mastery(login, *command)


def test_offsets_of_a_topic_that_may_not_be_seen_do_not_pass_for_forgotten(login, administrator, secured):
    mastery(administrator, "status")  # waits for the coordinator of groups, which a new cluster makes first
    typed = login.typed_topic("rubric_assessed")
    produce(secured.bootstrap, typed, [b"written"])
    secured.grant(
        (ResourceType.GROUP, login.group_id, AclOperation.READ),
        (ResourceType.TOPIC, typed, AclOperation.READ),
    )
    with pytest.raises(TakeOverFailed, match=login.raw_topic_name):
        mastery(login, "state", "rebuild", "--yes")


def mastery(settings: Settings, *arguments: str, given: bytes | None = None) -> str:
    """Call a command that must succeed, with these settings; return what it printed."""
    environment = command_environment(settings)
    done = CliRunner().invoke(
        cli,
        arguments,
        env={name: environment[name] for name in environment if name[:8] == "MASTERY_"},
        input=given,
    )
    if isinstance(done.exception, MasteryError):
        raise done.exception
    assert done.exit_code == 0, f"{arguments}: {done.output}{done.exception}"
    return done.output


def test_what_the_docs_grant_is_enough_for_each_role(login, secured, tmp_path):
    """The roles are those of docs/operating.md. Each does its work with its own permissions and no others."""
    settings = changed(login, topic_prefix=f"{login.topic_prefix}roles.")
    (deployer, receiver, worker, reports, operator, registrar, rebuilder) = roles(
        settings, load_catalogue(settings)
    )
    secured.grant_role(deployer)
    mastery(settings, "topics", "apply")
    mastery(settings, "topics", "check")
    mastery(settings, "schemas", "register")
    secured.grant_role(receiver)
    sample = next(sample for sample in sample_events() if sample.event_name == "rubric_assessed")
    mastery(settings, "send", "-", given=sample.raw)
    events = EventSender(settings, settings.raw_topic_name)
    events.send(b"broken")
    events.finish()
    secured.grant_role(worker)
    with WorkerProcess(settings, tmp_path) as running:
        running.wait_ready()
        inputs = [(settings.raw_topic_name, partition) for partition in range(settings.partitions)]
        wait_until(
            lambda: all(entry.idle for entry in read_backlog(settings, inputs)),
            timeout=30,
            what="everything to be processed",
            detail=lambda: running.log,
        )
        running.terminate()
        assert running.wait() == 0, running.log
    secured.grant_role(operator)
    mastery(settings, "status", "--wait-idle", "0")
    mastery(settings, "state", "verify")
    assert "not-json" in mastery(settings, "dead-letters", "list")
    mastery(settings, "dead-letters", "replay", "--kind", "not-json")
    assert sample.event_name in mastery(settings, "tail", sample.event_name, "--from-beginning", "--exit")
    secured.grant_role(rebuilder)
    mastery(settings, "state", "rebuild", "--yes")
    secured.grant_role(registrar)
    with pytest.raises(NotApplied):
        mastery(settings, "forget", "somebody", "--account", "school", "--yes", "--timeout", "0")
    secured.grant_role(reports)
    with closing(Consumer(consumer_config(settings, group_id="reports"))) as consumer:
        consumer.subscribe([settings.typed_topic(sample.event_name)])
        polled = []
        wait_until(lambda: polled.append(consumer.poll(0.5)) or polled[-1], timeout=30, what="a record")
        assert polled[-1].error() is None
        consumer.commit(polled[-1], asynchronous=False)
