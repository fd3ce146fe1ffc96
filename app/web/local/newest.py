"""The newest records of a topic, decoded."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import OFFSET_END

from app.commands.rows import row_json
from app.errors import MasteryError
from app.mastery import blob
from app.mastery.snapshot import RowKey
from app.reader import Record, TopicReader
from app.settings import Settings
from app.values import ValueReader, plain
from app.web.local.letter_text import escaped
from app.web.local.offsets import Span
from app.web.models.stream import TopicRecord

__all__ = ["Newest", "RecordShower", "newest_records"]

#: Offsets below the end that are read first, and what that grows by: markers and aborted records take some.
_BACK: Final = 24
_FURTHER: Final = 20
_FURTHEST: Final = 10_000
#: Seconds for all of it.
_LONGEST: Final = 1.5
#: Bytes of a value that is decoded for a page.
_LARGEST: Final = 64 * 1024
_MAGIC: Final = 0


@dataclass(frozen=True, slots=True)
class Newest:
    """Records, the newest first. `complete` is False when a partition did not answer in time."""

    records: tuple[Record, ...]
    complete: bool


def newest_records(settings: Settings, topic: str, spans: Mapping[int, Span | None], count: int) -> Newest:
    """Read the newest `count` records over all partitions. Raises BrokerFailure."""
    deadline = time.monotonic() + _LONGEST
    found: dict[tuple[int, int], Record] = {}
    back = _BACK
    known = {partition: span for partition, span in spans.items() if span is not None}
    if spans and not known:
        # Whether it may be read at all is told by reading.
        _read(settings, {(topic, p): OFFSET_END for p in spans}, found, deadline)
    while True:
        starts = {(topic, p): max(first, end - back) for p, (first, end) in known.items() if end > first}
        complete = _read(settings, starts, found, deadline) and len(known) == len(spans)
        reached = all(start == known[place[1]][0] for place, start in starts.items())
        if len(found) >= count or reached or back >= _FURTHEST or time.monotonic() > deadline:
            break
        back *= _FURTHER
    newest = sorted(found.values(), key=lambda one: (one.timestamp, one.offset), reverse=True)
    return Newest(tuple(newest[:count]), complete)


def _read(
    settings: Settings,
    starts: Mapping[tuple[str, int], int],
    found: dict[tuple[int, int], Record],
    deadline: float,
) -> bool:
    """Add what stands from there on; whether all was read in time."""
    if not starts:
        return True
    with TopicReader(settings, starts) as reader:
        while not reader.at_end and time.monotonic() < deadline:
            for record in reader.read(max(0.0, min(0.5, deadline - time.monotonic()))):
                found[record.partition, record.offset] = record
        return reader.at_end


class RecordShower:
    """Turns records into what a page shows. What cannot be decoded is shown as an error, never left out."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._values = ValueReader(settings)

    def shown(self, records: Sequence[Record], newest_schema: int | None) -> tuple[TopicRecord, ...]:
        """Show records of one topic; `newest_schema` is the id of its newest schema, where it has one."""
        return tuple(self._one(record, newest_schema) for record in records)

    def _one(self, record: Record, newest_schema: int | None) -> TopicRecord:
        raw = record.value
        framed = raw is not None and len(raw) > 4 and raw[0] == _MAGIC
        schema_id = int.from_bytes(raw[1:5], "big") if raw is not None and framed else None
        value, error = self._value(record)
        if newest_schema is not None and raw is not None and not framed and error is None:
            error = "not framed: a record begins with a zero byte and four of schema id"
        return TopicRecord(
            partition=record.partition,
            offset=record.offset,
            time=record.timestamp / 1000,
            key=None if record.key is None else escaped(record.key, 1000)[0],
            schema_id=schema_id,
            newest_schema=None in (newest_schema, schema_id) or schema_id == newest_schema,
            value=value,
            error=error,
        )

    def _value(self, record: Record) -> tuple[Any, str | None]:
        raw = record.value
        if raw is not None and len(raw) > _LARGEST:
            return escaped(raw, 1000)[0], f"{len(raw):,} bytes: only the beginning is shown"
        try:
            if record.topic == self._settings.changelog_topic and raw is not None:
                return _row(record.key or b"", raw), None
            value = self._values.value(raw)
        except MasteryError as error:
            return escaped(raw or b"", 1000)[0], str(error)
        except blob.BlobError as error:
            return escaped(raw or b"", 1000)[0], str(error)
        return (escaped(value.encode(), _LARGEST)[0] if isinstance(value, str) else value), None


def _row(key: bytes, raw: bytes) -> Any:
    account, _, rest = key.decode(errors="replace").partition(":")
    user, colon, outcome = rest.rpartition(":")
    if not colon:
        return plain(raw)
    results, row = blob.decode(RowKey(account, user, outcome), raw)
    return {
        "row": None if row is None else row_json(row),
        "results": len(results.snapshots),
        "former_works": len(results.former_works),
    }
