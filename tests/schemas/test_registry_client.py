"""Against small HTTP servers that answer what a registry, or something else, may answer."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.schemas.registry_client import RegistryClient
from app.schemas.registry_errors import (
    IncompatibleSchema,
    RegistryRefused,
    RegistryUnavailable,
    UnknownSchema,
)
from app.settings import Settings, load_settings
from tests.kafka.secured import Authority

SUBJECT = "canvas.x-value"
SECRET = "worker:s3cret"

Answer = tuple[int, str]


@contextmanager
def serving(
    answer: Callable[[BaseHTTPRequestHandler], Answer], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answer(self)
            with suppress(BrokenPipeError):  # a client that waited no longer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

        do_GET = do_POST = do_PUT = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def error(status: int, code: int, message: str = "no") -> Callable[[object], Answer]:
    return lambda _: (status, json.dumps({"error_code": code, "message": message}))


def settings(url: str, tmp_path: Path, **more) -> Settings:
    return load_settings(schema_registry_url=url, state_dir=tmp_path, **more)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_registry_that_cannot_now_is_unavailable(status, tmp_path):
    asked = []
    answer = error(status, 50001)
    began = time.monotonic()
    with (
        serving(lambda request: asked.append(1) or answer(request)) as url,
        RegistryClient(settings(url, tmp_path)) as client,
        pytest.raises(RegistryUnavailable, match=str(status)),
    ):
        client.versions(SUBJECT)
    assert time.monotonic() - began < 4
    assert len(asked) >= 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_is_final_and_keeps_the_secret(status, tmp_path):
    with (
        serving(error(status, status)) as url,
        RegistryClient(settings(url, tmp_path, schema_registry_auth=SECRET)) as client,
        pytest.raises(RegistryRefused) as refused,
    ):
        client.versions(SUBJECT)
    assert "MASTERY_SCHEMA_REGISTRY_AUTH" in refused.value.hint
    assert "s3cret" not in str(refused.value) + refused.value.hint + repr(refused.value)


def test_the_login_is_sent(tmp_path):
    expected = "Basic " + base64.b64encode(SECRET.encode()).decode()

    def answer(request: BaseHTTPRequestHandler) -> Answer:
        return (200, "[]") if request.headers.get("Authorization") == expected else (401, "{}")

    with serving(answer) as url:
        with RegistryClient(settings(url, tmp_path, schema_registry_auth=SECRET)) as client:
            assert client.versions(SUBJECT) == []
        with (
            RegistryClient(settings(url, tmp_path)) as client,
            pytest.raises(RegistryRefused),
        ):
            client.versions(SUBJECT)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: (404, "<html>no such page</html>"),
        lambda _: (404, '{"timestamp": 1, "status": 404}'),
        lambda _: (200, "<html>welcome</html>"),
    ],
)
def test_an_address_that_is_no_registry_is_told_with_a_guess(answer, tmp_path):
    with (
        serving(answer) as url,
        RegistryClient(settings(url, tmp_path)) as client,
        pytest.raises(RegistryRefused, match="not the address") as refused,
    ):
        client.versions(SUBJECT)
    assert "/apis/ccompat/v7" in refused.value.hint


def test_what_a_registry_does_not_have_is_no_error(tmp_path):
    with (
        serving(error(404, 40401)) as url,
        RegistryClient(settings(url, tmp_path)) as client,
    ):
        assert client.versions(SUBJECT) == []
        assert client.find(SUBJECT, '"string"') is None
        assert client.compatibility(SUBJECT) is None
        assert client.accepts(SUBJECT, '"string"')
        with pytest.raises(UnknownSchema):
            client.by_id(1)


def test_a_conflict_carries_the_registrys_words_in_one_line(tmp_path):
    def answer(request: BaseHTTPRequestHandler) -> Answer:
        if request.path.startswith(f"/subjects/{SUBJECT}/versions"):
            return error(409, 409, "Incompatible:\n  READER_FIELD_MISSING_DEFAULT_VALUE at /fields/2")(
                request
            )
        return error(404, 40403)(request)

    with (
        serving(answer) as url,
        RegistryClient(settings(url, tmp_path)) as client,
        pytest.raises(IncompatibleSchema) as refused,
    ):
        client.register(SUBJECT, '"string"')
    assert SUBJECT in str(refused.value)
    assert "READER_FIELD_MISSING_DEFAULT_VALUE at /fields/2" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_conflict_with_a_worker_that_registers_the_same_is_none(tmp_path):
    def answer(request: BaseHTTPRequestHandler) -> Answer:
        if request.path.startswith(f"/subjects/{SUBJECT}/versions"):
            return error(409, 409, "concurrent")(request)
        return 200, json.dumps({"subject": SUBJECT, "version": 3, "id": 7, "schema": '"string"'})

    with serving(answer) as url, RegistryClient(settings(url, tmp_path)) as client:
        assert client.register(SUBJECT, '"string"').schema_id == 7


def test_another_refusal_is_final_and_says_why(tmp_path):
    with (
        serving(error(422, 42205, "Subject is in READONLY mode")) as url,
        RegistryClient(settings(url, tmp_path)) as client,
        pytest.raises(RegistryRefused, match="READONLY"),
    ):
        client.register(SUBJECT, '"string"')


def test_nobody_there_is_unavailable_within_seconds(tmp_path):
    began = time.monotonic()
    with (
        RegistryClient(settings("http://127.0.0.1:1", tmp_path)) as client,
        pytest.raises(RegistryUnavailable, match=r"127\.0\.0\.1:1"),
    ):
        client.versions(SUBJECT)
    assert time.monotonic() - began < 4


def test_a_registry_that_hangs_is_unavailable(tmp_path):
    release = threading.Event()

    def answer(_: object) -> Answer:
        release.wait(10)
        return 200, "[]"

    with serving(answer) as url, RegistryClient(settings(url, tmp_path), timeout=0.2) as client:
        with pytest.raises(RegistryUnavailable):
            client.versions(SUBJECT)
        release.set()


def test_without_an_address_there_is_no_client(tmp_path):
    with pytest.raises(RegistryRefused):
        RegistryClient(load_settings(state_dir=tmp_path))


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def tls_registry(authority, tmp_path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue(tmp_path / "server.pem"))
    with serving(lambda _: (200, "[]"), context) as url:
        yield url


def test_a_registry_signed_by_our_authority_is_trusted(tls_registry, authority, tmp_path):
    ours = settings(tls_registry, tmp_path, tls_ca_file=authority.certificate)
    with RegistryClient(ours) as client:
        assert client.versions(SUBJECT) == []


def test_a_registry_signed_by_somebody_else_is_refused(tls_registry, tmp_path):
    other = Authority(tmp_path, "other")
    for trusted in ({}, {"tls_ca_file": other.certificate}):
        with (
            RegistryClient(settings(tls_registry, tmp_path, **trusted)) as client,
            pytest.raises(RegistryRefused, match="TLS") as refused,
        ):
            client.versions(SUBJECT)
        assert "MASTERY_TLS_CA_FILE" in refused.value.hint


def test_https_where_there_is_none_is_refused(tmp_path):
    with (
        serving(lambda _: (200, "[]")) as url,
        RegistryClient(settings(url.replace("http:", "https:"), tmp_path)) as client,
        pytest.raises(RegistryRefused, match="TLS"),
    ):
        client.versions(SUBJECT)
