"""What a replay is going to send: found out before the first record is sent."""

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from app.replay.letters import UNKNOWN_KIND, Letter, Place, nothing_at, read_letters
from app.replay.marks import Marks
from app.replay.selection import Selection
from app.settings import Settings
from app.topics import TopicAdmin

__all__ = ["Plan", "Planned", "make_plan", "oldest_kept"]

_DAY_MS = 24 * 60 * 60 * 1000


class Planned(NamedTuple):
    """A letter that is to be sent. Without its bytes: there may be many."""

    timestamp: int
    partition: int
    offset: int
    kind: str
    event: str | None

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.partition, self.offset


@dataclass(slots=True)
class Plan:
    """The letters to send, the oldest first, and how many that were meant are left out, and why.

    `done` were replayed before; `expired` are older than the raw topic keeps records; `foreign` were not
    written by a worker. `first` is the lowest offset that there is in each partition that was read.
    """

    letters: list[Planned] = field(default_factory=list)
    done: int = 0
    expired: int = 0
    foreign: int = 0
    first: dict[int, int] = field(default_factory=dict)

    def leaves_out(self, letter: Letter, marks: Marks, selection: Selection, oldest: int | None) -> bool:
        """Return whether a letter that is meant is left out, and count it."""
        if letter.kind == UNKNOWN_KIND and not (selection.places or UNKNOWN_KIND in selection.kinds):
            self.foreign += 1
        elif marks.of(letter) is not None:
            self.done += 1
        elif oldest is not None and letter.record.timestamp < oldest:
            self.expired += 1
        else:
            return False
        return True


def make_plan(
    settings: Settings,
    partitions: Mapping[str, list[int]],
    marks: Marks,
    selection: Selection,
    *,
    limit: int | None = None,
    oldest: int | None = None,
) -> Plan:
    """Look through the topic for what is to be sent: the newest `limit` of what is meant and not left out.

    Left out are letters that have a mark (to send them again, give no marks), letters from before `oldest`
    (milliseconds since the epoch), and records that no worker wrote unless they are meant by their place or
    by the kind "unknown". Raises NoSuchDeadLetter when one of the selection's places holds none, TopicMissing
    and BrokerFailure.
    """
    plan = Plan()
    missing = set(selection.places)
    wanted = {partition for partition, _ in missing} or None

    def found() -> Iterator[Planned]:
        for letter in read_letters(settings, partitions, wanted):
            plan.first.setdefault(letter.record.partition, letter.record.offset)
            missing.discard(letter.place)
            if selection.has(letter) and not plan.leaves_out(letter, marks, selection, oldest):
                yield Planned(letter.record.timestamp, *letter.place, letter.kind, letter.event_name)

    plan.letters = sorted(found() if limit is None else heapq.nlargest(limit, found()))
    if missing:
        raise nothing_at(settings.dead_letter_topic, *sorted(missing))
    return plan


def oldest_kept(settings: Settings, *, now: int, say: Callable[[str], object] = lambda _: None) -> int | None:
    """Return the time before which the raw topic keeps no record; None where age does not matter there.

    In milliseconds since the epoch, like `now`. `say` gets a line where the topic's settings may not be
    read. Kafka goes by a record's timestamp, and a replayed record has
    the one it always had: above its age limit, it may be deleted before a worker has read it.
    """
    topic = settings.raw_topic_name
    found = TopicAdmin(settings).configs([topic]).get(topic)
    if found is None:
        say(f"age limit of {topic} taken from the settings here, for want of DescribeConfigs on it")
    config = found or {}
    if config.get("message.timestamp.type") == "LogAppendTime":
        return None
    if "delete" not in config.get("cleanup.policy", "delete"):
        return None
    ours = None if settings.raw_topic else settings.raw_retention_days * _DAY_MS
    # What the broker does not tell is as the topic catalogue has it, if the topic is of it.
    told = config.get("retention.ms")
    age = ours if told is None else int(told)
    return None if age is None or age < 0 else now - age
