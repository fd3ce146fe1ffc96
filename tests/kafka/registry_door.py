"""A door before a schema registry: it asks for a login (HTTP basic), over TLS where it has a certificate.

The registry behind it, as many are run, asks for none.
"""

import base64
import http.client
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

__all__ = ["RegistryDoor"]

_KEPT = ("Content-Type", "Accept")


class RegistryDoor:
    """Hands on what is asked with a login of `users` (password by name) to the registry at `upstream`.

    `readers` may only read: they get 403 for what writes. `certificate` is a PEM file with key and
    certificate. `asked` are the names of who asked, "" for nobody, in order.
    """

    def __init__(
        self,
        upstream: str,
        users: Mapping[str, str],
        *,
        readers: frozenset[str] = frozenset(),
        certificate: Path | None = None,
    ) -> None:
        self.asked: list[str] = []
        self._upstream = urlsplit(upstream)
        self._users = {_authorization(name, password): name for name, password in users.items()}
        self._readers = readers
        self._scheme = "http" if certificate is None else "https"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # A handshake with a client that does not trust us belongs to that client's thread.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Base address of the Confluent API."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}{self._upstream.path}"

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        user = self._users.get(headers.get("Authorization", ""))
        self.asked.append(user or "")
        if user is None:
            return 401, b'{"error_code": 401, "message": "who are you?"}'
        if user in self._readers and _writes(method, path):
            return 403, b'{"error_code": 403, "message": "you may only read"}'
        upstream = http.client.HTTPConnection(str(self._upstream.netloc), timeout=30)
        try:
            kept = {name: headers[name] for name in _KEPT if name in headers}
            upstream.request(method, path, body or None, kept)
            answer = upstream.getresponse()
            return answer.status, answer.read()
        finally:
            upstream.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:  # the client does not trust us, or has gone
                    self.close_connection = True

            def _hand_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = door._answer(self.command, self.path, dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        for method in ("GET", "POST", "PUT", "DELETE"):
            setattr(Handler, f"do_{method}", Handler._hand_on)
        return Handler


def _authorization(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def _writes(method: str, path: str) -> bool:
    """Looking a schema up, and asking whether it would fit, are POSTs that change nothing."""
    return method in {"PUT", "DELETE"} or (method == "POST" and path.partition("?")[0].endswith("/versions"))
