"""What stands before the whole web server: who asks, how often, from where, and headers on every answer."""

import ipaddress
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.settings import Settings
from app.web.problems import Problem, TooManyRequests, Unauthorized
from app.web.security.cluster import (
    CLUSTER_HEADER,
    LOCAL_HEADER,
    PEER_HEADERS,
    VIEWER_HEADER,
    ClusterIdentity,
)
from app.web.security.form import check_form, check_origin, hosts_of, is_open, limited
from app.web.security.headers import with_headers
from app.web.security.logins import Logins
from app.web.security.rate import Buckets
from app.web.security.refusal import CHALLENGES, refusal
from app.web.security.tokens import read_cluster_token
from app.web.security.viewer import LOCAL, Viewer

__all__ = ["Guard", "cluster_identity", "guard"]

log = logging.getLogger(__name__)

_BURST: Final = 4
#: Wrong logins of one address: ten at once, then one in two seconds.
_WRONG_RATE, _WRONG_BURST = 0.5, 10.0

Refuse = Callable[[Scope, Problem], Response]


def cluster_identity(settings: Settings) -> ClusterIdentity:
    """Return how workers know each other. Raises UsersFileUnusable or WebTokenUnusable."""
    # Without a login, the web server listens on loopback alone: `require_login_for` sees to it. With
    # pseudonyms not even this machine's people are to get the ids that workers tell each other.
    is_open = not Logins(settings).configured and not settings.web_pseudonyms
    return ClusterIdentity(read_cluster_token(settings), open_loopback=is_open)


def guard(app: ASGIApp, settings: Settings, *, refuse: Refuse = refusal) -> "Guard":
    """Return `app` behind logins and limits.

    Everything the server answers belongs below it. What passes has a Viewer in `request.state.viewer`, and in
    `request.state.local` whether another worker asks for this one's part alone. `refuse` makes the answers to
    what does not pass. Raises UsersFileUnusable or WebTokenUnusable.
    """
    return Guard(app, settings, refuse)


class Guard:
    """ASGI middleware; see `guard`. It buffers nothing: streams pass as they are."""

    def __init__(self, app: ASGIApp, settings: Settings, refuse: Refuse = refusal) -> None:
        self._app = app
        self._refuse = refuse
        self._logins = Logins(settings)
        self._cluster = cluster_identity(settings)
        self._rate = Buckets(settings.web_rate_limit, settings.web_rate_limit * _BURST)
        self._wrong = Buckets(_WRONG_RATE, _WRONG_BURST)
        advertised = urlsplit(settings.web_advertised_url or "").hostname
        self._hosts = hosts_of([settings.web_host, *([advertised] if advertised else [])])
        if not self._cluster.usable:
            log.warning(
                "other workers cannot ask this one: give all of them one token by MASTERY_CLUSTER_TOKEN_FILE"
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        send = with_headers(send)
        try:
            admitted = await self._admit(scope)
        except Problem as problem:
            response = self._refuse(scope, problem)
            response.headers["Cache-Control"] = "no-store"
            if problem.status == Unauthorized.status and "www-authenticate" not in response.headers:
                response.raw_headers += [(b"www-authenticate", challenge) for challenge in CHALLENGES]
            await response(scope, receive, send)
            return
        await self._app(admitted, limited(receive), send)

    async def _admit(self, scope: Scope) -> Scope:
        headers = Headers(scope=scope)
        check_form(scope, headers)
        if is_open(scope["path"]):
            return _without_peer_headers(scope)
        address = None if scope.get("client") is None else str(scope["client"][0])
        if not self._logins.configured:
            check_origin(scope, headers, self._hosts)
        if CLUSTER_HEADER in headers or VIEWER_HEADER in headers:
            return self._peer(scope, headers, address)
        client = self._logins.proxies.client(headers, address)
        viewer = LOCAL if not self._logins.configured else await self._log_in(headers, address, client)
        _spend(self._rate, f"address {_group(client)}" if viewer is LOCAL else f"login {viewer.name}")
        # Nobody but a worker may ask for a worker's part, in which small groups are still to be hidden.
        return _with_state(_without_peer_headers(scope), replace(viewer, client=client), local=False)

    def _peer(self, scope: Scope, headers: Headers, address: str | None) -> Scope:
        """Take a call that says it is another worker's. Not believed, it is refused.

        To take it for a person's would have workers with different tokens ask each other in circles.
        """
        twice = any(len(headers.getlist(name)) > 1 for name in PEER_HEADERS)
        viewer = None if twice else self._cluster.peer_viewer(headers, address)
        if viewer is None:
            raise Unauthorized(
                "This call says it is another worker's, and its cluster token is not this worker's.",
                hint="All workers must have the same MASTERY_CLUSTER_TOKEN, or without it MASTERY_WEB_TOKEN.",
            )
        return _with_state(scope, viewer, local=headers.get(LOCAL_HEADER) == "1")

    async def _log_in(self, headers: Headers, address: str | None, client: str | None) -> Viewer:
        key = f"address {_group(client)}"
        # Taken before a password is looked at, as that is the work which wrong logins would make.
        looks = self._logins.needs_work(headers)
        if looks and (seconds := self._wrong.take(key)):
            raise _slower("Too many wrong logins from this address.", seconds)
        viewer = await self._logins.viewer(headers, address)
        if viewer is None:
            _spend(self._rate, key)
            raise Unauthorized(
                "Nobody is logged in.",
                hint="Load the page again, and give name and password. Programs send a token as Bearer.",
            )
        if looks:
            self._wrong.give_back(key)
        return viewer


def _spend(buckets: Buckets, key: str) -> None:
    if seconds := buckets.take(key):
        raise _slower("This client asks too often.", seconds)


def _slower(text: str, seconds: float) -> TooManyRequests:
    return TooManyRequests(text, headers={"Retry-After": str(math.ceil(seconds))})


def _group(client: str | None) -> str:
    """What counts as one client: an IPv4 address, or the network that one IPv6 customer has."""
    try:
        address = ipaddress.ip_address((client or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _without_peer_headers(scope: Scope) -> Scope:
    kept = [(name, value) for name, value in scope["headers"] if name.decode("latin-1") not in PEER_HEADERS]
    return {**scope, "headers": kept}


def _with_state(scope: Scope, viewer: Viewer, *, local: bool) -> Scope:
    path = str(scope["path"])
    if b"format=csv" in scope.get("query_string", b""):
        path += "?format=csv"
    state: dict[str, Any] = {**scope.get("state", {})}
    return {**scope, "state": {**state, "viewer": replace(viewer, path=path), "local": local}}
