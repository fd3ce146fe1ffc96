"""The committed rows as anyone sees them who reaches the broker: read from the changelog, beside the workers.

State files belong to a worker, which may run on another machine and writes them a moment after the commit;
the changelog has all that is committed, and nothing else.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING

from app.mastery import blob
from app.mastery.results import Results
from app.mastery.row import Row
from app.mastery.snapshot import RowKey
from app.partitioner import partition_of
from app.reader import Record, TopicReader, topic_missing, topic_partitions
from app.settings import Settings
from app.state.errors import ChangelogUnusable

__all__ = ["Heard", "StoredRow", "all_rows", "rows_of_student"]

#: Seconds between two looks at whether the end has come.
_WAIT = 0.5

Heard = Callable[[int], None]
"""Told now and then how many records were read since the last time."""


class StoredRow(NamedTuple):
    """A row, the results that it is made from, and when it was written (milliseconds since 1970)."""

    key: RowKey
    results: Results
    row: Row
    written_at: int


def rows_of_student(
    settings: Settings, user: str, account: str | None = None, heard: Heard = lambda _: None
) -> list[StoredRow]:
    """Return a student's rows, by root account and outcome.

    With the root account's uuid a single partition is read: all that is of one student lies in one. Without
    it each is, as the partition depends on it.

    Raises TopicMissing, ChangelogUnusable and BrokerFailure.
    """
    partitions = _partitions(settings)
    if account is not None:
        # As the typed results are placed, and the rows with them.
        partitions = [partition_of(f"{account}:{user}".encode(), len(partitions))]
    found: dict[RowKey, Record] = {}
    for record in _read(settings, partitions, heard):
        key = _row_key(record)
        if key is None or key.user_uuid != user or account not in (None, key.root_account_uuid):
            continue
        if record.value is None:
            found.pop(key, None)
        else:
            found[key] = record
    by_outcome = sorted(
        found, key=lambda key: (key.root_account_uuid, len(key.learning_outcome_id), key.learning_outcome_id)
    )
    return [row for key in by_outcome if (row := _decode(key, found[key])) is not None]


def all_rows(
    settings: Settings, account: str | None = None, heard: Heard = lambda _: None
) -> Iterator[StoredRow]:
    """Yield each row once, in no order. The keys of one partition are held in memory, not the rows.

    Each partition is read twice: for where the last record of each key is, then for those. A row that changes
    in between is yielded as it is then. Raises as `rows_of_student`.
    """
    for partition in _partitions(settings):
        last: dict[bytes, int] = {}
        for record in _read(settings, [partition], heard):
            if record.key is None or record.value is None:
                last.pop(record.key or b"", None)
            elif account is None or record.key.startswith(f"{account}:".encode()):
                last[record.key] = record.offset
        end = max(last.values(), default=-1)
        later: dict[bytes, Record] = {}
        for record in _read(settings, [partition], heard) if last else ():
            if record.key not in last:
                continue
            if record.offset == last[record.key]:
                del last[record.key]
                yield from _decoded(record)
            elif record.offset > end:
                # Written since; compaction may have taken the one that was found before.
                later[record.key] = record
        for record in later.values():
            yield from _decoded(record)


def _partitions(settings: Settings) -> list[int]:
    partitions = topic_partitions(settings).get(settings.changelog_topic)
    if partitions is None:
        raise topic_missing(settings, settings.changelog_topic)
    return partitions


def _read(settings: Settings, partitions: list[int], heard: Heard) -> Iterator[Record]:
    """Yield what is committed, from the beginning to the end."""
    positions = {(settings.changelog_topic, partition): OFFSET_BEGINNING for partition in partitions}
    with TopicReader(settings, positions) as reader:
        while not reader.at_end:
            records = reader.read(_WAIT)
            yield from records
            heard(len(records))


def _decoded(record: Record) -> Iterator[StoredRow]:
    key = _row_key(record)
    if key is not None and (row := _decode(key, record)) is not None:
        yield row


def _row_key(record: Record) -> RowKey | None:
    """The key of a row; None for what is none."""
    account, _, rest = (record.key or b"").decode(errors="replace").partition(":")
    user, colon, outcome = rest.rpartition(":")
    return RowKey(account, user, outcome) if colon else None


def _decode(key: RowKey, record: Record) -> StoredRow | None:
    if record.value is None:
        return None
    try:
        results, row = blob.decode(key, record.value)
    except blob.BlobError as error:
        raise ChangelogUnusable(
            f"{record.topic} partition {record.partition} offset {record.offset}: {error}",
            hint="a newer version wrote it, or something else than a worker",
        ) from None
    return None if row is None else StoredRow(key, results, row, record.timestamp)
