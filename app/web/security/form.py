"""The form of a request: what is refused whoever asks, and what only a site open to this machine refuses."""

from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from app.web.problems import Forbidden, Problem
from app.web.security.cluster import is_loopback

__all__ = ["check_form", "check_origin", "hosts_of", "is_open", "limited"]

_MOST_PATH: Final = 8_192
_MOST_HEADERS: Final = 49_152
#: More than the registry takes of a schema, which it says in its own words.
_MOST_BODY: Final = 4_194_304

#: No login is asked for these: health tells phases and offsets, static files are the same for everybody.
_OPEN: Final = ("/health/", "/static/")
#: Its look-up of a schema is a POST, and it refuses what would change something in its own words.
_OWN_WORDS: Final = "/registry/"


class _MethodRefused(Problem):
    status, title = 405, "This site only shows"


class _TooLarge(Problem):
    status, title = 413, "The request is too large"


class _AddressTooLong(Problem):
    status, title = 414, "The address is too long"


class _WrongHost(Problem):
    status, title = 421, "This is another site's name"


class _HeadersTooLarge(Problem):
    status, title = 431, "The headers are too large"


def is_open(path: str) -> bool:
    """Whether no login is asked for; never for a path that could lead elsewhere."""
    return path.startswith(_OPEN) and ".." not in path.split("/")


def check_form(scope: Scope, headers: Headers) -> None:
    """Raise a Problem for a method that changes things, and for what is too long."""
    if len(scope["path"]) + len(scope.get("query_string", b"")) > _MOST_PATH:
        raise _AddressTooLong(f"An address may have {_MOST_PATH} characters.")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > _MOST_HEADERS:
        raise _HeadersTooLarge(f"Headers may have {_MOST_HEADERS} bytes.")
    if scope["method"] not in {"GET", "HEAD"} and not scope["path"].startswith(_OWN_WORDS):
        raise _MethodRefused("Nothing can be changed here.", headers={"Allow": "GET, HEAD"})
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length[:20]) > _MOST_BODY:
        raise _TooLarge(f"A request may have {_MOST_BODY} bytes.")


def limited(receive: Receive) -> Receive:
    """Return a `receive` that ends the request of a client which sends more than it may."""
    left = _MOST_BODY

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                return {"type": "http.disconnect"}
        return message

    return counted


def hosts_of(addresses: Iterable[str]) -> frozenset[str]:
    """Names by which a site of this machine alone may be called, besides `addresses`."""
    return frozenset({"localhost", "127.0.0.1", "[::1]"} | {_bare(address) for address in addresses})


def check_origin(scope: Scope, headers: Headers, hosts: frozenset[str]) -> None:
    """Raise a Problem for a request that a page of another site may have made, where nobody logs in.

    A page can have its own name lead to 127.0.0.1 (DNS rebinding): the browser then takes this site for that
    page's own, and only the Host header tells. Browsers say themselves where other requests come from (Fetch
    Metadata): a link from elsewhere may open a page, and nothing else.
    """
    named = headers.getlist("host")
    if len(named) != 1 or _name(named[0]) not in hosts:
        raise _WrongHost(
            "This server answers on this machine alone, by the name localhost.",
            hint="To serve it under another name, set up a login (docs/web-access.md).",
        )
    told = [*headers.getlist("x-forwarded-for"), *headers.getlist("x-real-ip")]
    if not all(is_loopback(one.strip()) for text in told for one in text.split(",")):
        raise Forbidden(
            "This came from another machine through a proxy, and this server answers on this machine alone.",
            hint="To serve it to others, set up a login (docs/web-access.md).",
        )
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "navigate")
    opens_page = mode == "navigate" and not scope["path"].startswith(("/api/", "/registry/", "/metrics"))
    if site in {"cross-site", "same-site"} and not opens_page:
        raise Forbidden("Another site's page may not read this one.")


def _name(host: str) -> str:
    """The host of a Host header, without its port, in lower case."""
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _bare(address: str) -> str:
    address = address.lower()
    return f"[{address}]" if ":" in address and not address.startswith("[") else address
