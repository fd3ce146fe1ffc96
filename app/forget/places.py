"""Where a student still stands once the stream has forgotten, and until when."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from app.settings import Settings, variable
from app.state.folder import StateFiles
from app.topics import Catalogue, TopicAdmin

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


def still_there(
    settings: Settings, catalogue: Catalogue, state: Path, say: Callable[[str], object] = lambda _: None
) -> list[StillThere]:
    """Return the places, by what the broker says of its topics, and what lies in the `state` folder here.

    `say` gets a line where the broker's settings may not be read. Raises BrokerFailure.
    """
    configs = TopicAdmin(settings).configs(catalogue.topics)
    if unread := [name for name, found in configs.items() if found is None]:
        say(
            "times taken from the settings here, for want of DescribeConfigs on"
            f" {unread[0]}{f' and {len(unread) - 1} more' if len(unread) > 1 else ''}"
        )
    return [
        *_topics(settings, catalogue, configs),
        *_aside(settings, state),
        StillThere(
            "state folders of workers",
            "files of partitions that the worker gave up to another",
            "it gets the partition back; or you delete them, with the worker stopped",
        ),
        StillThere("backups", "of brokers and state folders: what these held then", "you delete them"),
        StillThere(
            "consumers",
            "what they made of typed topics; of rows, if they ignore tombstones",
            "their owners delete it",
        ),
    ]


def _topics(settings: Settings, catalogue: Catalogue, configs: Configs) -> Iterator[StillThere]:
    """Yield them from what holds most of the student to what holds hardly anything."""
    specs = catalogue.topics
    held = {name: configs.get(name) or spec.config for name, spec in specs.items()}
    for name in settings.result_topics:
        yield StillThere(name, "each result of the student, as Canvas sent it", _results(held[name]))
    raw, dead, commands = settings.raw_topic_name, settings.dead_letter_topic, settings.commands_topic
    yield StillThere(raw, "what Canvas sent of the student", _age(held[raw]))
    yield StillThere(dead, "what of that could not be understood", _age(held[dead]))
    for name, spec in specs.items():
        if spec.group is not None and spec.config["cleanup.policy"] == "compact":
            yield StillThere(name, "rows as they were; then tombstones with their keys", _rows(held[name]))
    yield StillThere(commands, "that the student was to be forgotten", _age(held[commands]))
    others = [name for name, spec in specs.items() if spec.event and name not in settings.result_topics]
    for until, names in _together(others, lambda name: _age(held[name])).items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield StillThere(names[0] + more, "in metadata who acted, if that was the student", until)


def _together(names: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return groups


def _results(config: Mapping[str, str]) -> str:
    if _milliseconds(config, "retention.ms") is not None:
        return _age(config)
    return f"for ever, unless {variable('state_retention_days')} is set or you delete records"


def _age(config: Mapping[str, str]) -> str:
    """Until when a topic that is cleaned up by age has a record: segments go, when their last one is old."""
    age, roll = _milliseconds(config, "retention.ms"), _milliseconds(config, "segment.ms")
    if age is None:
        return "for ever"
    latest = "" if roll is None else f", {_days(age + roll)} at the latest"
    return f"{_days(age)} old{latest}"


def _rows(config: Mapping[str, str]) -> str:
    lag = _milliseconds(config, "max.compaction.lag.ms")
    kept = _milliseconds(config, "delete.retention.ms")
    compacted = "compaction, at no set time" if lag is None else f"compaction, within {_days(lag)}"
    return compacted if kept is None else f"{compacted}; tombstones {_days(kept)} more"


def _aside(settings: Settings, state: Path) -> Iterator[StillThere]:
    if not state.is_dir():
        return
    for one in StateFiles(state).aside():
        days = max(0.0, time.time() - one.moved_at) / (_DAY_MS / 1000)
        yield StillThere(
            str(one.path),
            f"state of a partition as it was {days:.0f} days ago",
            f"the worker's start after {settings.aside_days} days",
        )


def _milliseconds(config: Mapping[str, str], name: str) -> int | None:
    """A time; None for without end or not told."""
    value = int(config.get(name) or -1)
    return value if 0 <= value < _NO_LIMIT else None


def _days(milliseconds: int) -> str:
    days = milliseconds / _DAY_MS
    return f"{days:.0f} days" if days == int(days) or days > 3 else f"{milliseconds / 3_600_000:.1f} hours"
