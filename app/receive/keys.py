"""The keys that Canvas signs events with: fetched, kept, and fetched again when an unknown one is named.

Canvas changes them once a month and publishes the one before, the present and the next. Whoever sends
signatures that name keys at random makes no more requests than anybody: one in an interval.
"""

import asyncio
import logging
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from app.errors import MasteryError
from app.receive.refusals import Refusal, Refused

__all__ = ["Fetch", "KeySet", "KeysUnusable", "fetch_from", "keys_in"]

log = logging.getLogger(__name__)

#: Bytes, keys and bits: of a key set that is one. Canvas's has three keys.
_MOST_BYTES: Final = 256 * 1024
_MOST_KEYS: Final = 100
_LEAST_BITS: Final = 2048

#: Seconds for one request.
_PATIENCE: Final = 5.0

#: Seconds after which they are fetched anew unasked: the next key is known before it is used, and one that
#: was taken back is forgotten.
_FRESH: Final = 3600.0

#: Seconds between two tries while there are none at all.
_AGAIN: Final = 5.0

Fetch = Callable[[], Awaitable[bytes]]


class KeysUnusable(MasteryError):
    """The key set cannot be fetched, or is none."""


class KeySet:
    """Keys by their id (`kid`). Belongs to one event loop. `fetch` returns the set's bytes."""

    def __init__(self, fetch: Fetch, interval: float) -> None:
        self._fetch = fetch
        self._interval = interval
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._tried = float("-inf")
        self._running: asyncio.Task[None] | None = None
        #: When they were last fetched, as time.monotonic() has it.
        self.fetched: float | None = None
        self.fetches = 0
        self.failures = 0

    async def key(self, kid: str) -> RSAPublicKey:
        """Return the key of an id. Raises Refused: no such key, or no keys yet."""
        found = self._keys.get(kid)
        if found is None:
            await self._look_again()
            found = self._keys.get(kid)
        if found is not None:
            return found
        raise Refused(Refusal.UNKNOWN_KEY if self.fetched is not None else Refusal.KEYS_AWAY)

    async def keep(self) -> None:
        """Fetch them now and once an hour, until cancelled."""
        while True:
            await self._look_again()
            await asyncio.sleep(_FRESH if self.fetched is not None else min(_AGAIN, self._interval))

    async def _look_again(self) -> None:
        """Fetch, unless that was tried a moment ago; whoever comes meanwhile waits for the same answer."""
        if self._running is None:
            pause = self._interval if self.fetched is not None else min(_AGAIN, self._interval)
            if time.monotonic() - self._tried < pause:
                return
            self._tried = time.monotonic()
            self.fetches += 1
            self._running = asyncio.create_task(self._refresh())
        # One that gives up waiting does not take the answer from the others.
        await asyncio.shield(self._running)

    async def _refresh(self) -> None:
        try:
            self._keys = keys_in(await self._fetch())
        except KeysUnusable as error:
            # Those of before stay: an answer that cannot be used does not make them wrong.
            self.failures += 1
            log.error("%s", error)  # noqa: TRY400 - the message says it all
        else:
            self.fetched = time.monotonic()
            log.info("%d keys of Canvas fetched", len(self._keys))
        finally:
            self._running = None


def fetch_from(url: str) -> Fetch:
    """Return what fetches a key set from an address: no redirects, and no more than a key set can have."""

    async def fetch() -> bytes:
        content = bytearray()
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False) as client,
                client.stream("GET", url, headers={"Accept": "application/json"}) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise KeysUnusable(f"the keys of Canvas: {url} answers {answer.status_code}")
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > _MOST_BYTES:
                        raise KeysUnusable(f"the keys of Canvas: {url} answers with more than a key set")
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise KeysUnusable(
                f"the keys of Canvas: {url} does not answer ({type(error).__name__})"
            ) from None
        return bytes(content)

    return fetch


def keys_in(content: bytes) -> dict[str, RSAPublicKey]:
    """Return the RSA keys for signatures of a key set (RFC 7517), by id; of two with one id, the first.

    Raises KeysUnusable when there are none.
    """
    try:
        listed = msgspec.json.decode(content)["keys"][:_MOST_KEYS]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        raise KeysUnusable("the keys of Canvas: what was fetched is no key set") from None
    keys: dict[str, RSAPublicKey] = {}
    for entry in listed if isinstance(listed, list) else ():
        key = _usable(entry)
        if key is not None:
            keys.setdefault(entry["kid"], key)
    if not keys:
        raise KeysUnusable("the keys of Canvas: what was fetched has no key for RS256")
    return keys


def _usable(entry: Any) -> RSAPublicKey | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    if entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig" or entry.get("alg", "RS256") != "RS256":
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of short keys, which are left out below
            key = PyJWK(entry, algorithm="RS256").key
    except (PyJWTError, ValueError, TypeError):
        return None
    # A private key in a public set is somebody's mistake, and no key to trust.
    return key if isinstance(key, RSAPublicKey) and key.key_size >= _LEAST_BITS else None
