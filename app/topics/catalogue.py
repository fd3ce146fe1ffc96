"""The topic catalogue: `topics/*.toml` read, checked and filled in from the settings."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from app.errors import MasteryError
from app.schemas.contract import contract_root
from app.settings import Settings, variable

__all__ = ["Catalogue", "CatalogueError", "TopicSpec", "load_catalogue"]

BROKER_DEFAULT = -1
"""What Kafka takes for "as the broker is set" in a replication factor (2.4 and up)."""

_DEFAULTS = "defaults.toml"
_DAY_MS = 24 * 60 * 60 * 1000
_LONGEST_NAME = 249


class CatalogueError(MasteryError):
    """The catalogue's files are missing or wrong, or the settings contradict them."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it should be.

    `name` is complete, prefix included. `replication` -1 leaves it to the broker. `config` holds the topic's
    settings in Kafka's own names; what it does not hold is left to the broker. `event` is the Canvas event
    the topic carries. `group` names the topics that must have one partition count. `raw` is the topic of the
    raw events; it is `foreign` when `MASTERY_RAW_TOPIC` names somebody else's, whose partitions and retention
    are not ours to judge.
    """

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    key: str
    value: str
    event: str | None
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    description: str
    group: str | None
    foreign: bool
    raw: bool

    @property
    def counts_matter(self) -> bool:
        """True where another number of partitions would break the order by key, or what rests on it."""
        return self.event is not None or self.group is not None or self.partitions == 1


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All topics, by complete name: the raw topic, then the others in the order of the files."""

    topics: Mapping[str, TopicSpec]

    def groups(self) -> dict[str, list[TopicSpec]]:
        """Return the topics that must have one partition count, by the name of their group."""
        groups: dict[str, list[TopicSpec]] = {}
        for spec in self.topics.values():
            if spec.group is not None:
                groups.setdefault(spec.group, []).append(spec)
        return groups


class _Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One `[[topics]]` entry, defaults merged in. A `str` beside an `int` is a setting: `$partitions`."""

    name: str
    partitions: int | str
    replication: int | str
    min_insync_replicas: int | str
    max_message_bytes: int | str
    extra_message_bytes: int = 0
    cleanup: Literal["delete", "compact"]
    retention_days: int | str | None = None
    copartitioned: str | None = None
    raw: bool = False
    delete_retention_days: int | None = None
    max_compaction_lag_days: int | None = None
    event: str | None = None
    schema: str | None = None
    key: str
    value: str | None = None
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    description: str


def load_catalogue(settings: Settings, root: Path | None = None) -> Catalogue:
    """Read `<root>/topics/*.toml`; `root` is the contract's folder unless given.

    Raises CatalogueError, naming the file, for what is unreadable or contradicts itself or the settings.
    """
    folder = (contract_root() if root is None else root) / "topics"
    common = _read(folder / _DEFAULTS).get("defaults", {})
    topics: dict[str, TopicSpec] = {}
    for path in sorted(folder.glob("*.toml")):
        if path.name == _DEFAULTS:
            continue
        content = _read(path)
        for number, entry in enumerate(content.get("topics", ()), start=1):
            spec = _spec(path, number, common | content.get("defaults", {}) | entry, settings)
            if spec.name in topics:
                raise CatalogueError(
                    f"{path.name}: the topic {spec.name} is there twice",
                    hint="MASTERY_RAW_TOPIC must not name a topic that the workers write",
                )
            topics[spec.name] = spec
    for group, specs in Catalogue(topics).groups().items():
        if len({spec.partitions for spec in specs}) > 1:
            raise CatalogueError(f"the topics of the group {group} must have one partition count")
    # The raw topic first: what comes in before what is made of it.
    ordered = sorted(topics.items(), key=lambda item: not item[1].raw)
    return Catalogue(MappingProxyType(dict(ordered)))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CatalogueError(
            f"topics/{path.name}: not readable as TOML ({error})",
            hint="install the package again, or run from a checkout",
        ) from None


def _spec(path: Path, number: int, merged: dict[str, Any], settings: Settings) -> TopicSpec:
    try:
        entry = msgspec.convert(merged, _Entry)
    except msgspec.ValidationError as error:
        raise CatalogueError(f"topics/{path.name}: entry {number}: {error}") from None
    where = f"topics/{path.name}: {entry.name}"
    name = settings.raw_topic_name if entry.raw else settings.topic_prefix + entry.name
    if not re.fullmatch(rf"[A-Za-z0-9._-]{{1,{_LONGEST_NAME}}}", name):
        raise CatalogueError(
            f"{where}: {name} is not a name that Kafka takes", hint="shorten MASTERY_TOPIC_PREFIX"
        )
    schema = entry.event or entry.schema
    if entry.value is None and schema is None:
        raise CatalogueError(f"{where}: says neither event nor schema nor value")
    replication = _number(where, entry.replication, settings)
    return TopicSpec(
        name=name,
        partitions=_required(where, entry.partitions, settings),
        replication=BROKER_DEFAULT if replication is None else replication,
        config=MappingProxyType(_config(where, entry, settings)),
        key=entry.key,
        value=entry.value or f"Avro, Confluent framing, schema avro/{schema}.avsc",
        event=entry.event,
        writers=entry.writers,
        readers=entry.readers,
        description=entry.description,
        group=entry.copartitioned,
        foreign=entry.raw and settings.raw_topic is not None,
        raw=entry.raw,
    )


def _config(where: str, entry: _Entry, settings: Settings) -> dict[str, str]:
    size = _required(where, entry.max_message_bytes, settings) + entry.extra_message_bytes
    config = {"cleanup.policy": entry.cleanup, "max.message.bytes": str(size)}
    if entry.cleanup == "delete":
        days = _number(where, entry.retention_days, settings)
        config["retention.ms"] = "-1" if days is None else str(days * _DAY_MS)
        # A size limit that the broker sets for all its topics would cut the kept time short.
        config["retention.bytes"] = "-1"
        # Records keep the time of the raw record, whatever the broker sets for all its topics.
        config["message.timestamp.type"] = "CreateTime"
    if entry.delete_retention_days is not None:
        config["delete.retention.ms"] = str(entry.delete_retention_days * _DAY_MS)
    if entry.max_compaction_lag_days is not None:
        config["max.compaction.lag.ms"] = str(entry.max_compaction_lag_days * _DAY_MS)
    in_sync = _number(where, entry.min_insync_replicas, settings)
    replication = _number(where, entry.replication, settings)
    if in_sync is not None:
        if replication is not None and in_sync > replication:
            raise CatalogueError(
                f"{variable('min_insync_replicas')} ({in_sync}) is above {variable('replication_factor')} "
                f"({replication}): nothing could be written",
                hint="with 3 copies, 2 is usual",
            )
        config["min.insync.replicas"] = str(in_sync)
    return config


def _number(where: str, value: int | str | None, settings: Settings) -> int | None:
    """A number as written, or that of the setting named by `$<setting>`; None where the setting is unset."""
    if not isinstance(value, str):
        return value
    name = value.removeprefix("$")
    if name == value or name not in type(settings).model_fields:
        raise CatalogueError(f"{where}: {value!r} is neither a number nor a setting")
    number = getattr(settings, name)
    if number is not None and not isinstance(number, int):
        raise CatalogueError(f"{where}: the setting {name} is not a number")
    return number


def _required(where: str, value: int | str, settings: Settings) -> int:
    number = _number(where, value, settings)
    if number is None:
        raise CatalogueError(f"{where}: {value} must be set")
    return number
