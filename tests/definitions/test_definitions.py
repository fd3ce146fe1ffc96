"""The copy as it follows a broker."""

import threading
import time

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from app.checks.waiting import retry_until
from app.definitions import follower as follower_module
from app.definitions import topics as topics_module
from app.definitions.changes import ChangedOutcome
from app.definitions.decoding import DEFINITION_EVENTS
from app.definitions.definitions import Definitions
from app.definitions.errors import DefinitionsBehind, DefinitionTopicsChanged, DefinitionUnreadable
from app.kafka import BrokerUnreachable, client_config
from app.mastery.rules import AccountRules, MasteryRules
from app.reader import TopicMissing
from tests.definitions.support import (
    ACCOUNT,
    LEVELS,
    WITH_SCALES,
    event_name,
    framed,
    schema_by_id,
)
from tests.mastery.events import outcome, proficiency
from tests.support.records import create_topic, end_offsets
from tests.support.waiting import wait_until

OWN = ChangedOutcome(ACCOUNT, "7")


class World:
    """The topics, a producer, and copies of them."""

    def __init__(self, settings):
        self.settings = settings
        self.folder = settings.state_dir
        for event in DEFINITION_EVENTS:
            create_topic(settings.broker, settings.typed_topic(event), partitions=2)
        self.failures = []
        self.notified = threading.Event()
        self.producer = Producer(client_config(settings, **{"enable.idempotence": True}))

    def transaction(self):
        producer = Producer(
            client_config(self.settings, **{"transactional.id": self.settings.typed_topic("x")})
        )
        producer.init_transactions(20)
        producer.begin_transaction()
        return producer

    def send(self, *events, partition=0, producer=None):
        for event in events:
            self.send_value(event_name(event), framed(event), partition=partition, producer=producer)

    def send_value(self, event, value, *, partition=0, producer=None):
        failed = []
        writer = producer or self.producer
        writer.produce(
            self.settings.typed_topic(event),
            value,
            b"key",
            partition,
            lambda error, _: error and failed.append(error),
        )
        assert (writer.flush(20.0), failed) == (0, [])

    def open(self, rules=WITH_SCALES, **arguments):
        return Definitions(
            self.settings,
            self.folder,
            schema_by_id,
            rules,
            notify=self.notified.set,
            on_failure=self.failures.append,
            **arguments,
        )

    def started(self):
        definitions = self.open()
        # As a worker does: a topic that was just made may have no leader yet.
        retry_until(time.monotonic() + 20.0, definitions.start, print)
        assert definitions.catch_up(20.0)
        return definitions

    def topic(self, event="learning_outcome_created"):
        return self.settings.typed_topic(event)


@pytest.fixture
def world(settings):
    return World(settings)


def method(definitions, outcome_id="7"):
    basis = definitions.resolve(ACCOUNT, outcome_id).basis
    return None if basis is None else basis.method.value


def test_from_nothing_through_changes_to_a_restart(world):
    with world.started() as definitions:
        assert not definitions.changed_since({})
        world.send(outcome("latest"), outcome(learning_outcome_id="8"), proficiency(*LEVELS))
        world.send(outcome("average", updated=3), partition=1)
        assert definitions.catch_up(20.0)
        assert (method(definitions), method(definitions, "8")) == ("average", "highest")
        assert definitions.resolve(ACCOUNT, "7").basis.scale.points_possible == 4.0
        changes = definitions.take_changes()
        assert changes.outcomes == {OWN, ChangedOutcome(ACCOUNT, "8")}
        assert changes.accounts == {ACCOUNT}
        before = definitions.vector
        assert before[world.topic(), 0] == 2
    world.send(outcome("n_mastery", 2, updated=9))
    with world.open() as definitions:
        definitions.start()
        assert method(definitions) in {"average", "n_mastery"}, "the file is there at once"
        assert definitions.catch_up(20.0)
        assert method(definitions) == "n_mastery"
        assert definitions.changed_since(before).outcomes == {OWN}
    assert world.failures == []


