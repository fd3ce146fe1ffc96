"""A queue for each test that wants one, at moto's server."""

import logging

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.receive.queues import LOGIN


@pytest.fixture(scope="session")
def aws():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(aws, monkeypatch):
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    return boto3.client("sqs", endpoint_url=aws, region_name="us-east-1")


@pytest.fixture
def url(aws, client, topic_prefix):
    name = f"canvas-live-events-{topic_prefix.strip('.')}"
    return aws + "/" + client.create_queue(QueueName=name)["QueueUrl"].split("/", 3)[3]
