"""Reverse proxies that tell who is logged in: which addresses are believed, and what they say."""

import hmac
import ipaddress
from dataclasses import dataclass
from typing import Final, Self

from pydantic import SecretStr
from starlette.datastructures import Headers

from app.settings import Settings

__all__ = ["SECRET_HEADER", "Proxies", "ProxyLogin"]

#: Where a trusted proxy sends the secret that MASTERY_WEB_PROXY_SECRET holds.
SECRET_HEADER: Final = "X-Mastery-Proxy-Secret"  # noqa: S105 - the name of a header


@dataclass(frozen=True, slots=True)
class ProxyLogin:
    """Whom a trusted proxy names. `role`: what it says, None if it is not asked for one."""

    name: str
    role: str | None


@dataclass(frozen=True, slots=True)
class Proxies:
    """Reads the headers of trusted proxies; those of anybody else are as if they were not there."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    user_header: str | None
    role_header: str | None
    secret: SecretStr | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        parts = [part for part in settings.web_trusted_proxies.split(",") if part]
        return cls(
            tuple(ipaddress.ip_network(part) for part in parts),
            settings.web_proxy_user_header,
            settings.web_proxy_role_header,
            settings.web_proxy_secret,
        )

    @property
    def configured(self) -> bool:
        """Whether anybody can log in by a proxy."""
        return bool(self.networks) and self.user_header is not None

    def login(self, headers: Headers, client: str | None) -> ProxyLogin | None:
        """Return whom the proxy names; None if it is no trusted one, or names nobody.

        A header that comes twice is nobody's: one of them could be the client's own.
        """
        if self.user_header is None or not self._believed(headers, client):
            return None
        names = headers.getlist(self.user_header)
        roles = headers.getlist(self.role_header) if self.role_header else [None]
        if len(names) != 1 or len(roles) > 1 or not names[0].strip():
            return None
        role = roles[0] if roles else ""
        return ProxyLogin(_text(names[0]), None if role is None else role.strip().lower())

    def client(self, headers: Headers, client: str | None) -> str | None:
        """Address of who asks: behind trusted proxies, what the outermost of them saw (X-Forwarded-For)."""
        if not self._believed(headers, client):
            return client
        way = [part.strip() for part in ",".join(headers.getlist("x-forwarded-for")).split(",")]
        for address in reversed(way):
            if _address(address) is None:
                break
            client = address
            if not self._trusts(address):
                break
        return client

    def _believed(self, headers: Headers, client: str | None) -> bool:
        if not self._trusts(client):
            return False
        if self.secret is None:
            return True
        given = headers.getlist(SECRET_HEADER)
        expected = self.secret.get_secret_value().encode()
        return len(given) == 1 and hmac.compare_digest(
            given[0].strip().encode("latin-1", "replace"), expected
        )

    def _trusts(self, client: str | None) -> bool:
        address = _address(client)
        return address is not None and any(address in network for network in self.networks)


def _address(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _text(value: str) -> str:
    """Headers come as Latin-1; proxies that know names beyond it send UTF-8."""
    try:
        return value.strip().encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value.strip()
