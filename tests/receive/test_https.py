"""`mastery receive https` as its user runs it, on the broker of this run."""

import asyncio
import contextlib
import socket

import httpx
import pytest

from app.receive import serving
from app.receive.https import receive_https
from app.receive.serving import Server, listen_for
from app.settings import SettingsError, load_settings
from app.web import connections
from app.web.listen import AddressUnusable, PortInUse
from tests.receive.fakes import SECRET, until
from tests.receive.process import ReceiverProcess
from tests.support.records import create_topic, read_all
from tests.support.waiting import wait_until

EVENT = b'{"metadata": {"event_name": "x"},  "body": {"a": 1.50}}'


def receiver_of(settings, folder):
    return ReceiverProcess(settings, folder, MASTERY_RECEIVE_PATH_SECRET=SECRET)


@pytest.fixture
def receiver(settings, tmp_path):
    create_topic(settings.broker, settings.raw_topic_name, partitions=2)
    with receiver_of(settings, tmp_path) as running:
        yield running


def request_head(length, path=f"/events/{SECRET}"):
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


def test_events_go_into_the_topic_and_what_is_under_way_at_its_end_does_too(receiver, settings):
    url = f"http://127.0.0.1:{receiver.port}"
    with httpx.Client(base_url=url) as client:
        for _ in range(3):
            assert client.post(f"/events/{SECRET}", content=EVENT).status_code == 200
        assert client.post("/events/another-secret-00000", content=EVENT).status_code == 401
        assert client.post("/events/", content=EVENT).status_code == 404
        assert client.get("/health/live").json() == {"live": True}
        assert client.get("/health/ready").json() == {"ready": True, "detail": ""}
    assert receiver.metric("mastery_receive_events_total") == 3
    with socket.create_connection(("127.0.0.1", receiver.port)) as late:
        late.sendall(request_head(len(EVENT)) + EVENT[:10])
        wait_until(lambda: receiver.metric("mastery_receive_in_flight_requests"), timeout=5, what="it")
        receiver.signal()
        wait_until(lambda: receiver.get("/health/live") is None, timeout=5, what="no new connections")
        late.sendall(EVENT[10:])
        assert late.recv(1000).startswith(b"HTTP/1.1 200")
    assert receiver.stop() == 0
    records = read_all(settings.broker, [settings.raw_topic_name])
    assert [(record.key, record.value, record.headers) for record in records] == [(None, EVENT, ())] * 4
    assert SECRET not in receiver.log
    assert "another-secret" not in receiver.log
    assert "event_name" not in receiver.log


def test_a_body_that_does_not_come_takes_no_longer_than_any_other(settings, tmp_path):
    create_topic(settings.broker, settings.raw_topic_name)
    variables = {"MASTERY_RECEIVE_PATH_SECRET": SECRET, "MASTERY_RECEIVE_TIMEOUT": "1"}
    with ReceiverProcess(settings, tmp_path, **variables) as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as slow:
            slow.sendall(request_head(len(EVENT)) + EVENT[:10])
            answer = b""
            while part := slow.recv(1000):
                answer += part
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in answer.lower()
        assert receiver.metric("mastery_receive_in_flight_bytes") == 0


def test_without_a_topic_it_ends_and_says_what_to_do(settings, tmp_path):
    receiver = receiver_of(settings, tmp_path)
    receiver.launch()
    wait_until(lambda: not receiver.running, timeout=30, what="its end")
    assert receiver.returncode == 1
    assert f"has no topic {settings.raw_topic_name}" in receiver.log
    assert "mastery topics apply" in receiver.log
    assert "Traceback" not in receiver.log


def test_while_kafka_is_away_it_lives_and_canvas_is_told_to_come_again(settings, tmp_path):
    receiver = receiver_of(settings.model_copy(update={"broker": "127.0.0.1:1"}), tmp_path)
    receiver.launch()
    wait_until(lambda: receiver.get("/health/live"), timeout=30, what="it to listen")
    assert receiver.get("/health/live")[0] == 200
    assert receiver.get("/health/ready")[0] == 503
    wait_until(lambda: "no Kafka broker answers" in receiver.obstacle(), timeout=10, what="the reason")
    answer = httpx.post(f"http://127.0.0.1:{receiver.port}/events/{SECRET}", content=EVENT)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert receiver.stop() == 0


def test_it_does_not_listen_where_anybody_could_bring_events(settings):
    with pytest.raises(SettingsError, match="events that are not signed need a secret"):
        receive_https(settings)


def test_an_address_that_cannot_be_listened_on():
    with pytest.raises(AddressUnusable, match="nothing can listen on"):
        listen_for(load_settings(receive_host="203.0.113.1"))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortInUse, match="in use"):
        listen_for(load_settings(receive_port=taken.getsockname()[1]))


class WholeBody:
    """An application that reads the whole body before it answers."""

    async def __call__(self, scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


async def closed(reader):
    """Wait for the other side to close, in whatever way."""
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""


def test_connections_that_say_nothing_are_few_and_short(monkeypatch):
    monkeypatch.setattr(connections, "_HEAD", 0.5)
    monkeypatch.setattr(serving, "_MORE_CONNECTIONS", 2)

    async def scene():
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(WholeBody(), requests=1, grace=1)
        task = asyncio.create_task(server.serve([listener]))
        await until(lambda: server.started)
        opened = [await asyncio.open_connection(*listener.getsockname()) for _ in range(6)]
        await until(lambda: len(server.server_state.connections) == 3)
        async with asyncio.timeout(10):
            for reader, writer in opened:
                await closed(reader)
                writer.close()
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        server.should_exit = True
        await task

    asyncio.run(scene())