def test_vectors_go_with_topics_and_rules(world):
    alike = MasteryRules(AccountRules(account_level_scales=True))
    others = [
        MasteryRules(),
        MasteryRules(alike.default, {ACCOUNT: AccountRules()}),
        MasteryRules(alike.default, {ACCOUNT: AccountRules(new_decaying_average=False)}),
    ]
    identities = []
    for rules in (WITH_SCALES, alike, *others):
        with world.open(rules) as definitions:
            definitions.start()
            identities.append(definitions.identity)
    assert identities[0] == identities[1]
    assert len(set(identities)) == 4


def test_what_comes_is_told_without_a_catch_up(world):
    with world.started() as definitions:
        world.send(outcome("latest"))
        assert world.notified.wait(10.0)
        assert definitions.take_changes().outcomes == {OWN}
        assert method(definitions) == "latest"


def test_every_catch_up_reaches_what_is_there(world):
    """The embedded broker, asked for the end, tells one inside the last batch."""
    with world.started() as definitions:
        for number in range(3):
            for at in range(4):
                world.producer.produce(
                    world.topic("learning_outcome_updated"),
                    framed(outcome("n_mastery", number + 1, updated=10 * number + at)),
                    partition=number % 2,
                )
            world.producer.flush(10.0)
            assert definitions.catch_up(20.0)
            assert definitions.resolve(ACCOUNT, "7").basis.time % 10_000 == 3_000
            assert definitions.resolve(ACCOUNT, "7").basis.n == number + 1


def test_several_wait_at_once_and_one_gives_up(world):
    with world.started() as definitions:
        world.send(outcome("latest"))
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(definitions.catch_up(20.0))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        assert not definitions.catch_up(20.0, lambda: True)
        for thread in threads:
            thread.join()
        assert found == [True] * 3
        assert method(definitions) == "latest"


def test_a_record_that_is_none_ends_the_following(world):
    with world.started() as definitions:
        world.send(outcome("latest"))
        world.send_value("learning_outcome_created", b"no record", partition=0)
        wait_until(lambda: world.failures, timeout=10.0, what="the failure")
        assert isinstance(world.failures[0], DefinitionUnreadable)
        assert f"{world.topic()} partition 0 offset 1 holds no definition" in str(world.failures[0])
        with pytest.raises(DefinitionUnreadable):
            definitions.catch_up(20.0)
    assert len(world.failures) == 1


def test_whoever_is_told_of_a_failure_may_close(world):
    closed = threading.Event()

    def close(_):
        definitions.close()
        closed.set()

    definitions = Definitions(world.settings, world.folder, schema_by_id, WITH_SCALES, on_failure=close)
    definitions.start()
    world.send_value("learning_outcome_created", None)
    assert closed.wait(10.0)


def test_topics_that_are_not_there(settings):
    with (
        Definitions(settings, settings.state_dir, schema_by_id, WITH_SCALES) as definitions,
        pytest.raises(TopicMissing, match="has no topic"),
    ):
        definitions.start()


def test_no_broker(settings, monkeypatch):
    monkeypatch.setattr(topics_module, "_TIMEOUT", 0.5)
    nowhere = settings.model_copy(update={"broker": "127.0.0.1:1"})
    with (
        Definitions(nowhere, settings.state_dir, schema_by_id, WITH_SCALES) as definitions,
        pytest.raises(BrokerUnreachable),
    ):
        definitions.start()


def remake(world, event):
    admin = AdminClient({"bootstrap.servers": world.settings.broker})
    admin.delete_topics([world.topic(event)])[world.topic(event)].result(10.0)
    wait_until(
        lambda: world.topic(event) not in admin.list_topics(timeout=5.0).topics,
        timeout=10.0,
        what="the topic to go",
    )
    create_topic(world.settings.broker, world.topic(event), partitions=2)


def test_topics_that_were_made_anew_are_read_anew(world, caplog):
    world.send(outcome("latest"))
    with world.started() as definitions:
        before = definitions.identity
    remake(world, "learning_outcome_created")
    world.send(outcome("average"))
    with world.started() as definitions:
        assert method(definitions) == "average"
        assert definitions.identity != before
    assert "was moved to" in caplog.text
    assert "made anew" in caplog.text


# --- what only a real Kafka does ---


