"""The state of a row as bytes, for a key-value store and its changelog.

The first byte is the format's number; the rest is MessagePack, without field names. Equal states give equal
bytes. What the row's key says is not repeated.
"""

from typing import Any, Final, TypeVar

import msgspec

from app.mastery.results import Results
from app.mastery.row import Row
from app.mastery.snapshot import ResultSnapshot, RowKey, Work

__all__ = [
    "BEGIN",
    "FORMAT",
    "BlobError",
    "MalformedBlobError",
    "UnknownFormatError",
    "decode",
    "decode_row",
    "encode",
]

FORMAT: Final = 1
_KEY_FIELDS: Final = len(RowKey._fields)


class BlobError(ValueError):
    """Bytes that are no state of a row."""


class UnknownFormatError(BlobError):
    """The bytes are of another format than this version of the program writes; `format` is its number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"state of format {number}, where {FORMAT} was expected")
        self.format = number


class MalformedBlobError(BlobError):
    """The bytes are cut off or damaged."""


# The fields of Row without those of its key, which come first. A type made at run time.
_Content: Any = tuple.__class_getitem__(
    tuple(field.type for field in msgspec.structs.fields(Row)[_KEY_FIELDS:])
)


class _Stored(msgspec.Struct, array_like=True, gc=False):
    results: list[ResultSnapshot]
    former_works: list[Work]
    row: _Content | None


class _StoredRow(msgspec.Struct, array_like=True, gc=False):
    """As _Stored, where the results do not matter."""

    results: msgspec.Raw
    former_works: msgspec.Raw
    row: _Content | None


_Read = TypeVar("_Read")

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Stored)
_ROW_DECODER: Final = msgspec.msgpack.Decoder(_StoredRow)
_PREFIX: Final = bytes([FORMAT])
#: What the bytes of each row begin with: the format, and MessagePack's word for an array of the three parts.
BEGIN: Final = _PREFIX + b"\x93"


def encode(results: Results, row: Row | None) -> bytes:
    """The bytes of a row's results, and of the row as it was last published."""
    content = None if row is None else msgspec.structs.astuple(row)[_KEY_FIELDS:]
    return _PREFIX + _ENCODER.encode((results.snapshots, results.former_works, content))


def decode(key: RowKey, blob: bytes) -> tuple[Results, Row | None]:
    """What `encode` was given, for the row of `key`. Raises UnknownFormatError or MalformedBlobError."""
    stored = _decoded(blob, _DECODER)
    return Results(stored.results, stored.former_works), _row(key, stored.row)


def decode_row(key: RowKey, blob: bytes) -> Row | None:
    """The row of `decode` alone, faster: its results are passed over. Raises as it does."""
    return _row(key, _decoded(blob, _ROW_DECODER).row)


def _decoded(blob: bytes, decoder: msgspec.msgpack.Decoder[_Read]) -> _Read:
    if not blob:
        raise MalformedBlobError("state of no bytes")
    if blob[0] != FORMAT:
        raise UnknownFormatError(blob[0])
    try:
        return decoder.decode(memoryview(blob)[1:])
    except msgspec.DecodeError:
        # Without the cause: its message may hold what stands in the bytes.
        raise MalformedBlobError("state that is cut off or damaged") from None


def _row(key: RowKey, content: _Content | None) -> Row | None:
    return None if content is None else Row(*key, *content)
