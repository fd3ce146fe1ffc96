"""Fetched bytes into records, whatever the names of their headers hold, and with little work for each.

A header's name is text in Kafka's protocol, but no broker looks at it, and clients in C or Go write any bytes
there. aiokafka raises UnicodeDecodeError over such a name before it hands out the record: the worker would
end, start again at the same offset, and end again, for ever.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any, SupportsIndex, overload

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from typing_extensions import override

__all__ = ["FetchedPartition", "FetchedRecords", "replace_reading"]

#: Of a batch: base offset (8 bytes), length of what follows (4), leader epoch (4), magic (1).
_LENGTH = struct.Struct(">8xi")
_MAGIC_AT = 16
#: The first format with headers.
_WITH_HEADERS = 2


def replace_reading() -> None:
    """Make aiokafka's consumers of this process read their records through the classes here.

    Classes are looked up by name in aiokafka's fetcher; there is no seam that would spare this.
    """
    fetcher.MemoryRecords = FetchedRecords
    fetcher.PartitionRecords = FetchedPartition


class FetchedPartition(PartitionRecords):  # type: ignore[misc]
    """The records of one partition in a fetch response, as they were parsed.

    aiokafka makes another object of each, with topic and partition in it: 0.45 us, 45 % of its reading.
    """

    @override
    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record


class FetchedRecords:
    """The batches of one fetch response. In the place of aiokafka's MemoryRecords."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._batches = MemoryRecords(data)
        self._position = 0

    def size_in_bytes(self) -> int:
        """Return the size of what was fetched."""
        return len(self._data)

    def has_next(self) -> bool:
        """Return whether there is another whole batch."""
        return bool(self._batches.has_next())

    def next_batch(self) -> Any:
        """Return the next batch; None when there is none."""
        batch = self._batches.next_batch()
        if batch is None:
            return None
        start = self._position
        self._position = start + _LENGTH.size + _LENGTH.unpack_from(self._data, start)[0]
        if self._data[start + _MAGIC_AT] < _WITH_HEADERS:
            return batch
        return _Batch(batch, self._data[start : self._position])


class _Batch:
    """A batch of aiokafka's that begins anew, slower, at the record whose header it cannot read."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        taken = 0
        try:
            for record in self._batch:
                yield record
                taken += 1
        # aiokafka's parser in Python makes the second of the first, and its parser in C does not.
        except (UnicodeDecodeError, CorruptRecordException):
            yield from islice(_LenientBatch(self._data), taken, None)


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's parser in Python, on bytes that can always be read as text."""

    @override
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer: bytearray = _AnyText(self._buffer)


class _AnyText(bytearray):
    r"""Bytes that decode with `\xff` for what is not UTF-8. Their slices do as well."""

    @overload
    def __getitem__(self, where: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, where: "slice[Any, Any, Any]", /) -> bytearray: ...
    @override
    def __getitem__(self, where: Any, /) -> Any:
        part = super().__getitem__(where)
        return _AnyText(part) if isinstance(where, slice) else part

    @override
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
