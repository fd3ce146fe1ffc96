"""Records of the raw topic in a file, one a line, whatever they hold: broken ones too, byte for byte.

A record is written as its bytes and a line feed; an empty line is a record without a value (null). Records
that are empty, or that hold a line feed, have no line; JSON needs neither.
"""

from collections.abc import Iterator
from typing import BinaryIO

from app.json_stream import MAX_EVENT_BYTES, EventFileError

__all__ = ["raw_lines", "to_line"]


def raw_lines(stream: BinaryIO, name: str) -> Iterator[bytes | None]:
    """Yield the records in `stream`; `name` stands in errors.

    Raises EventFileError at a line that is longer than any broker would take.
    """
    number = 0
    while line := stream.readline(MAX_EVENT_BYTES):
        number += 1
        if len(line) == MAX_EVENT_BYTES and not line.endswith(b"\n"):
            raise EventFileError(f"{name}, line {number}: longer than {MAX_EVENT_BYTES} bytes")
        yield line.removesuffix(b"\n") or None


def to_line(raw: bytes | None) -> bytes:
    """Return the line of a record. Raises ValueError for one that has none."""
    if raw is None:
        return b"\n"
    if not raw or b"\n" in raw:
        raise ValueError("an empty record, or one with a line feed, has no line")
    return raw + b"\n"
