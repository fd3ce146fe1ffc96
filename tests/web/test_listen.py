import contextlib
import socket

import pytest

from app.settings import Settings
from app.web.listen import AddressUnusable, PortInUse, listen, url_of

TOKEN = "x" * 16


def test_port_0_takes_a_free_one_and_tells_which():
    with listen(Settings(web_port=0)) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_address_of_ipv6_stands_in_brackets():
    with listen(Settings(web_host="::1", web_port=0)) as listener:
        assert url_of(listener).startswith("http://[::1]:")


def test_others_reach_a_server_on_all_addresses_by_the_machines_name():
    with listen(Settings(web_host="0.0.0.0", web_port=0, web_token=TOKEN)) as listener:
        assert url_of(listener) == f"http://{socket.gethostname()}:{listener.getsockname()[1]}"


def test_a_port_in_use_is_one_line_with_a_way_out():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            listen(Settings(web_port=port))
    assert str(caught.value) == f"port {port} on 127.0.0.1 is in use by another process"
    assert "MASTERY_WEB_PORT" in caught.value.hint


def test_the_default_port_in_use_means_the_next_free_one_and_is_said(caplog):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # in use already: as well
            taken.bind(("127.0.0.1", 6066))
            taken.listen()
        with listen(Settings()) as listener:
            port = listener.getsockname()[1]
    assert 6066 < port < 6166
    assert caplog.messages == [f"port 6066 is in use, so the web server takes {port}"]


@pytest.mark.parametrize("host", ["host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_of_this_machine_is_refused(host):
    with pytest.raises(AddressUnusable, match="cannot listen on") as caught:
        listen(Settings(web_host=host, web_port=0, web_token=TOKEN))
    assert "MASTERY_WEB_HOST" in caught.value.hint
