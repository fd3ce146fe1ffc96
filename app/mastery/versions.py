"""Which of two snapshots of one thing is the later one: Canvas delivers in no order, and some twice."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

__all__ = ["Version", "milliseconds", "read_version"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Version(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """The place of a snapshot among those of the same thing; later ones are greater.

    An update is later than any creation; then `updated_at` counts, then the time the event was sent, then
    `event_id`, which has no meaning but makes the order total. Versions are equal only for byte-identical
    deliveries: the same event, so that it does not matter which of them is kept.
    """

    updated: bool
    updated_at: int
    event_time: int
    event_id: bytes

    @property
    def time(self) -> int:
        """When the thing became so: `updated_at`, or for a creation the time the event was sent."""
        return self.updated_at if self.updated else self.event_time


def milliseconds(moment: datetime | int) -> int:
    """Milliseconds since 1970 of an aware datetime; what is less is cut off, towards the past.

    A decoder with plain times has them already.
    """
    if isinstance(moment, int):
        return moment
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def read_version(record: Mapping[str, Any]) -> Version:
    """The version of a decoded event. Only `*_updated` events have an `updated_at`."""
    updated_at = record["body"].get("updated_at")
    return Version(
        updated_at is not None,
        0 if updated_at is None else milliseconds(updated_at),
        milliseconds(record["metadata"]["event_time"]),
        bytes.fromhex(record["event_id"]),
    )
