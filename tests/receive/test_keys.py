import asyncio
import contextlib
import http.server
import json
import threading

import pytest

from app.receive.keys import KeySet, KeysUnusable, fetch_from, keys_in
from tests.receive.fakes import KeyServer, Signer, until

KEY = Signer("one")


def key_set(*entries):
    return json.dumps({"keys": entries}).encode()


def test_only_keys_for_this_use_are_taken():
    short = Signer("short", bits=1024)
    taken = keys_in(
        key_set(
            KEY.jwk,
            KEY.jwk | {"kid": "no-alg", "alg": None} | {"alg": "RS256"},
            KEY.jwk | {"kid": "for-encryption", "use": "enc"},
            KEY.jwk | {"kid": "other-algorithm", "alg": "RS512"},
            {name: value for name, value in KEY.jwk.items() if name != "kid"},
            KEY.jwk | {"kid": 5},
            KEY.jwk | {"kid": "broken", "n": "!"},
            short.jwk,
            {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
            {"kty": "EC", "kid": "curve"},
            "nothing",
            None,
        )
    )
    assert set(taken) == {"one", "no-alg"}


def test_of_two_keys_with_one_id_the_first_counts():
    other = Signer("one")
    taken = keys_in(key_set(KEY.jwk, other.jwk))
    assert taken["one"].public_numbers() == KEY.private.public_key().public_numbers()


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"keys": 1}', b'{"keys": {}}', b'{"keys": []}', b"[" * 100_000, b"\xff", b"<html>"],
)
def test_what_is_no_key_set(content):
    with pytest.raises(KeysUnusable):
        keys_in(content)


def test_they_are_fetched_before_they_are_asked_for():
    async def scene():
        server = KeyServer(KEY)
        keys = KeySet(server.fetch, 60)
        keeping = asyncio.create_task(keys.keep())
        await until(lambda: keys.fetched is not None)
        await keys.key("one")
        assert (server.asked, keys.fetches, keys.failures) == (1, 1, 0)
        keeping.cancel()

    asyncio.run(scene())


def test_one_that_gives_up_waiting_takes_nothing_from_the_others():
    async def scene():
        answer = asyncio.Event()

        async def slow():
            await answer.wait()
            return key_set(KEY.jwk)

        keys = KeySet(slow, 60)
        first, second = (asyncio.create_task(keys.key("one")) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        answer.set()
        assert await second
        assert keys.fetches == 1

    asyncio.run(scene())


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = self.server.answer
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
            self.server.answer = (200, body)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{server.server_address[1]}/jwks"
        yield server
        server.shutdown()
        thread.join()


def test_fetched_from_an_address(web):
    web.answer = (200, key_set(KEY.jwk))
    assert set(keys_in(asyncio.run(fetch_from(web.url)()))) == {"one"}


@pytest.mark.parametrize("answer", [(500, b"{}"), (302, key_set(KEY.jwk)), (200, b" " * 1_000_000)])
def test_what_is_not_taken_from_an_address(web, answer):
    web.answer = answer
    with pytest.raises(KeysUnusable):
        asyncio.run(fetch_from(web.url)())


def test_nobody_answers():
    with pytest.raises(KeysUnusable, match="ConnectError"):
        asyncio.run(fetch_from("http://127.0.0.1:1/jwks")())
