from app.embedded.broker import is_embedded
from app.embedded.offsets import commit_again
from app.kafka import client_config
from app.stream.group_metadata import encode_group_metadata
from app.stream.producer import TransactionalProducer
from app.topics import TopicAdmin
from tests.support.records import committed_offsets, create_topic


def test_offsets_without_records_are_kept(settings):
    """On any broker; the embedded one needs help with it."""
    topic = f"{settings.topic_prefix}in"
    create_topic(settings.broker, topic, partitions=2)
    embedded = is_embedded(TopicAdmin(settings).cluster_id())
    producer = TransactionalProducer(
        client_config(settings), topic, commit_again=commit_again(settings) if embedded else None
    )
    producer.init()
    for position in (1, 2, 3):
        producer.begin()
        producer.commit({(topic, 0): position}, encode_group_metadata(settings.group_id, -1, ""))
    assert committed_offsets(settings.broker, settings.group_id)[topic, 0] == 3


def test_the_embedded_broker_is_told_from_others(broker, settings):
    assert is_embedded(TopicAdmin(settings).cluster_id()) == (broker.kind == "embedded")
    assert not is_embedded(None)
