import contextlib
import socket
import threading
import time

import httpx
import pytest

from app import __version__
from app.settings import Settings
from app.web.server import AddressUnusable, PortInUse, WebServer


def test_answers_as_soon_as_start_returns(progress):
    server = WebServer(Settings(web_port=0), progress)
    began = time.monotonic()
    server.start()
    try:
        assert httpx.get(f"{server.url}/health/live").status_code == 200
        assert time.monotonic() - began < 2
    finally:
        server.stop()


def test_port_0_takes_a_free_one_and_tells_which(server):
    assert server.port > 0
    assert server.address == f"127.0.0.1:{server.port}"
    assert server.url == f"http://127.0.0.1:{server.port}"


def test_stop_frees_the_port_and_ends_the_thread(progress):
    before = threading.active_count()
    server = WebServer(Settings(web_port=0), progress)
    server.start()
    port = server.port
    server.stop()
    server.stop()
    assert threading.active_count() == before
    again = WebServer(Settings(web_port=port), progress)
    again.start()
    again.stop()


def test_stop_is_not_held_up_by_an_idle_connection(progress):
    server = WebServer(Settings(web_port=0), progress)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port)):
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 4


def test_a_port_in_use_is_one_line_with_a_way_out(progress):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            WebServer(Settings(web_port=port), progress).start()
    assert str(caught.value) == f"port {port} on 127.0.0.1 is in use by another process"
    assert "MASTERY_WEB_PORT" in caught.value.hint


def test_the_default_port_in_use_means_the_next_free_one_and_is_said(progress, caplog):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # in use already: as well
            taken.bind(("127.0.0.1", 6066))
            taken.listen()
        server = WebServer(Settings(), progress)
        server.start()
        try:
            assert 6066 < server.port < 6166
            assert httpx.get(f"{server.url}/health/live").status_code == 200
        finally:
            server.stop()
    assert caplog.messages == [f"port 6066 is in use, so the web server takes {server.port}"]


@pytest.mark.parametrize("host", ["host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_of_this_machine_is_refused(progress, host):
    server = WebServer(Settings(web_host=host, web_port=0, web_token="x" * 16), progress)
    with pytest.raises(AddressUnusable, match="cannot listen on") as caught:
        server.start()
    assert "MASTERY_WEB_HOST" in caught.value.hint


def test_answers_while_the_main_thread_is_busy(server):
    # Pure Python that never gives way by itself, as an event loop in the middle of a batch.
    times: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        httpx.get(f"{server.url}/health/live").raise_for_status()
        times.append(time.monotonic() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    while asking.is_alive():
        sum(range(1000))
    assert times[0] < 2


def test_the_index_names_what_is_there(client):
    body = client.get("/").json()
    assert body["name"] == "mastery-stream"
    assert body["version"] == __version__
    for path in body["paths"]:
        assert client.get(path).status_code in {200, 503}


@pytest.mark.parametrize("path", ["/", "/health/live", "/metrics"])
def test_only_reading_is_possible(client, path):
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, path).status_code == 405


def test_no_other_site_is_let_in_and_no_software_is_named(client):
    answer = client.get("/health/live", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "server" not in answer.headers
