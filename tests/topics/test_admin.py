"""How the broker's refusals and its silence are put."""

import time

import pytest

from app.errors import MasteryError
from app.kafka import BrokerUnreachable
from app.settings import load_settings
from app.topics import TopicAdmin, TopicsNotMade, apply, load_catalogue


@pytest.mark.kafka
def test_more_copies_than_brokers_are_refused_with_the_way_out(settings):
    many = settings.model_copy(update={"replication_factor": 3})
    with pytest.raises(TopicsNotMade) as refused:
        apply(load_catalogue(many), TopicAdmin(many))
    assert "MASTERY_REPLICATION_FACTOR" in refused.value.hint
    assert not {name for name in TopicAdmin(settings).topics() if name.startswith(settings.topic_prefix)}


def test_no_broker_is_one_line_within_seconds(tmp_path):
    nobody = load_settings(broker="127.0.0.1:1", state_dir=tmp_path)
    began = time.monotonic()
    with pytest.raises(BrokerUnreachable) as refused:
        apply(load_catalogue(nobody), TopicAdmin(nobody, timeout=1.5))
    assert time.monotonic() - began < 5
    assert isinstance(refused.value, MasteryError)
    assert "127.0.0.1:1" in str(refused.value)
    assert "\n" not in str(refused.value)
