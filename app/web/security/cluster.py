"""How the workers of a group know each other's calls, and for whom a call is made."""

import hmac
import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from app.web.security.viewer import Role, Viewer

__all__ = [
    "CLUSTER_HEADER",
    "LOCAL_HEADER",
    "PEER_HEADERS",
    "VIEWER_HEADER",
    "ClusterIdentity",
    "is_loopback",
]

#: The token that all workers of a group have.
CLUSTER_HEADER = "Mastery-Cluster"
#: For whom a worker asks another: a JSON object.
VIEWER_HEADER = "Mastery-Viewer"
#: `1`: answer from your own partitions alone.
LOCAL_HEADER = "Mastery-Local"
#: All of them, as ASGI writes names of headers.
PEER_HEADERS = frozenset(name.lower() for name in (CLUSTER_HEADER, VIEWER_HEADER, LOCAL_HEADER))


class ClusterIdentity:
    """Makes the headers of a call to another worker, and reads those of a call from one.

    With a token, who has it is believed. `open_loopback` says that no login is configured and the server
    listens on loopback alone: then, without a token, calls from loopback are believed, which may see
    everything as it is.
    """

    def __init__(self, token: SecretStr | None, *, open_loopback: bool = False) -> None:
        self._token = token
        self._open_loopback = open_loopback and token is None

    @property
    def usable(self) -> bool:
        """Whether other workers' calls can be believed at all."""
        return self._token is not None or self._open_loopback

    def peer_headers(self, viewer: Viewer) -> dict[str, str]:
        """Headers of a call to another worker, for its own partitions' part of what `viewer` asked."""
        who = {
            "name": viewer.name,
            "role": viewer.role.value,
            "accounts": None if viewer.accounts is None else sorted(viewer.accounts),
            "courses": None if viewer.courses is None else sorted(viewer.courses),
        }
        # ASCII alone: names are anything, headers are not.
        headers = {VIEWER_HEADER: json.dumps(who, separators=(",", ":")), LOCAL_HEADER: "1"}
        if self._token is not None:
            headers[CLUSTER_HEADER] = self._token.get_secret_value()
        return headers

    def peer_viewer(self, headers: Mapping[str, str], client_host: str | None) -> Viewer | None:
        """For whom another worker asks; None unless it is one, and says so in a form that can be read.

        `headers` must find names in any case, or hold them in lower case.
        """
        if not self._believes(_value(headers, CLUSTER_HEADER), client_host):
            return None
        return _viewer(_value(headers, VIEWER_HEADER))

    def _believes(self, token: str | None, client_host: str | None) -> bool:
        if self._token is None:
            return self._open_loopback and is_loopback(client_host)
        given = (token or "").encode("latin-1", "replace")
        # compare_digest: the time it takes does not tell how much was right.
        return hmac.compare_digest(given, self._token.get_secret_value().encode())


def is_loopback(host: str | None) -> bool:
    """Whether an address is one of this machine's loopback ones; IPv4 written as IPv6 counts."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _value(headers: Mapping[str, str], name: str) -> str | None:
    found = headers.get(name)
    return headers.get(name.lower()) if found is None else found


def _viewer(text: str | None) -> Viewer | None:
    try:
        who: Any = json.loads(text or "")
        return Viewer(str(who["name"]), Role(who["role"]), _limits(who["accounts"]), _limits(who["courses"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _limits(names: Any) -> frozenset[str] | None:
    """None is everything: what is neither None nor a list must not be taken for it."""
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError
    return frozenset(names)
