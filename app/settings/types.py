"""The kinds of values that settings have, each checked when it is read."""

import ipaddress
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from app.mastery.rules import UnknownDefinition

__all__ = [
    "AccountSettings",
    "HeaderName",
    "HttpUrl",
    "ReadableFile",
    "SaslMechanism",
    "SecurityProtocol",
    "SiteUrl",
    "TopicPart",
    "absolute",
    "addresses",
    "check_web_token",
    "lower",
    "networks",
    "stripped",
    "upper",
    "user_and_password",
]


class SecurityProtocol(StrEnum):
    """How clients talk to the broker, in Kafka's own names."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def tls(self) -> bool:
        """True when the connection is encrypted."""
        return self in {SecurityProtocol.SSL, SecurityProtocol.SASL_SSL}

    @property
    def sasl(self) -> bool:
        """True when clients log in with a name and a password."""
        return self in {SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL}


class SaslMechanism(StrEnum):
    """The login mechanisms that every client in use here knows."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


def upper(value: object) -> object:
    """Names are taken in any case."""
    return value.upper() if isinstance(value, str) else value


def lower(value: object) -> object:
    """Words are taken in any case."""
    return value.lower() if isinstance(value, str) else value


def addresses(value: str) -> str:
    """Accept `host:port[,host:port]`; IPv6 hosts stand in brackets."""
    parts = [part.strip() for part in value.split(",") if part.strip()]
    for part in parts:
        host, _, port = part.rpartition(":")
        if not host or "/" in host or not port.isdigit() or not 0 < int(port) < 65536:
            message = "must be HOST:PORT, or several with commas between them"
            raise ValueError(message)
    if not parts:
        message = "must name at least one HOST:PORT"
        raise ValueError(message)
    return ",".join(parts)


def networks(value: str) -> str:
    """Accept addresses and networks with commas between them, such as `127.0.0.1,10.0.0.0/8`; or nothing."""
    parts = [part.strip() for part in value.split(",") if part.strip()]
    for part in parts:
        try:
            ipaddress.ip_network(part)
        except ValueError:
            message = (
                "must be addresses or networks, such as 127.0.0.1 or 10.0.0.0/8, with commas between them"
            )
            raise ValueError(message) from None
    return ",".join(parts)


def _header_name(value: str) -> str:
    """A token of RFC 9110, but not a header that has a meaning of its own."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", value) or value.lower() in {
        "authorization",
        "host",
        "cookie",
    }:
        message = "must be the name of a header, such as X-Remote-User"
        raise ValueError(message)
    return value


def _topic_part(value: str) -> str:
    """Kafka allows these characters and 249 of them; topics are named by a prefix and an event name."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,120}", value):
        message = "must be 1 to 120 letters, digits, dots, underscores or hyphens"
        raise ValueError(message)
    return value


def absolute(value: Path) -> Path:
    """Tie a relative folder to the folder the process was started in."""
    return value.expanduser().resolve()


def _http_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", value):
        message = "must be an http:// or https:// address without a user name or password in it"
        raise ValueError(message)
    return value.rstrip("/")


def _site_url(value: str) -> str:
    """Where links lead. Plain http only to this machine, where a Canvas for development may run."""
    url = _http_url(value)
    if re.search(r"[?#]", url) or not re.match(
        r"https://|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/|$)", url
    ):
        message = "must be an https:// address, such as https://canvas.school.example"
        raise ValueError(message)
    return url


def user_and_password(value: SecretStr) -> SecretStr:
    """Accept `USER:PASSWORD`."""
    if ":" not in value.get_secret_value():
        message = "must be USER:PASSWORD"
        raise ValueError(message)
    return value


def stripped(value: object) -> object:
    """A line feed at the end is no part of a secret: tools that fill in variables leave one."""
    return value.strip() if isinstance(value, str) else value


def check_web_token(value: SecretStr) -> SecretStr:
    """Accept what can stand in an Authorization header as it is (RFC 6750) and cannot be guessed."""
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]{16,512}=*", value.get_secret_value()):
        message = "must be at least 16 letters, digits or characters of -._~+/"
        raise ValueError(message)
    return value


def _readable_file(value: Path) -> Path:
    resolved = absolute(value)
    if not resolved.is_file() or not os.access(resolved, os.R_OK):
        message = "must be the path of a file that can be read"
        raise ValueError(message)
    return resolved


TopicPart = Annotated[str, AfterValidator(_topic_part)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
SiteUrl = Annotated[str, AfterValidator(_site_url)]
ReadableFile = Annotated[Path, AfterValidator(_readable_file)]


class AccountSettings(BaseModel):
    """Rules of one root account where they differ; what is None is as for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unknown_definition: UnknownDefinition | None = None
    new_decaying_average: bool | None = None
    account_level_scales: bool | None = None
