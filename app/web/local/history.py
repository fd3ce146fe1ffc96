"""What events told of one outcome, read from their topics when somebody asks."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import OFFSET_BEGINNING

from app.definitions.decoding import OUTCOME_EVENTS
from app.errors import MasteryError
from app.mastery.definition import OutcomeDefinition, read_outcome
from app.mastery.versions import Version
from app.partitioner import partition_of
from app.reader import Record, TopicReader, topic_partitions
from app.schemas.decoder import AvroDecoder, DecodingError
from app.schemas.registry import schema_lookup
from app.settings import Settings
from app.web.local.shared import Shared
from app.web.models.groups import DefinitionVersion

__all__ = ["Histories", "OutcomeHistory"]

#: Seconds for reading, and for waiting for it: what else is known of the outcome is shown without it.
_LONGEST: Final = 1.0
_PATIENCE: Final = 1.4
#: Records that are looked through, and versions that are shown.
_MOST_RECORDS: Final = 200_000
_MOST_VERSIONS: Final = 100
#: Seconds for which a history is as fresh as need be, and how many are kept.
_KEEP: Final = 10.0
_KEPT: Final = 64

_SHARD: Final = 10**13


class OutcomeHistory(NamedTuple):
    """Versions of an outcome, the newest first. `complete`: whether all of the topics was looked through."""

    versions: tuple[DefinitionVersion, ...]
    description: str | None
    complete: bool


class _Told(NamedTuple):
    """What one event says of an outcome."""

    event: str
    definition: OutcomeDefinition
    description: str | None


_NOTHING: Final = OutcomeHistory((), None, complete=False)


class Histories:
    """Reads the partition that has an outcome's events, for a second at most."""

    def __init__(
        self, settings: Settings, look_up: Callable[[int], dict[str, Any] | str] | None = None
    ) -> None:
        self._settings = settings
        self._topics = {settings.typed_topic(event): event for event in OUTCOME_EVENTS}
        self._look_up = look_up
        self._decoder: AvroDecoder | None = None
        self._shared: dict[tuple[str, str], Shared[OutcomeHistory]] = {}

    async def of(self, account: str, outcome: str) -> OutcomeHistory:
        """What events told of a root account's outcome; nothing, incomplete, where Kafka does not answer."""
        key = (account, outcome)
        shared = self._shared.pop(key, None) or Shared(
            lambda: self._read(account, outcome), keep=_KEEP, name="outcome-history"
        )
        self._shared[key] = shared
        while len(self._shared) > _KEPT:
            del self._shared[next(iter(self._shared))]
        try:
            return (await shared.get(_PATIENCE)).value
        except (TimeoutError, MasteryError):
            return _NOTHING

    def _read(self, account: str, outcome: str) -> OutcomeHistory:
        deadline = time.monotonic() + _LONGEST
        there = topic_partitions(self._settings)
        topics = {topic: there[topic] for topic in self._topics if there.get(topic)}
        found: dict[Version, _Told] = {}
        key = f"{account}:{outcome}".encode()
        own = [(topic, partition_of(key, len(partitions))) for topic, partitions in topics.items()]
        complete = self._look_through(own, account, outcome, found, deadline)
        if not found and complete:
            # Its events may write a global id, which puts them elsewhere.
            rest = [(topic, one) for topic, partitions in topics.items() for one in partitions]
            others = [place for place in rest if place not in own]
            complete = self._look_through(others, account, outcome, found, deadline)
        newest_first = [found[version] for version in sorted(found, reverse=True)]
        versions = tuple(
            _shown(told, in_force=place == 0) for place, told in enumerate(newest_first[:_MOST_VERSIONS])
        )
        description = newest_first[0].description if newest_first else None
        return OutcomeHistory(versions, description, complete and len(newest_first) <= _MOST_VERSIONS)

    def _look_through(
        self,
        places: Sequence[tuple[str, int]],
        account: str,
        outcome: str,
        found: dict[Version, _Told],
        deadline: float,
    ) -> bool:
        """Add what partitions tell of the outcome; whether all of them was looked through in time."""
        seen = 0
        with TopicReader(self._settings, dict.fromkeys(places, OFFSET_BEGINNING)) as reader:
            while not reader.at_end:
                if time.monotonic() > deadline or seen > _MOST_RECORDS:
                    return False
                records = reader.read(max(0.0, min(0.2, deadline - time.monotonic())))
                seen += len(records)
                for record in records:
                    if _may_be(record.key, account, outcome) and (told := self._decode(record, outcome)):
                        found[told.definition.version] = told
        return True

    def _decode(self, record: Record, outcome: str) -> _Told | None:
        if self._decoder is None:
            self._decoder = AvroDecoder(self._look_up or schema_lookup(self._settings))
        try:
            told: Mapping[str, Any] = self._decoder.decode(record.value or b"")
            definition = read_outcome(told)
        except (DecodingError, LookupError, TypeError, ValueError, OverflowError):
            # The worker has stopped at such a record, and says so: here it is left out.
            return None
        if definition.learning_outcome_id != outcome:
            return None
        return _Told(self._topics[record.topic], definition, told["body"].get("description"))


def _may_be(key: bytes | None, account: str, outcome: str) -> bool:
    """Whether a record with this key may be about the outcome, whose id it may write as a global one."""
    named, _, number = (key or b"").decode(errors="replace").partition(":")
    if named != account:
        return False
    if number == outcome:
        return True
    both = number.isascii() and number.isdigit() and outcome.isascii() and outcome.isdigit()
    return both and len(number) < 30 and int(number) % _SHARD == int(outcome)


def _shown(told: _Told, *, in_force: bool) -> DefinitionVersion:
    one = told.definition
    return DefinitionVersion(
        time=one.version.time / 1000,
        event=told.event,
        title=one.title,
        calculation_method=one.method,
        calculation_int=one.n,
        mastery_points=one.mastery_points,
        points_possible=one.points_possible,
        levels=tuple((level.points, level.description) for level in one.levels),
        in_force=in_force,
    )
