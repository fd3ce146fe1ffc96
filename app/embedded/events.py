"""What the demo sends: the examples of Canvas's documentation, then a small school that never ends.

Of each record it is known what must become of it: the examples are good, and the school tells the truth.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import islice

from app.embedded.samples import sample_events
from app.school.dice import identifier
from app.school.fates import Dead, Fate, Typed
from app.school.stream import Plan, school_records

__all__ = ["FIRST_OF_SCHOOL", "MAIN_ACCOUNT", "DemoEvent", "demo_events", "first_events"]

#: Records of the school that are sent at once; the rest trickles.
FIRST_OF_SCHOOL = 2_400

# A stream of this pace has something of everything among its first two thousand, and students with several
# results on an outcome. Nothing of many kilobytes: a person is to look at it.
_SCHOOL = Plan(seed=1, events=6_000, students=60, days=14, bad_share=0.02, huge=False)

#: The root account of the school that has the most students.
MAIN_ACCOUNT = identifier(_SCHOOL.seed, "root", 0)

#: Of a week that begins on a Monday, the first records take up to its Thursday.
_THURSDAY = 3


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """A raw record. It must come out as the event `event_name`, as a dead letter, or (neither) not at all."""

    raw: bytes | None
    event_name: str | None = None
    dead: bool = False


def demo_events(today: date) -> Iterator[DemoEvent]:
    """Yield the examples, then the school: `FIRST_OF_SCHOOL` records of the days up to `today`, and more."""
    for sample in sample_events():
        yield DemoEvent(sample.raw, sample.event_name)
    newest = today - timedelta((today.weekday() - _THURSDAY) % 7)
    for record in school_records(replace(_SCHOOL, start=newest - timedelta(_THURSDAY))):
        yield _demo_event(record.raw, record.fate)


def first_events(events: Iterator[DemoEvent]) -> list[DemoEvent]:
    """Take what is sent at once off the beginning of `demo_events`."""
    return list(islice(events, len(sample_events()) + FIRST_OF_SCHOOL))


def _demo_event(raw: bytes | None, fate: Fate) -> DemoEvent:
    return DemoEvent(raw, fate.event.name if isinstance(fate, Typed) else None, isinstance(fate, Dead))
