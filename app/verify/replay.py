"""The results of every row, applied again from the typed topics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.mastery.forgotten import Forgotten
from app.mastery.results import Results
from app.mastery.snapshot import RowKey, Unplaced, read_result
from app.settings import Settings
from app.verify.offsets import Place
from app.verify.reading import read_stretch

__all__ = ["Replayed", "replay"]


@dataclass(slots=True)
class Replayed:
    """The results of one student on one outcome.

    `moving` says that some of them were committed while the published topics were read: they may or may not
    be in what was read.
    """

    key: RowKey
    partition: int
    """Where the results lie, and the row in the changelog with them; -1 for a row without results."""
    results: Results = field(default_factory=Results)
    moving: bool = False


def replay(
    settings: Settings,
    decode: Callable[[bytes], Mapping[str, Any]],
    stretches: Mapping[Place, tuple[int, int]],
    settled: Mapping[Place, int],
    rows: dict[bytes, Replayed],
    *,
    forgotten: Callable[[int], Forgotten] = lambda _: Forgotten(),
    wanted: Callable[[bytes], bool] = lambda _: True,
    heard: Callable[[int], None] = lambda _: None,
) -> int:
    """Apply the results of these stretches to `rows`; return how many results were read.

    Those from offset `settled` on make their row `moving`. `wanted` is asked for each row by its key. What
    was told of students before they were `forgotten` is passed over, as the workers do. Raises BrokerFailure
    and DecodingError.
    """
    count = 0
    marks = {partition: forgotten(partition) for partition in {partition for _, partition in stretches}}
    for records in read_stretch(settings, stretches):
        for record in records:
            count += 1
            if record.value is None:
                continue
            placed = read_result(decode(record.value))
            if isinstance(placed, Unplaced):
                continue
            key, snapshot = placed
            if marks[record.partition].passes_over(*key[:2], snapshot.version.event_time):
                continue
            raw_key = str(key).encode()
            if not wanted(raw_key):
                continue
            row = rows.get(raw_key)
            if row is None:
                row = rows[raw_key] = Replayed(key, record.partition)
            row.results.apply(snapshot)
            row.moving |= record.offset >= settled[record.topic, record.partition]
        heard(len(records))
    return count
