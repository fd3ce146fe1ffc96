"""Sending commands into the stream, and waiting until they are applied."""

import time
from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from app.committed import committed_offsets
from app.errors import MasteryError
from app.forget.command import ForgetCommand
from app.kafka import BrokerErrors, BrokerUnreachable, broker_failure, consumer_config, producer_config
from app.partitioner import partition_of
from app.reader import REQUEST_TIMEOUT, topic_missing, topic_partitions
from app.settings import Settings

__all__ = ["NotApplied", "PartitionsDiffer", "send_commands", "wait_until_applied"]

Offsets = Mapping[int, int]
"""Offset of the last command by partition of the topic of commands."""

#: Seconds between two questions.
_PAUSE = 0.25


class NotApplied(MasteryError):
    """The commands stand in their topic, but no worker has applied them yet."""


class PartitionsDiffer(MasteryError):
    """The topic of commands has another number of partitions than the state: commands would go astray."""


def send_commands(settings: Settings, commands: Iterable[ForgetCommand]) -> Offsets:
    """Write the commands, each into the partition of its student; return where they stand.

    Raises TopicMissing, PartitionsDiffer, BrokerFailure.
    """
    topics = topic_partitions(settings)
    topic = settings.commands_topic
    for name in (topic, settings.changelog_topic):
        if name not in topics:
            raise topic_missing(settings, name)
    count = len(topics[topic])
    if count != len(topics[settings.changelog_topic]):
        raise PartitionsDiffer(
            f"{topic} and {settings.changelog_topic} differ in their number of partitions",
            hint="`mastery topics check` tells more",
        )
    errors = BrokerErrors()
    producer = Producer(producer_config(settings, errors=errors))
    offsets: dict[int, int] = {}
    refused = []

    def delivered(error: object, message: object) -> None:
        if error is not None:
            refused.append(error)
        else:
            offsets[message.partition()] = message.offset()  # type: ignore[attr-defined] # a Message

    for command in commands:
        place = partition_of(command.key, count)
        producer.produce(topic, command.value, command.key, place, on_delivery=delivered)
    unsent = producer.flush(REQUEST_TIMEOUT)
    if refused:
        raise broker_failure(settings, refused[0], errors, what="send a command")  # type: ignore[arg-type]
    if unsent:
        raise BrokerUnreachable(
            f"the broker at {settings.broker} did not take the command in time",
            hint="it may have it all the same; forgetting twice does no harm",
        )
    return offsets


def wait_until_applied(settings: Settings, offsets: Offsets, timeout: float) -> None:
    """Wait until the workers have committed all commands up to these, with what they led to.

    Raises NotApplied after `timeout` seconds, and BrokerFailure.
    """
    deadline = time.monotonic() + timeout
    errors = BrokerErrors()
    topic = settings.commands_topic
    consumer = Consumer(consumer_config(settings, group_id=settings.group_id, errors=errors))
    try:
        while not _applied(consumer, topic, offsets):
            if time.monotonic() > deadline:
                raise NotApplied(
                    f"after {timeout:g} s, no worker has applied the command; it stands in {topic}, and is"
                    " applied as soon as one runs",
                    hint="`mastery status` shows who works on what; to wait again, run the command again",
                )
            time.sleep(_PAUSE)
    except KafkaException as error:
        raise broker_failure(settings, error, errors, what="read committed offsets") from None
    finally:
        consumer.close()


def _applied(consumer: Consumer, topic: str, offsets: Offsets) -> bool:
    wanted = [TopicPartition(topic, partition) for partition in offsets]
    committed = committed_offsets(consumer, wanted, REQUEST_TIMEOUT)
    return all(entry.offset > offsets[entry.partition] for entry in committed)
