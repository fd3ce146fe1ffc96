"""Who was forgotten, and when: marks that keep events of before from bringing a student back.

A mark is a salted hash of root account and student, with a time. It lives among the rows of the student's
partition, in state and changelog alike, so that whatever restores the rows restores it, too. Who holds a mark
can tell whether a given uuid is meant by it, as the stream does, but not whom a mark is about.

Format, for good. Keys begin with `forgotten/` and hold no colon, which the keys of rows do; values begin with
the byte `FORMAT`, which no row's value does.

* `forgotten/salt`: after the format's byte, 16 random bytes: the salt of all marks of the partition.
* `forgotten/<32 hex digits>`: after the format's byte the time, milliseconds since 1970, 8 bytes, big-endian.
  The digits are BLAKE2b-128, keyed with the salt, of `<root account>:<user>`.
"""

import os
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, Self

from app.mastery.blob import BlobError
from app.mastery.results import Results

__all__ = ["FORMAT", "PREFIX", "Forgotten", "is_mark", "remaining"]

#: High, so that it is never a format of rows (app.mastery.blob).
FORMAT: Final = 0xF1

PREFIX: Final = b"forgotten/"

_SALT_KEY: Final = PREFIX + b"salt"
_SALT_BYTES: Final = 16
_VALUE_BYTES: Final = 1 + 8


def is_mark(key: bytes) -> bool:
    """Whether a key in state or changelog is that of a mark (or their salt), and not of a row."""
    return key.startswith(PREFIX) and b":" not in key


class Forgotten:
    """The marks of one partition. False while there are none."""

    def __init__(self, salt: bytes | None = None, times: Mapping[bytes, int] | None = None) -> None:
        self._salt = salt
        self._times = dict(times or {})

    @classmethod
    def read(cls, records: Mapping[bytes, bytes]) -> Self:
        """Take up marks as they are kept: key -> value. Raises BlobError for what is none."""
        salt = records.get(_SALT_KEY)
        times = {}
        for key, value in records.items():
            if not is_mark(key) or value[:1] != bytes([FORMAT]):
                raise BlobError("what stands among the marks of the forgotten is none")
            if key != _SALT_KEY:
                if len(value) != _VALUE_BYTES:
                    raise BlobError("a mark of a forgotten student is cut off or damaged")
                times[key] = int.from_bytes(value[1:])
        if times and (salt is None or len(salt) != 1 + _SALT_BYTES):
            raise BlobError("the marks of forgotten students have no salt")
        return cls(None if salt is None else salt[1:], times)

    def __bool__(self) -> bool:
        return bool(self._times)

    def __len__(self) -> int:
        return len(self._times)

    def time(self, root_account: str, user: str) -> int | None:
        """When the student was forgotten, in milliseconds since 1970; None for everybody else."""
        return self._times.get(self._key(root_account, user)) if self._times else None

    def passes_over(self, root_account: str, user: str, event_time: int) -> bool:
        """Whether an event of that time (milliseconds since 1970) is of before the student was forgotten."""
        forgotten_at = self.time(root_account, user)
        return forgotten_at is not None and event_time <= forgotten_at

    def forget(self, root_account: str, user: str, at: int) -> dict[bytes, bytes]:
        """Mark a student; return what is to be kept of that, {} if so late a time is known already."""
        records = {}
        if self._salt is None:
            self._salt = os.urandom(_SALT_BYTES)
            records[_SALT_KEY] = bytes([FORMAT]) + self._salt
        key = self._key(root_account, user)
        if at > self._times.get(key, -1):
            self._times[key] = at
            records[key] = bytes([FORMAT]) + at.to_bytes(8)
        return records

    def _key(self, root_account: str, user: str) -> bytes:
        digest = blake2b(f"{root_account}:{user}".encode(), key=self._salt or b"", digest_size=16)
        return PREFIX + digest.hexdigest().encode()


def remaining(results: Results, forgotten_at: int) -> Results:
    """What later events told of the results of a student who was forgotten: nothing, as a rule.

    Works that results named formerly go as well: nothing says when they were named.
    """
    later = Results()
    for snapshot in results.snapshots:
        if snapshot.version.event_time > forgotten_at:
            later.apply(snapshot)
    return later
