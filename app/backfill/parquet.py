"""Rows of Parquet files, by pyarrow, which only those need who have such files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from app.backfill.errors import BackfillError

__all__ = ["parquet_rows"]

_ROWS: Final = 2_000


def parquet_rows(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield the number of each row, from 1, how many there are, and its fields.

    Raises BackfillError: pyarrow is not installed, or the file is damaged.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra
    except ImportError:
        raise BackfillError(
            f"{path} is Parquet, which pyarrow is needed for", hint="pip install 'mastery-stream[parquet]'"
        ) from None
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            total = file.metadata.num_rows
            for batch in file.iter_batches(batch_size=_ROWS):
                # Python's times have no nanoseconds; what is less than a millisecond is not needed.
                fields = [
                    pa.field(one.name, pa.timestamp("us", one.type.tz))
                    if pa.types.is_timestamp(one.type)
                    else one
                    for one in batch.schema
                ]
                for values in batch.cast(pa.schema(fields), safe=False).to_pylist():
                    number += 1
                    yield number, total, values
    except pa.ArrowException as error:
        raise BackfillError(f"{path}, row {number + 1}: {type(error).__name__}: no whole Parquet") from None
