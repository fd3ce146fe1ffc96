"""Take a file of events apart: JSON lines, a JSON array, or JSON objects one after another, pretty or not.

Each event comes out as the very bytes that stand in the file, so that what is sent is what was given. A file
is read in pieces: neither its size nor its number of lines matters, only its largest event.
"""

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from app.errors import MasteryError

__all__ = ["EventFileError", "json_events", "json_objects"]

CHUNK_BYTES = 1024 * 1024
# A bracket that is never closed must not pull the rest of a large file into memory. No broker takes so much.
MAX_EVENT_BYTES = 64 * 1024 * 1024

# All up to the next bracket that is not inside a string. The possessive quantifiers keep a broken text from
# costing more than one pass.
_NEXT_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)
_NO_SPACE = re.compile(rb"[^ \t\r\n]")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventFileError(MasteryError):
    """The file holds something else than JSON objects. The message names file and line, no content."""


def json_events(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the bytes of each JSON object in `stream`; `name` stands in errors.

    Raises EventFileError at the first place that is not a JSON object; what came before has been yielded.
    """
    return (raw for _, raw in _Splitter(stream, name).events())


def json_objects(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield each JSON object with the number of the line it begins on; arrays may hold arrays.

    That is what `jq -s` makes of the pages of a list. Otherwise as `json_events`.
    """
    return _Splitter(stream, name, nested=True).events()


class _Splitter:
    """Reads pieces into a buffer and cuts values out of it. `_at` is where the next one is looked for."""

    def __init__(self, stream: BinaryIO, name: str, *, nested: bool = False) -> None:
        self._stream = stream
        self._name = name
        self._nested = nested
        self._buffer = b""
        self._at = 0
        self._line = 1

    def events(self) -> Iterator[tuple[int, bytes]]:
        """See `json_objects`."""
        self._more()
        if self._buffer.startswith(_BYTE_ORDER_MARK):
            self._at = len(_BYTE_ORDER_MARK)
        while (first := self._next_byte()) is not None:
            if first == b"[":
                yield from self._array()
            else:
                yield self._line, self._object()

    def _array(self, *, inner: bool = False) -> Iterator[tuple[int, bytes]]:
        """Yield the elements of the array that begins here, and move behind its `]`."""
        self._move(self._at + 1)
        following = self._next_byte()
        while following != b"]":
            # Once more: after a comma it is not what was seen before.
            if self._next_byte() == b"[" and self._nested and not inner:
                yield from self._array(inner=True)
            else:
                yield self._line, self._object()
            following = self._next_byte()
            if following not in {b",", b"]"}:
                raise self._error("a comma or a closing bracket is missing after the event before")
            if following == b",":
                self._move(self._at + 1)
        self._move(self._at + 1)

    def _object(self) -> bytes:
        """Cut out the next object, checked."""
        if (first := self._next_byte()) != b"{":
            wrong = "the file ends too early" if first is None else "an event is a JSON object, this is none"
            raise self._error(wrong)
        depth, length = 0, 0
        while True:
            match = _NEXT_BRACKET.match(self._buffer, self._at + length)
            if match is None:
                size = len(self._buffer) - self._at
                if size > MAX_EVENT_BYTES or not self._more():
                    self._check(self._buffer[self._at :])
                    raise self._error("the file ends too early")
                continue
            length = match.end() - self._at
            depth += 1 if match[1] in b"{[" else -1
            if depth == 0:
                break
        raw = self._buffer[self._at : self._at + length]
        self._check(raw)
        self._move(self._at + length)
        return raw

    def _check(self, raw: bytes) -> None:
        """Refuse what is no JSON. What Python's parser takes may pass (NaN, for one)."""
        try:
            msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            try:
                json.loads(raw.decode())
            except UnicodeDecodeError as error:
                raise self._error("this is not UTF-8 text", raw.count(b"\n", 0, error.start)) from None
            except json.JSONDecodeError as error:
                reason = f"broken JSON: {error.msg.lower()} (column {error.colno})"
                raise self._error(reason, error.lineno - 1) from None
        except RecursionError:
            raise self._error("nested too deeply") from None

    def _next_byte(self) -> bytes | None:
        """Skip white space; return the byte that follows, or None at the end of the file."""
        while True:
            match = _NO_SPACE.search(self._buffer, self._at)
            self._move(match.start() if match else len(self._buffer))
            if match:
                return match[0]
            if not self._more():
                return None

    def _more(self) -> bool:
        """Read another piece, forgetting what is behind us; False at the end of the file."""
        piece = self._stream.read(CHUNK_BYTES)
        self._buffer = self._buffer[self._at :] + piece
        self._at = 0
        return bool(piece)

    def _move(self, position: int) -> None:
        self._line += self._buffer.count(b"\n", self._at, position)
        self._at = position

    def _error(self, reason: str, lines_below: int = 0) -> EventFileError:
        return EventFileError(f"{self._name}, line {self._line + lines_below}: {reason}")
