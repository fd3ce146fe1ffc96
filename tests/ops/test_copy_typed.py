"""A copy into topics with other partitions: nothing is missing, changed or out of a key's order."""

import importlib.util
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Producer

from app.kafka import producer_config
from app.reader import TopicReader, topic_partitions
from app.settings import load_settings
from app.topics import TopicAdmin, apply, load_catalogue

SCRIPT = Path(__file__).parents[2] / "ops" / "copy_typed.py"
CUT = datetime(2026, 1, 1, tzinfo=UTC)
START = int(CUT.timestamp() * 1000) - 50


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("copy_typed", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def records(settings, topic):
    found = []
    with TopicReader.whole(settings, [topic], topic_partitions(settings)) as reader:
        while not reader.at_end:
            found += reader.read(0.5)
    return found


def by_key(found):
    kept = defaultdict(list)
    for record in sorted(found, key=lambda record: (record.partition, record.offset)):
        kept[record.key].append((record.value, record.timestamp))
    return kept


def test_a_copy_holds_all_of_before_the_cut_and_is_made_once(script, settings):
    apply(load_catalogue(settings), TopicAdmin(settings))
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    new = load_settings(**given | {"topic_prefix": f"v2.{settings.topic_prefix}", "partitions": 7})
    apply(load_catalogue(new), TopicAdmin(new))
    old_topic, new_topic = (which.typed_topic("rubric_assessed") for which in (settings, new))
    producer = Producer(producer_config(settings))
    for number in range(100):
        producer.produce(old_topic, b"%d" % number, b"key-%d" % (number % 9), timestamp=START + number)
    producer.produce(settings.schemas_topic, b"{}", b"mode/local")
    producer.flush()
    assert script.copy(new, settings.topic_prefix, CUT)[new_topic] == 50
    copied = records(new, new_topic)
    expected = [record for record in records(settings, old_topic) if record.timestamp < START + 50]
    assert by_key(copied) == by_key(expected)
    assert {record.partition for record in copied} != {record.partition for record in expected}
    assert [record.key for record in records(new, new.schemas_topic)] == [b"mode/local"]
    for prefix in (settings.topic_prefix, new.topic_prefix, "nobodys."):
        with pytest.raises(script.CopyRefused):
            script.copy(new, prefix, CUT)
