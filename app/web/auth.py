"""Who may ask the web server: everybody on this machine, or who has the token."""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import MasteryError
from app.settings import Settings, SettingsError, check_web_token

__all__ = [
    "RequireToken",
    "WebTokenMissing",
    "WebTokenUnusable",
    "read_token",
    "require_token_for",
    "token_in",
]

# Every client can do one of them: browsers and Confluent's clients Basic, Prometheus either.
_CHALLENGES = (b'Bearer realm="mastery-stream"', b'Basic realm="mastery-stream", charset="UTF-8"')
_UNAUTHORIZED = 401


class WebTokenMissing(SettingsError):
    """The web server would be open to other machines."""


class WebTokenUnusable(MasteryError):
    """The file that should hold the token cannot be read, or holds none."""


def read_token(settings: Settings) -> SecretStr | None:
    """Return the token of the settings, from the file as it is now; None where none is set."""
    return settings.web_token if settings.web_token_file is None else token_in(settings.web_token_file)


def token_in(file: Path) -> SecretStr:
    """Return the token that a file holds. Raises WebTokenUnusable, which tells nothing else of the file."""
    try:
        text = file.read_text(encoding="ascii").strip()
        return check_web_token(SecretStr(text))
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        reason = "holds no token: it is not plain text"
    except ValueError as error:
        reason = f"holds no token: it {error}"
    raise WebTokenUnusable(
        f"the web server's token: {file} {reason}", hint=f"`mastery web-token --new {file}` makes one"
    )


def require_token_for(host: str, address: str, token: SecretStr | None) -> None:
    """Raise WebTokenMissing when `address`, what `host` stands for, can be reached from other machines."""
    if token is None and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        raise WebTokenMissing(
            f"MASTERY_WEB_HOST: other machines reach {host}, and no token guards the web server",
            hint="set MASTERY_WEB_TOKEN_FILE to a file made by `mastery web-token FILE`, "
            "or MASTERY_WEB_HOST to 127.0.0.1",
        )


class RequireToken:
    """ASGI middleware: 401 unless the request brings the token, as Bearer or as the password of Basic.

    Mount what it guards below it and leave what it does not guard outside: it looks at no path. (RFC 6750,
    RFC 7617; the user name of Basic may be anything.)
    """

    def __init__(self, app: ASGIApp, token: SecretStr) -> None:
        self._app = app
        self._token = token.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or refuse it."""
        given = _tokens(Headers(scope=scope).getlist("authorization"))
        # compare_digest: the time it takes does not tell how much was right.
        if any(hmac.compare_digest(candidate, self._token) for candidate in given):
            await self._app(scope, receive, send)
            return
        # The form of a schema registry's errors: its clients show the message.
        refusal = JSONResponse(
            {"error_code": _UNAUTHORIZED, "message": "a token is needed: Authorization: Bearer TOKEN"},
            status_code=_UNAUTHORIZED,
            headers={"Cache-Control": "no-store"},
        )
        refusal.raw_headers += [(b"www-authenticate", challenge) for challenge in _CHALLENGES]
        await refusal(scope, receive, send)


def _tokens(headers: Sequence[str]) -> list[bytes]:
    """What could be the token in these Authorization headers; nothing of one that cannot be read."""
    found = []
    for header in headers:
        scheme, _, credentials = header.strip().partition(" ")
        match scheme.lower():
            case "bearer":
                found.append(credentials.strip().encode("latin-1"))
            case "basic":
                try:
                    pair = base64.b64decode(credentials.strip(), validate=True)
                except (binascii.Error, ValueError):
                    continue
                found.append(pair.partition(b":")[2])
    return found
