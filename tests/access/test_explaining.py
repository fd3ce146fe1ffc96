import pytest
from confluent_kafka import KafkaError, KafkaException

from app.access import tasks
from app.access.explaining import explained
from app.access.grants import PermissionMissing
from app.settings import load_settings
from app.stream.errors import CheckpointFailed
from app.topics import load_catalogue

# No broker answers there, so none tells more.
SETTINGS = load_settings(broker="127.0.0.1:1")
WORKER = tasks.worker(SETTINGS, load_catalogue(SETTINGS))


def failed(code):
    """A failure as it comes out of Faust, which raises it as its own cause."""
    failure = CheckpointFailed("commit failed")
    failure.__context__ = KafkaException(KafkaError(code))
    failure.__cause__ = failure
    return failure


def test_a_transactional_id_is_named():
    denied = failed(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    found = explained(SETTINGS, WORKER, denied)
    assert type(found) is PermissionMissing
    assert "no Write on transactional-id canvas.mastery-stream." in str(found)


@pytest.mark.parametrize("code", [KafkaError._TIMED_OUT, KafkaError.TOPIC_AUTHORIZATION_FAILED])
def test_what_is_not_known_better_stays_as_it_is(code):
    failure = failed(code)
    assert explained(SETTINGS, WORKER, failure) is failure
