"""`mastery receive sqs` as its user runs it: moto's server has the queue, the broker is that of this run."""

import json

import pytest

from app.receive.queue import Queue, QueueUnusable
from app.receive.sqs import receive_sqs
from app.settings import SettingsError, load_settings
from tests.receive.process import ReceiverProcess
from tests.receive.queues import LOGIN, left_in, sent
from tests.support.records import create_topic, read_all
from tests.support.waiting import wait_until

POISON = ["no JSON", '{"a": 1', "[" * 5_000, '{"Type": "Notification", "Message": "{}"}', "\N{SNOWMAN}"]


def test_a_queue_is_emptied_into_the_topic(client, url, settings, tmp_path):
    create_topic(settings.broker, settings.raw_topic_name, partitions=2)
    bodies = [json.dumps({"metadata": {"event_name": "x"}, "body": {"n": number}}) for number in range(25)]
    bodies += POISON
    sent(client, url, bodies)
    # Soon again, if an answer is lost on this machine.
    variables = {"MASTERY_RECEIVE_SQS_QUEUE": url, "MASTERY_RECEIVE_SQS_VISIBILITY": "10"} | LOGIN
    with ReceiverProcess(settings, tmp_path, "sqs", **variables) as receiver:
        wait_until(lambda: left_in(client, url) == (0, 0), timeout=60, what="an empty queue", interval=0.5)
        assert receiver.metric("mastery_receive_events_total") >= len(bodies)
        assert receiver.get("/health/live")[0] == 200
        assert receiver.stop() == 0
    records = read_all(settings.broker, [settings.raw_topic_name])
    # Whatever it is: the router has a topic for what cannot be understood, and the queue should not.
    assert {record.value for record in records} == {body.encode() for body in bodies}
    assert {(record.key, record.headers) for record in records} == {(None, ())}
    assert "event_name" not in receiver.log
    assert LOGIN["AWS_SECRET_ACCESS_KEY"] not in receiver.log


def test_nothing_is_fetched_while_kafka_was_never_there(client, url, settings, tmp_path):
    sent(client, url, ["{}"])
    away = settings.model_copy(update={"broker": "127.0.0.1:1"})
    receiver = ReceiverProcess(away, tmp_path, "sqs", MASTERY_RECEIVE_SQS_QUEUE=url, **LOGIN)
    receiver.launch()
    wait_until(lambda: receiver.ready() is False, timeout=30, what="it to listen")
    wait_until(lambda: "no Kafka broker answers" in receiver.obstacle(), timeout=10, what="the reason")
    assert receiver.stop() == 0
    assert left_in(client, url) == (1, 0)


def test_a_queue_that_is_not_there_ends_it_in_one_line(aws, url, settings, tmp_path):
    receiver = ReceiverProcess(settings, tmp_path, "sqs", MASTERY_RECEIVE_SQS_QUEUE=f"{url}-not", **LOGIN)
    receiver.launch()
    wait_until(lambda: not receiver.running, timeout=30, what="its end")
    assert receiver.returncode == 1
    assert "error: the SQS queue cannot be used (get_queue_attributes:" in receiver.log
    assert "Traceback" not in receiver.log


def test_a_queue_must_be_named():
    with pytest.raises(SettingsError, match="MASTERY_RECEIVE_SQS_QUEUE is not set"):
        receive_sqs(load_settings())


def test_messages_are_kept_from_others_deleted_and_given_back(client, url):
    queue = Queue(url, visibility=30, calls=1)
    queue.check()
    sent(client, url, ["{}", "[]", "\N{SNOWMAN}"])
    messages = {message.event: message for message in queue.receive()}
    assert messages.keys() == {b"{}", b"[]", "\N{SNOWMAN}".encode()}
    assert {message.deliveries for message in messages.values()} == {1}
    assert left_in(client, url) == (0, 3)
    assert queue.delete([messages[b"{}"]]) == []
    queue.hide([messages[b"[]"]], 0)
    queue.hide([messages["\N{SNOWMAN}".encode()]])
    assert left_in(client, url) == (1, 1)
    (again,) = queue.receive()
    assert (again.event, again.deliveries) == (b"[]", 2)


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/1/q", "eu-west-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/1/q", "us-gov-west-1"),
        ("https://vpce-0a1b.sqs.ca-central-1.vpce.amazonaws.com/1/q", "ca-central-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1"),
        ("http://127.0.0.1:1/1/q", "us-east-1"),
    ],
)
def test_the_region_is_that_of_the_queue(url, region, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    meta = Queue(url, visibility=30, calls=1)._client.meta
    assert (meta.region_name, meta.endpoint_url) == (region, url.removesuffix("/1/q"))


def test_no_login_is_told_as_such(url, monkeypatch, tmp_path):
    for name in LOGIN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(QueueUnusable, match="NoCredentialsError") as caught:
        Queue(url, visibility=30, calls=1).check()
    assert caught.value.permanent
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_an_address_where_nobody_answers_is_tried_again(client):
    with pytest.raises(QueueUnusable, match="EndpointConnectionError") as caught:
        Queue("http://127.0.0.1:1/1/q", visibility=30, calls=1).check()
    assert not caught.value.permanent
