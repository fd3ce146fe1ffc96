"""The fault-making proxy: each fault is what it claims to be."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from tests.chaos.network import KafkaProxy, Request
from tests.support.waiting import wait_until


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that sends back what it gets."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65_536):
                connection.sendall(data)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    listening.close()


@pytest.fixture
def proxy(echo: str) -> Iterator[KafkaProxy]:
    with KafkaProxy(echo) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: KafkaProxy) -> Iterator[socket.socket]:
    with _connect(proxy) as client:
        assert _echoed(client, b"hello")
        yield client


def _connect(proxy: KafkaProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5.0)


def _echoed(client: socket.socket, data: bytes) -> bool:
    client.sendall(data)
    found = b""
    while len(found) < len(data):
        if not (more := client.recv(65_536)):
            return False
        found += more
    return found == data


def _request(number: int, size: int = 20) -> bytes:
    return struct.pack(">ih", size, number) + b"x" * (size - 2)


def test_what_is_large_passes_unchanged(client: socket.socket) -> None:
    data = bytes(range(256)) * 4_000
    threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
    found = b""
    while len(found) < len(data):
        found += client.recv(65_536)
    assert found == data


def test_slow_links_take_their_time(proxy: KafkaProxy, client: socket.socket) -> None:
    proxy.slow(latency=0.1)
    started = time.monotonic()
    assert _echoed(client, b"ping")
    assert time.monotonic() - started >= 0.2
    proxy.slow(rate=20_000)
    started = time.monotonic()
    assert _echoed(client, b"x" * 4_000)
    assert time.monotonic() - started >= 0.4
    proxy.heal()
    assert _echoed(client, b"ping")


def test_cut_links_are_reset_and_new_ones_too_until_healed(proxy: KafkaProxy, client: socket.socket) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with _connect(proxy) as other, pytest.raises((ConnectionError, AssertionError)):
        assert _echoed(other, b"anybody?")
    proxy.heal()
    with _connect(proxy) as other:
        assert _echoed(other, b"again")
    proxy.reset()
    with _connect(proxy) as other:
        assert _echoed(other, b"and again")


def test_a_blackhole_swallows_all_and_gives_it_back(proxy: KafkaProxy, client: socket.socket) -> None:
    proxy.blackhole()
    client.settimeout(0.3)
    client.sendall(b"held")
    with pytest.raises(TimeoutError):
        client.recv(1)
    with _connect(proxy) as other:
        other.settimeout(0.3)
        other.sendall(b"held, too")
        with pytest.raises(TimeoutError):
            other.recv(1)
    proxy.heal()
    client.settimeout(5.0)
    assert client.recv(10) == b"held"


@pytest.mark.parametrize("answered", [True, False])
def test_a_link_is_cut_at_a_request(proxy: KafkaProxy, client: socket.socket, *, answered: bool) -> None:
    client.close()
    with _connect(proxy) as first, _connect(proxy) as second:
        proxy.cut_at(Request.END_TXN, answered=answered)
        # In pieces, and two in one.
        many = _request(Request.FETCH) + _request(Request.PRODUCE, 300) + _request(Request.HEARTBEAT)
        for start in range(0, len(many), 7):
            assert _echoed(first, many[start : start + 7])
        assert _echoed(second, _request(Request.PRODUCE))
        second.sendall(_request(Request.HEARTBEAT) + _request(Request.END_TXN))
        with pytest.raises(ConnectionResetError):
            second.recv(1)
        proxy.wait_cut()
        assert _echoed(first, _request(Request.END_TXN))
        wait_until(lambda: len(proxy.links) == 1, timeout=5.0, what="the cut link to go")
