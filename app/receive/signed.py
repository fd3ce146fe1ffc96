"""Signed events: JSON Web Tokens by RS256 alone, whose payload is the event."""

import base64
from typing import Any, Final

import jwt
import msgspec
from jwt import exceptions

from app.receive.keys import KeySet
from app.receive.refusals import Refusal, Refused

__all__ = ["HEADER_LIMIT", "Verifier", "looks_signed", "token_limit"]

#: Bytes of a token's header, encoded: Canvas's has some 100.
HEADER_LIMIT: Final = 2048

#: Bytes of the longest RSA signature that is taken, encoded, and the two dots.
_SIGNATURE_LIMIT: Final = 1400

#: The one algorithm, whatever a token says of itself.
_ALGORITHM: Final = "RS256"

#: The issuer must be there and right. Who it is for is not told by Canvas.
_OPTIONS: Final[Any] = {"require": ["iss"], "verify_aud": False, "verify_sub": False, "verify_jti": False}

_REASONS: Final[tuple[tuple[type[Exception], Refusal], ...]] = (
    (exceptions.InvalidSignatureError, Refusal.SIGNATURE),
    (exceptions.ExpiredSignatureError, Refusal.EXPIRED),
    (exceptions.ImmatureSignatureError, Refusal.NOT_YET_VALID),
    (exceptions.InvalidIssuerError, Refusal.ISSUER),
    (exceptions.InvalidAlgorithmError, Refusal.ALGORITHM),
    (exceptions.InvalidKeyError, Refusal.SIGNATURE),
    (exceptions.MissingRequiredClaimError, Refusal.ISSUER),
)


class _Header(msgspec.Struct):
    """What is read of a token's header before anything is believed."""

    alg: str | None = None
    kid: str | None = None
    crit: Any = None
    b64: Any = None


_read_header = msgspec.json.Decoder(_Header).decode


class Verifier:
    """Takes the event out of a token, when it is Canvas's and its time is right."""

    def __init__(self, keys: KeySet, *, issuer: str, leeway: float) -> None:
        self.keys = keys
        self._issuer = issuer
        self._leeway = leeway

    async def event(self, token: bytes) -> bytes:
        """Return the payload's bytes as they were signed. Raises Refused."""
        if token.count(b".") != 2:
            raise Refused(Refusal.NOT_A_TOKEN if looks_signed(token) else Refusal.NOT_SIGNED)
        head, payload, _ = token.split(b".")
        if len(head) > HEADER_LIMIT:
            raise Refused(Refusal.NOT_A_TOKEN)
        header = _header(head)
        # All of this before any key is looked for.
        if header.alg != _ALGORITHM or header.crit is not None or header.b64 is not None:
            raise Refused(Refusal.ALGORITHM)
        if not header.kid:
            raise Refused(Refusal.NO_KEY_ID)
        key = await self.keys.key(header.kid)
        try:
            jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                issuer=self._issuer,
                leeway=self._leeway,
                options=_OPTIONS,
            )
        except (exceptions.PyJWTError, RecursionError, ValueError) as error:
            # Without the cause: its message may have something of the event in it.
            raise Refused(_refusal(error)) from None
        return _decoded(payload)


def looks_signed(body: bytes) -> bool:
    """Whether a body is no JSON, but may be a token: its header is an object in base64 (`{"` is `eyJ`)."""
    return body.startswith(b"ey")


def token_limit(event_limit: int) -> int:
    """Bytes of a token that holds an event of at most so many."""
    return HEADER_LIMIT + (event_limit + 2) // 3 * 4 + _SIGNATURE_LIMIT


def _header(encoded: bytes) -> _Header:
    try:
        return _read_header(_decoded(encoded))
    except (ValueError, RecursionError):  # of base64, UTF-8 and msgspec
        raise Refused(Refusal.NOT_A_TOKEN) from None


def _decoded(encoded: bytes) -> bytes:
    return base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))


def _refusal(error: Exception) -> Refusal:
    for kind, refusal in _REASONS:
        if isinstance(error, kind):
            return refusal
    return Refusal.NOT_A_TOKEN if isinstance(error, exceptions.DecodeError) else Refusal.CLAIMS
