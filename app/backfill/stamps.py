"""When a backfilled event says that it happened: after what the export is newer than, before live ones.

Rows take the latest snapshot: an update over a creation, then `updated_at`, then `event_time`, then the id of
the event (`app.mastery.versions`). A live event of the state that an export shows, or of a later one, must
win against it, however its Canvas writes times: `updated_at` with milliseconds or without, `event_time`
likewise. A live event of an earlier state must lose. So:

* `updated_at` is in whole seconds, cut off: never above what a live event of this state says.
* `event_time` is two seconds before the change, with its milliseconds: below the `event_time` of every live
  event of this state, since Canvas sends after it saves; and of two exports the later one wins.
* A row that was changed no later than a second after it was made is sent as created, since Canvas told of it
  as created: as an update it would beat that. Any live update beats it.

What that costs: a change is not taken from the export where the stream has a live event of an earlier state
of the same second, or of the creation a second before.
"""

from typing import Final, NamedTuple

__all__ = ["Stamp", "stamp"]

_SECOND: Final = 1000
_EARLIER: Final = 2 * _SECOND


class Stamp(NamedTuple):
    """The times of a backfilled event, in milliseconds since 1970. `updated_at` is None for a creation."""

    updated_at: int | None
    event_time: int


def stamp(created_at: int | None, updated_at: int | None, unknown: int) -> Stamp:
    """The stamp of a row with these times; `unknown` stands for the time of one that has neither."""
    if updated_at is None:
        return Stamp(None, (unknown if created_at is None else created_at) - _EARLIER)
    if created_at is not None and updated_at - created_at <= _SECOND:
        return Stamp(None, updated_at - _EARLIER)
    return Stamp(updated_at // _SECOND * _SECOND, updated_at - _EARLIER)