@pytest.mark.kafka
def test_new_partitions_are_followed(world):
    with world.started() as definitions:
        admin = AdminClient({"bootstrap.servers": world.settings.broker})
        for future in admin.create_partitions([NewPartitions(world.topic(), 4)]).values():
            future.result(10.0)
        wait_until(
            lambda: len(admin.list_topics(timeout=5.0).topics[world.topic()].partitions) == 4,
            timeout=10.0,
            what="the new partitions",
        )
        world.send(outcome("latest"), partition=3)
        assert definitions.catch_up(20.0)
        assert method(definitions) == "latest"
        assert definitions.changed_since({}).vector[world.topic(), 3] == 1


@pytest.mark.kafka
@pytest.mark.parametrize("end", ["commit", "abort"])
def test_an_open_transaction_is_waited_for(world, end):
    with world.started() as definitions:
        world.send(outcome("latest"))
        producer = world.transaction()
        world.send(outcome("average", updated=3), outcome("n_mastery", 3), producer=producer)
        with pytest.raises(DefinitionsBehind, match=r"partition 0 is read up to \d of \d"):
            definitions.catch_up(1.5)
        assert method(definitions) == "latest"
        ending = threading.Timer(1.0, getattr(producer, f"{end}_transaction"))
        ending.start()
        started = time.monotonic()
        assert definitions.catch_up(20.0)
        ending.join()
        assert time.monotonic() - started > 0.8
        assert method(definitions) == ("average" if end == "commit" else "latest")


@pytest.mark.kafka
def test_markers_and_aborted_records_at_the_end_are_passed(world):
    with world.started() as definitions:
        for number in range(3):
            producer = world.transaction()
            world.send(outcome("latest", updated=number), producer=producer)
            producer.commit_transaction() if number < 2 else producer.abort_transaction()
            assert definitions.catch_up(20.0)
        place = world.topic("learning_outcome_updated"), 0
        assert definitions.vector[place] == 6 == end_offsets(world.settings.broker, [place[0]])[place]
        before = definitions.vector
    with world.started() as definitions:
        assert definitions.vector == before
        assert not definitions.changed_since(before)


@pytest.mark.kafka
def test_offsets_that_the_topics_do_not_have(world, caplog):
    world.send(outcome("latest"), outcome("latest", learning_outcome_id="8"))
    with world.started() as definitions:
        definitions._copy._store.write([], [], {(world.topic(), 0): 50})
    with world.started() as definitions:
        assert method(definitions) == "latest"
    assert "stands at offset 50" in caplog.text
    with world.started() as definitions:
        definitions._copy._store.write([], [], {(world.topic(), 0): 1})
    admin = AdminClient({"bootstrap.servers": world.settings.broker})
    for future in admin.delete_records([TopicPartition(world.topic(), 0, 2)]).values():
        future.result(10.0)
    with world.started() as definitions:
        assert "stands at offset 1 " in caplog.text
        assert method(definitions) is None, "nobody has it any more"


@pytest.mark.kafka
def test_a_partition_that_was_empty_may_begin_anywhere_later(world, caplog):
    with world.started() as definitions:
        assert definitions.vector[world.topic(), 0] == 0
    world.send(outcome("latest"), outcome("average", learning_outcome_id="8"))
    admin = AdminClient({"bootstrap.servers": world.settings.broker})
    for future in admin.delete_records([TopicPartition(world.topic(), 0, 1)]).values():
        future.result(10.0)
    with world.started() as definitions:
        assert (method(definitions), method(definitions, "8")) == (None, "average")
    assert "moved" not in caplog.text


@pytest.mark.kafka
def test_a_topic_that_is_made_anew_meanwhile_ends_the_following(world, monkeypatch):
    monkeypatch.setattr(follower_module, "_LOOK_EVERY", 0.2)
    world.send(outcome("latest"))
    with world.started():
        remake(world, "learning_outcome_created")
        wait_until(lambda: world.failures, timeout=15.0, what="the failure")
    assert isinstance(world.failures[0], DefinitionTopicsChanged)
    with world.started() as definitions:
        assert method(definitions) is None


@pytest.mark.kafka
def test_a_broker_that_is_away_for_a_while(world, kafka):
    with world.started() as definitions:
        world.send(outcome("latest"))
        kafka.stop()
        with pytest.raises(DefinitionsBehind, match="no broker tells where they end"):
            definitions.catch_up(1.0)
        kafka.start()
        assert definitions.catch_up(30.0)
        assert method(definitions) == "latest"
    assert world.failures == []
