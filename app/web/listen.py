"""Where the web server listens: bound by the worker, so that a wrong address ends its start."""

import errno
import logging
import socket

from app.errors import MasteryError
from app.settings import Settings
from app.web.security.binding import require_login_for

__all__ = ["AddressUnusable", "PortInUse", "address_text", "listen", "url_of"]

#: Connections that wait while the web process starts, or starts again.
_BACKLOG = 128

# So many ports from the default one on are tried: more workers than that on one machine choose theirs.
_NEAR = 100

_EVERY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - what to look for

log = logging.getLogger(__name__)


class PortInUse(MasteryError):
    """Another process listens on the web server's port."""


class AddressUnusable(MasteryError):
    """The web server cannot listen on this address."""


def listen(settings: Settings) -> socket.socket:
    """Listen where the settings say; without a port in them, on the default one or the next free one.

    Raises PortInUse, AddressUnusable, LoginMissing, UsersFileUnusable or WebTokenUnusable.
    """
    first = settings.web_port
    chosen = "web_port" in settings.model_fields_set
    for port in () if chosen else range(first, first + _NEAR):
        try:
            listener = _listen(settings, port)
        except PortInUse:
            continue
        if port != first:
            log.warning("port %d is in use, so the web server takes %d", first, port)
        return listener
    return _listen(settings, first)


def address_text(host: str, port: int) -> str:
    """Return HOST:PORT; IPv6 hosts stand in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_of(listener: socket.socket) -> str:
    """Return the address for other processes: of a server on all addresses, by the machine's name."""
    host, port = listener.getsockname()[:2]
    return f"http://{address_text(socket.gethostname() if host in _EVERY_ADDRESS else host, port)}"


def _listen(settings: Settings, port: int) -> socket.socket:
    host = settings.web_host
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        require_login_for(host, str(address[0]), settings)
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} on {host} is in use by another process",
                hint="set MASTERY_WEB_PORT to another port, or to 0 for any free one",
            ) from None
        raise AddressUnusable(
            f"the web server cannot listen on {host}, port {port}: {error.strerror or error}",
            hint="check MASTERY_WEB_HOST and MASTERY_WEB_PORT",
        ) from None
