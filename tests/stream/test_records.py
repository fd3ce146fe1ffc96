from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchBuilderPy
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from app.stream.records import FetchedRecords, replace_reading

READ_UNCOMMITTED = 0


class Name(str):
    """A header's name of these characters in Latin-1, as C and Go clients may write it."""

    __slots__ = ()

    def encode(self, *_: Any) -> bytes:
        return super().encode("latin-1")


class Raw(NamedTuple):
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[Any, bytes | None], ...] = ()


BAD = Raw(b"second", b"key", ((Name("café"), b"\xff"), ("plain", None)))


def batch(*records: Raw, base: int = 0, codec: int = 0) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 1 << 20)
    for offset, record in enumerate(records):
        builder.append(offset, 1_700_000_000_000 + offset, record.key, record.value, list(record.headers))
    built = bytearray(builder.build())
    built[:8] = base.to_bytes(8, "big")
    return bytes(built)


def read(data: bytes) -> list[tuple[Any, ...]]:
    return list(plain(FetchedRecords(data)))


def plain(records: Any) -> Iterator[tuple[Any, ...]]:
    while records.has_next():
        for record in records.next_batch():
            yield record.offset, record.timestamp, record.key, record.value, [*record.headers]
    assert records.next_batch() is None


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4], ids=["none", "gzip", "snappy", "lz4", "zstd"])
def test_a_header_name_that_is_not_utf8_spoils_nothing(codec: int) -> None:
    data = batch(Raw(b"zeroth"), base=10, codec=codec) + batch(
        Raw(b"first"), BAD, Raw(None, headers=(("é", b""),)), BAD, base=20, codec=codec
    )
    bad_headers = [("caf\\xe9", b"\xff"), ("plain", None)]
    assert read(data) == [
        (10, 1_700_000_000_000, None, b"zeroth", []),
        (20, 1_700_000_000_000, None, b"first", []),
        (21, 1_700_000_000_001, b"key", b"second", bad_headers),
        (22, 1_700_000_000_002, None, None, [("é", b"")]),
        (23, 1_700_000_000_003, b"key", b"second", bad_headers),
    ]


def test_aiokafka_gives_such_a_record_up() -> None:
    # When this fails, aiokafka reads such names itself, and app.stream.records can go.
    with pytest.raises((UnicodeDecodeError, CorruptRecordException)):
        list(plain(MemoryRecords(batch(BAD))))


def test_records_that_are_broken_otherwise_are_an_error_as_before() -> None:
    data = bytearray(batch(Raw(b"first"), Raw(b"second")))
    data[61] ^= 0x40  # the length of the first record
    with pytest.raises(CorruptRecordException):
        read(bytes(data))


RAW = st.builds(
    Raw,
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=5),
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3).map(tuple),
)


@given(st.lists(st.lists(RAW, min_size=1, max_size=4), max_size=3))
def test_whatever_aiokafka_reads_is_read_alike(batches: list[list[Raw]]) -> None:
    data = b"".join(batch(*records, base=100 * number) for number, records in enumerate(batches))
    assert read(data) == list(plain(MemoryRecords(data)))
    assert FetchedRecords(data).size_in_bytes() == MemoryRecords(data).size_in_bytes()


def test_formats_without_headers_are_left_to_aiokafka() -> None:
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    builder.append(0, 1_700_000_000_000, b"key", b"value")
    [record] = list(FetchedRecords(bytes(builder.build())).next_batch())
    assert (record.offset, record.key, record.value) == (0, b"key", b"value")


def test_a_batch_that_was_cut_off_is_left_for_the_next_fetch() -> None:
    whole = batch(Raw(b"first"))
    assert [record[3] for record in read(whole + batch(Raw(b"second"), base=1)[:-1])] == [b"first"]
    assert not FetchedRecords(whole[:-1]).has_next()
    assert FetchedRecords(whole[:-1]).size_in_bytes() == len(whole) - 1


def test_aiokafkas_fetcher_reads_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "MemoryRecords", MemoryRecords)
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)
    replace_reading()
    records = fetcher.MemoryRecords(batch(Raw(b"first"), BAD, base=5))
    found = fetcher.PartitionRecords(
        TopicPartition("raw", 0), records, [], 5, None, None, True, READ_UNCOMMITTED
    )
    first, second = found
    assert (first.offset, first.value, first.headers) == (5, b"first", [])
    assert (second.offset, second.key, second.value, second.timestamp) == (6, *BAD[1::-1], 1_700_000_000_001)
    assert found.next_fetch_offset == 7
    assert not isinstance(first, ConsumerRecord)


def test_records_of_the_builder_in_c_are_read() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    builder.append(0, 1, b"key", b"value", [("name", None)])
    assert read(bytes(builder.build())) == [(0, 1, b"key", b"value", [("name", None)])]
