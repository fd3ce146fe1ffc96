"""Avro decoders, generated from the schema, and the decoder of framed records.

Records become plain dicts, as fastavro makes them. A schema that the generated code does not know is left to
fastavro.
"""

import io
import json
import struct
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, Protocol

import fastavro

from app.errors import MasteryError
from app.schemas.decoder_source import decoder_source
from app.schemas.pieces import EPOCH, FIRST_TIME, LAST_TIME
from app.schemas.shape import UnsupportedSchemaError, read_record

__all__ = [
    "AvroDecoder",
    "DecodingError",
    "MalformedRecordError",
    "NotFramedError",
    "UnknownSchemaError",
    "compile_decoder",
]


#: A zero byte and four of schema id.
_FRAMING_BYTES: Final = 5


class _Decode(Protocol):
    def __call__(self, data: bytes, at: int = 0, /) -> Any:
        """The record that begins at `at` in `data`, and ends with it. Raises MalformedRecordError."""


class DecodingError(MasteryError):
    """Bytes can not be decoded."""


class NotFramedError(DecodingError):
    """The bytes do not begin with Confluent's framing: a zero byte and four of schema id."""


class UnknownSchemaError(DecodingError):
    """No schema is known by the id that the bytes name."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(f"no schema is known by the id {schema_id}")
        self.schema_id = schema_id


class MalformedRecordError(DecodingError):
    """The bytes are not a record of the schema: cut off, too long, or made with another one."""


class AvroDecoder:
    """Decodes framed records of the schemas that `schema_by_id` knows; it raises LookupError for others.

    `only` and `plain_times` as `compile_decoder` takes them. What is left to fastavro has all fields, and
    datetimes.
    """

    def __init__(
        self,
        schema_by_id: Callable[[int], dict[str, Any] | str],
        *,
        only: Collection[str] | None = None,
        plain_times: bool = False,
    ) -> None:
        self._schema_by_id = schema_by_id
        self._only = only
        self._plain_times = plain_times
        #: By the framing that they are for.
        self._decoders: dict[bytes, _Decode] = {}

    def decode(self, framed: bytes) -> Any:
        """The record, a dict; timestamps are aware datetimes, or with `plain_times` milliseconds since 1970.

        Raises NotFramedError, UnknownSchemaError or MalformedRecordError, and whatever else `schema_by_id`
        raises.
        """
        framing = framed[:_FRAMING_BYTES]
        decoder = self._decoders.get(framing)
        if decoder is None:
            decoder = self._decoders[framing] = self._decoder(framing)
        return decoder(framed, _FRAMING_BYTES)

    def _decoder(self, framing: bytes) -> _Decode:
        if len(framing) < _FRAMING_BYTES or framing[0] != 0:
            raise NotFramedError("not framed: a record begins with a zero byte and four of schema id")
        schema_id = int.from_bytes(framing[1:], "big")
        try:
            schema = self._schema_by_id(schema_id)
        except LookupError:
            raise UnknownSchemaError(schema_id) from None
        if isinstance(schema, str):
            schema = json.loads(schema)
        try:
            return compile_decoder(schema, only=self._only, plain_times=self._plain_times)
        except UnsupportedSchemaError:
            return _fastavro_decoder(schema)


def compile_decoder(
    schema: Any, *, only: Collection[str] | None = None, plain_times: bool = False
) -> _Decode:
    """A function that decodes a record without framing, to a dict. It raises MalformedRecordError.

    With `only`, it passes over all fields but those (`metadata.event_time`), which takes
    two thirds of the time for 20 of 55. With `plain_times`, timestamps are milliseconds since 1970. Raises
    UnsupportedSchemaError for what `app.schemas.shape` does not know.
    """
    record = read_record(schema)
    source = decoder_source(record, only, plain_times=plain_times)
    names = {
        "BOOLEAN": {0: False, 1: True},
        # By its first byte, the length of a string that is shorter than 64 bytes; -1 where that is not all.
        "LENGTH": [-1 if byte > 0x7F or byte % 2 else byte // 2 for byte in range(256)],
        "double": struct.Struct("<d").unpack_from,
        "failures": (LookupError, ValueError, OverflowError, struct.error),
        "half_milliseconds": _half_milliseconds_function(),
        "long": _long,
        "malformed": _malformed,
        "milliseconds": _milliseconds,
        "size": _size,
        "timestamp": _timestamp_function(),
    }
    exec(compile(source, f"<decoder of {record.name}>", "exec"), names)  # noqa: S102 - our own text, names checked
    decode: _Decode = names["decode"]  # type: ignore[assignment] # made by exec
    return decode


def _fastavro_decoder(schema: Any) -> _Decode:
    parsed = fastavro.parse_schema(schema)

    def decode(data: bytes, at: int = 0) -> Any:
        stream = io.BytesIO(data)
        stream.seek(at)
        try:
            record = fastavro.schemaless_reader(stream, parsed, None)
        except Exception:  # noqa: BLE001 - fastavro raises what its parts raise, and names none of it
            raise _malformed() from None
        if stream.tell() != len(data):
            raise _malformed()
        return record

    return decode


def _malformed() -> MalformedRecordError:
    return MalformedRecordError("not a record of the schema that its framing names")


def _long(data: bytes, at: int) -> tuple[int, int]:
    """A long, and where the next value begins. Of more than 64 bits it is none."""
    number = shift = 0
    while (byte := data[at]) > 0x7F:
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise ValueError
    number |= byte << shift
    if number >> 64:
        raise ValueError
    return (number >> 1) ^ -(number & 1), at + 1


def _size(data: bytes, at: int) -> tuple[int, int]:
    number, at = _long(data, at)
    if number < 0:
        raise ValueError
    return number, at


def _milliseconds(data: bytes, at: int) -> tuple[int, int]:
    """A timestamp of the years that a datetime knows, which is what encoders of this project write."""
    number, at = _long(data, at)
    if not FIRST_TIME <= number <= LAST_TIME:
        raise ValueError
    return number, at


@cache
def _half_milliseconds_function() -> Callable[[bytes, int], int]:
    # What two bytes of a long, read as one number, are worth; and the last two, which end it.
    pairs = {low | 0x80 | (high | 0x80) << 8: low | high << 7 for low in range(128) for high in range(128)}
    last_pairs = {low | 0x80 | high << 8: low | high << 7 for low in range(128) for high in range(1, 128)}
    three_pairs = struct.Struct("<HHH").unpack_from

    def half_milliseconds(data: bytes, at: int) -> int:
        """A timestamp of 1970 to 2039, which has six bytes, twice (zigzag makes it even); 1 for others."""
        try:
            first, second, third = three_pairs(data, at)
            return pairs[first] + (pairs[second] << 14) + (last_pairs[third] << 28)
        except (KeyError, struct.error):
            return 1

    return half_milliseconds


@cache
def _timestamp_function() -> Callable[[bytes, int], tuple[datetime, int]]:
    half_milliseconds = _half_milliseconds_function()

    def timestamp(data: bytes, at: int) -> tuple[datetime, int]:
        """A timestamp, and where the next value begins."""
        doubled = half_milliseconds(data, at)
        # Floats of seconds are exact to the microsecond for these years.
        if not doubled & 1:
            return datetime.fromtimestamp(doubled / 2000, UTC), at + 6
        milliseconds, at = _long(data, at)
        return EPOCH + timedelta(0, 0, 0, milliseconds), at

    return timestamp
