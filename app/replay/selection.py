"""Which dead letters a person means: by kind, event, time and place."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.replay.letters import Letter, Place

__all__ = ["Selection", "parse_since"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """Letters of one of the `kinds`, of one of the `events`, not older than `since`, at one of the `places`.

    What is empty or None does not narrow. `since` is in milliseconds since the epoch and is compared with the
    letter's timestamp, which is the raw record's: when it was refused is written nowhere.
    """

    kinds: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    since: int | None = None
    places: frozenset[Place] = frozenset()

    def has(self, letter: Letter) -> bool:
        """Return whether the letter is meant. What is costly to find out comes last."""
        return (
            (not self.places or letter.place in self.places)
            and (self.since is None or letter.record.timestamp >= self.since)
            and (not self.kinds or letter.kind in self.kinds)
            and (not self.events or letter.event_name in self.events)
        )


def parse_since(text: str, *, now: datetime) -> int:
    """Read an ISO 8601 time with its offset, or a span before `now`: 90s, 15m, 2h, 3d, 1w. Milliseconds.

    Raises ValueError with a text for a person.
    """
    if span := re.fullmatch(r"(\d{1,6})([smhdw])", text):
        amount, unit = span.groups()
        moment = now - timedelta(**{_UNITS[unit]: int(amount)})
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text} is neither a time nor a span such as 2h or 3d") from None
        if moment.tzinfo is None:
            raise ValueError(f"{text} needs an offset from UTC, as 2026-05-04T08:00Z has one")
    return (moment - _EPOCH) // timedelta(milliseconds=1)
