"""Passwords, kept as scrypt hashes (RFC 7914) and checked off the event loop."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["LEAST_LENGTH", "PasswordHash", "Passwords", "hash_password"]

#: Characters of a password at least.
LEAST_LENGTH: Final = 10

# 32 MiB and about a tenth of a second, as OWASP's cheat sheet on storing passwords has it (N=2^15, r=8, p=3
# or N=2^17, p=1): less memory, because a worker has other things to do.
_N, _R, _P = 2**15, 8, 3
_LENGTH = 32
_SALT = 16
# What a file may ask of this process: 256 MiB.
_MOST_MEMORY = 2**28

#: Seconds that a password which was right needs no new look.
_KEPT = 60.0
_MOST_KEPT = 1_000
#: Hashes computed at the same time; more attempts wait.
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """What is kept of a password: `scrypt$N,r,p$salt$hash`, the last two in base64url."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one. Raises ValueError, which does not show the text."""
        match = re.fullmatch(
            r"scrypt\$(\d{1,8}),(\d{1,3}),(\d{1,3})\$([A-Za-z0-9_-]+=*)\$([A-Za-z0-9_-]+=*)", text
        )
        if match is None:
            message = "is no hash of a password as `mastery web-user` makes it"
            raise ValueError(message)
        n, r, p = (int(part) for part in match.groups()[:3])
        try:
            salt, digest = (base64.urlsafe_b64decode(part) for part in match.groups()[3:])
        except binascii.Error:
            message = "is cut off: its salt or its hash is no base64"
            raise ValueError(message) from None
        if n < 2**14 or n & (n - 1) or not r or not p or len(salt) < _SALT or len(digest) < _LENGTH:
            message = (
                "is too weak: N must be a power of two from 16384 on, salt and hash 16 and 32 bytes long"
            )
            raise ValueError(message)
        if 128 * n * r * p > 4 * _MOST_MEMORY or 128 * n * r > _MOST_MEMORY:
            message = "asks for too much: 128 * N * r may be 256 MiB"
            raise ValueError(message)
        return cls(n, r, p, salt, digest)

    def __str__(self) -> str:
        salt, digest = (base64.urlsafe_b64encode(part).decode() for part in (self.salt, self.digest))
        return f"scrypt${self.n},{self.r},{self.p}${salt}${digest}"

    def fits(self, password: str) -> bool:
        """Whether it is the hash of this password. Takes about a tenth of a second."""
        return hmac.compare_digest(self.digest, _scrypt(password, self))


def hash_password(password: str) -> PasswordHash:
    """Return a new hash, with a salt of its own."""
    fresh = PasswordHash(_N, _R, _P, secrets.token_bytes(_SALT), b"")
    return PasswordHash(_N, _R, _P, fresh.salt, _scrypt(password, fresh))


def _scrypt(password: str, how: PasswordHash) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=how.salt,
        n=how.n,
        r=how.r,
        p=how.p,
        maxmem=_MOST_MEMORY + 2**20,
        dklen=len(how.digest) or _LENGTH,
    )


class Passwords:
    """Checks passwords: in threads, few at once, and for a minute from memory.

    What is kept is a digest under a key of this process, of name, password and hash: nothing that could be
    tried out elsewhere, and nothing that holds for another hash.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._turn = asyncio.Semaphore(_AT_ONCE)
        # For names that nobody has: they take as long as those that somebody has.
        self._nobody = PasswordHash(_N, _R, _P, secrets.token_bytes(_SALT), secrets.token_bytes(_LENGTH))

    def known(self, name: str, password: str, kept: PasswordHash | None) -> bool:
        """Whether this was right less than a minute ago."""
        if kept is None:
            return False
        until = self._right.get(self._digest(name, password, kept))
        return until is not None and self._clock() < until

    async def right(self, name: str, password: str, kept: PasswordHash | None) -> bool:
        """Whether the password fits; never if `kept` is None, which takes as long as a wrong one."""
        if self.known(name, password, kept):
            return True
        async with self._turn:
            fits = await asyncio.to_thread((kept or self._nobody).fits, password)
        if kept is None or not fits:
            return False
        self._right[self._digest(name, password, kept)] = self._clock() + _KEPT
        while len(self._right) > _MOST_KEPT:
            self._right.popitem(last=False)
        return True

    def _digest(self, name: str, password: str, kept: PasswordHash) -> bytes:
        text = "\0".join((name, str(kept), password)).encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, "sha256")
