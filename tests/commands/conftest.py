"""The commands, run in this process against the broker of the run."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from app import cli
from app.kafka import admin_client, producer_config
from app.settings import Settings
from app.topics import TopicAdmin, apply, load_catalogue
from tests.support.worker import command_environment


@dataclass
class Outcome:
    """What a command did."""

    status: int
    out: str
    err: str


@pytest.fixture
def topics(settings: Settings) -> Settings:
    """Settings whose topics are all there."""
    apply(load_catalogue(settings), TopicAdmin(settings))
    return settings


@pytest.fixture
def some_topics(settings: Settings) -> Settings:
    """Settings whose raw, dead-letter and one typed topic are there: all of them take seconds to make."""
    names = [settings.raw_topic_name, settings.dead_letter_topic, settings.schemas_topic]
    names.append(settings.typed_topic("rubric_assessed"))
    admin = admin_client(settings)
    for future in admin.create_topics(
        [NewTopic(name, 1 if name == settings.schemas_topic else settings.partitions) for name in names]
    ).values():
        future.result()
    return settings


@pytest.fixture
def mastery(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run a command with the test's settings: `mastery("send", "-", stdin=b"...")`."""
    for name, value in command_environment(settings).items():
        if name.startswith("MASTERY_"):
            monkeypatch.setenv(name, value)

    def run(*arguments: object, stdin: bytes = b"") -> Outcome:
        status = None
        with CliRunner().isolation(input=stdin) as (out, err, _):
            try:
                cli.main([str(argument) for argument in arguments])
            except SystemExit as ended:
                status = ended.code
            return Outcome(int(status), out.getvalue().decode(), err.getvalue().decode())

    return run


@pytest.fixture
def produce(some_topics: Settings) -> Callable[..., None]:
    """Write records: `produce(topic, [(key, value, headers), ...], partition=0)`."""

    # One for all: an idempotent producer takes half a second for its first record.
    producer = Producer(producer_config(some_topics))

    def write(topic: str, records, **options) -> None:
        for key, value, headers in records:
            producer.produce(topic, value, key, headers=headers, **options)
        assert producer.flush(10) == 0

    return write
