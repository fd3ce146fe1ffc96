"""Where a student still stands once the stream has forgotten, and until when."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from app.settings import Settings, variable
from app.state.folder import StateFiles
from app.topics import Catalogue, TopicAdmin, TopicSpec

__all__ = ["StillThere", "still_there"]

_DAY_MS = 24 * 60 * 60 * 1000
#: Where a broker has this as a time, there is no limit.
_NO_LIMIT = 1 << 62

Configs = Mapping[str, Mapping[str, str] | None]


class StillThere(NamedTuple):
    """A place that still holds something of the student."""

    place: str
    what: str
    until: str


def still_there(settings: Settings, catalogue: Catalogue, state: Path) -> list[StillThere]:
    """Return the places, by what the broker says of its topics, and what lies in the `state` folder here.

    Raises BrokerFailure.
    """
    configs = TopicAdmin(settings).configs(catalogue.topics)
    return [
        *_topics(settings, catalogue, configs),
        *_aside(state),
        StillThere(
            "state folders of workers",
            "files of partitions that the worker gave up to another",
            "until it gets the partition back; or delete them while the worker is stopped",
        ),
        StillThere(
            "backups", "of brokers and of state folders, whatever they held then", "as long as you keep them"
        ),
        StillThere(
            "consumers",
            "what they made of typed topics, and of rows unless they take tombstones for deletions",
            "ask those who run them",
        ),
    ]


def _topics(settings: Settings, catalogue: Catalogue, configs: Configs) -> Iterator[StillThere]:
    results = set(settings.result_topics)
    rows = {settings.typed_topic("outcome_mastery"), settings.typed_topic("course_outcome_mastery")}
    for name, spec in catalogue.topics.items():
        config = configs.get(name) or spec.config
        if name in results:
            yield StillThere(name, "every result of the student, as Canvas sent it", _results(config))
        elif name in rows | {settings.changelog_topic}:
            yield StillThere(name, "the rows as they were, then tombstones with their keys", _rows(config))
        elif name == settings.commands_topic:
            yield StillThere(name, "that the student was to be forgotten", _age(config))
        elif spec.raw:
            yield StillThere(name, "what Canvas sent of the student", _age(config))
        elif name == settings.dead_letter_topic:
            yield StillThere(name, "what of that could not be understood", _age(config))
        elif spec.event is not None:
            yield StillThere(name, _others(spec), _age(config))


def _others(spec: TopicSpec) -> str:
    if spec.event == "rubric_assessed":
        return "assessments of the student's work, without the student's name; in metadata who acted"
    return "in metadata who acted, if that was the student"


def _results(config: Mapping[str, str]) -> str:
    if _milliseconds(config, "retention.ms") is not None:
        return _age(config)
    return f"for ever, unless you set {variable('state_retention_days')} or delete records (see the manual)"


def _age(config: Mapping[str, str]) -> str:
    """Until when a topic that is cleaned up by age has a record: segments go, when their last one is old."""
    age, roll = _milliseconds(config, "retention.ms"), _milliseconds(config, "segment.ms")
    if age is None:
        return "for ever"
    latest = "" if roll is None else f", {_days(age + roll)} at the latest"
    return f"until {_days(age)} old{latest}"


def _rows(config: Mapping[str, str]) -> str:
    lag = _milliseconds(config, "max.compaction.lag.ms")
    kept = _milliseconds(config, "delete.retention.ms")
    compacted = "until compacted" if lag is None else f"until compacted, {_days(lag)} at the latest"
    return compacted if kept is None else f"{compacted}; tombstones {_days(kept)} more"


def _aside(state: Path) -> Iterator[StillThere]:
    if not state.is_dir():
        return
    for one in StateFiles(state).aside():
        days = max(0.0, time.time() - one.moved_at) / (_DAY_MS / 1000)
        yield StillThere(
            str(one.path), f"state of a partition as it was {days:.0f} days ago", "until you delete it"
        )


def _milliseconds(config: Mapping[str, str], name: str) -> int | None:
    """A time; None for without end or not told."""
    value = int(config.get(name) or -1)
    return value if 0 <= value < _NO_LIMIT else None


def _days(milliseconds: int) -> str:
    days = milliseconds / _DAY_MS
    return f"{days:.0f} days" if days == int(days) or days > 3 else f"{milliseconds / 3_600_000:.1f} hours"
