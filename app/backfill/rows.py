"""The rows of a file: CSV, TSV, JSON in all its layouts, Parquet; compressed by gzip or not.

Files are read in pieces, whatever their size. A line that cannot be read is told and the next one is tried;
where there is no way to find the next one, the file ends with that.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast

import msgspec

from app.backfill.errors import BackfillError, Problem
from app.backfill.parquet import parquet_rows
from app.json_stream import EventFileError, json_objects

__all__ = ["BadLine", "Row", "RowFile"]

_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
#: Characters of one field. Longer ones stem from a quote that is never closed.
_LONGEST_FIELD: Final = 16 * 1024 * 1024
_PEEK: Final = 256 * 1024
#: Lines at the beginning of which one must be a whole object, for a file to be JSON lines.
_TRIED_LINES: Final = 10
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Row(NamedTuple):
    """What stands in one line, or one row of Parquet; counted from 1."""

    line: int
    values: Mapping[str, Any]


class BadLine(NamedTuple):
    """A line that is no row."""

    line: int
    problem: Problem
    detail: str
    """What is wrong, without anything of the line."""


@dataclass(slots=True)
class RowFile:
    """A file of rows."""

    path: Path
    _done: Callable[[], int] = lambda: 0

    @property
    def done(self) -> int:
        """How many bytes were read of the file as it lies on disk, while its rows are."""
        return self._done()

    def rows(self) -> Generator[Row | BadLine, None, None]:
        """Yield what stands in it, from the beginning. Raises BackfillError if it cannot be opened."""
        try:
            with self.path.open("rb") as raw:
                begin = raw.read(4)
                raw.seek(0)
                if begin == _PARQUET:
                    yield from self._parquet()
                elif begin[:2] == _GZIP:
                    with gzip.open(raw) as unpacked:
                        yield from self._text(cast("BinaryIO", unpacked), raw)
                else:
                    yield from self._text(raw, raw)
        except OSError as error:
            raise BackfillError(f"{self.path} cannot be read: {error.strerror or error}") from None

    def _parquet(self) -> Iterator[Row | BadLine]:
        size, number, total = self.path.stat().st_size, 0, 1
        self._done = lambda: size * number // total
        for number, total, values in parquet_rows(self.path):  # noqa: B007 - `_done` looks at both
            yield Row(number, _flat(values))

    def _text(self, stream: BinaryIO, raw: BinaryIO) -> Iterator[Row | BadLine]:
        last = 0
        try:
            with BufferedReader(cast("Any", stream), _PEEK) as buffered:
                self._done = lambda: 0 if raw.closed else raw.tell()
                for one in _text_rows(buffered):
                    last = one.line
                    yield one
        except (EOFError, zlib.error, gzip.BadGzipFile):
            yield BadLine(last + 1, Problem.BROKEN_FILE, "the compressed file is damaged or cut off")


def _text_rows(stream: BufferedReader) -> Iterator[Row | BadLine]:
    # A peek may give less than asked for, but of anything but a tiny file enough to tell by.
    begin = stream.peek(_PEEK).removeprefix(_BYTE_ORDER_MARK).lstrip()
    if begin[:1] == b"[" or (begin[:1] == b"{" and not _is_lines(begin)):
        return _json_rows(stream)
    if begin[:1] == b"{":
        return _json_lines(stream)
    text = TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    head = begin.split(b"\n", 1)[0]
    return _tsv_rows(text) if b"\t" in head and b"," not in head else _csv_rows(text)


def _is_lines(begin: bytes) -> bool:
    return any(_object(line) is not None for line in begin.split(b"\n")[:_TRIED_LINES])


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _json_lines(stream: BufferedReader) -> Iterator[Row | BadLine]:
    for number, line in enumerate(stream, 1):
        text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
        if not text.strip():
            continue
        found = _object(text)
        if found is None:
            yield BadLine(number, Problem.BROKEN_ROW, "not a JSON object")
        else:
            yield Row(number, _flat(found))


def _json_rows(stream: BufferedReader) -> Iterator[Row | BadLine]:
    last = 1
    try:
        for number, raw in json_objects(stream, ""):
            last = number
            found = _object(raw)
            if found is None:  # NaN, which Python's parser takes
                yield BadLine(number, Problem.BROKEN_ROW, "not a JSON object")
            else:
                yield Row(number, _flat(found))
    except EventFileError as error:
        place = re.fullmatch(r", line (\d+): (.*)", str(error), re.DOTALL)
        yield BadLine(int(place[1]) if place else last, Problem.BROKEN_FILE, place[2] if place else "JSON")


def _csv_rows(text: TextIOWrapper) -> Iterator[Row | BadLine]:
    csv.field_size_limit(_LONGEST_FIELD)
    with closing(text):
        lines = csv.reader(text)
        names: list[str] | None = None
        while True:
            line = lines.line_num + 1
            try:
                cells = next(lines)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadLine(line, Problem.BROKEN_ROW, str(error))
                continue
            if names is None:
                names = [_plain_name(name) for name in cells]
            elif cells:
                yield _row(line, names, [cell or None for cell in cells])


def _tsv_rows(text: TextIOWrapper) -> Iterator[Row | BadLine]:
    with closing(text):
        names: list[str] | None = None
        for number, line in enumerate(text, 1):
            cells = line.rstrip("\r\n").split("\t")
            if names is None:
                names = [_plain_name(name) for name in cells]
            elif line.strip("\r\n"):
                yield _row(number, names, [_unescaped(cell) for cell in cells])


def _row(line: int, names: list[str], cells: list[str | None]) -> Row | BadLine:
    if len(cells) != len(names):
        return BadLine(line, Problem.BROKEN_ROW, f"{len(cells)} fields where the head names {len(names)}")
    try:
        "".join(filter(None, cells)).encode()
    except UnicodeEncodeError:
        return BadLine(line, Problem.BROKEN_ROW, "this is not UTF-8 text")
    return Row(line, dict(zip(names, cells, strict=True)))


def _unescaped(cell: str) -> str | None:
    """Canvas Data 2 escapes as PostgreSQL's COPY does."""
    if cell == r"\N":
        return None
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), cell) if "\\" in cell else cell


def _plain_name(name: str) -> str:
    """`id` for `key.id` or `value.id`, as Canvas Data 2 heads its columns."""
    return name.strip().removeprefix("key.").removeprefix("value.")


def _flat(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fields beside each other that Canvas Data 2 puts into `key`, `value` and `meta`."""
    key, value, meta = (values.get(name) for name in ("key", "value", "meta"))
    if isinstance(key, dict) and isinstance(value, dict | None) and isinstance(meta, dict | None):
        return {**key, **(value or {}), **{f"meta.{name}": one for name, one in (meta or {}).items()}}
    if any(name.startswith(("key.", "value.")) for name in values):
        return {_plain_name(name): value for name, value in values.items()}
    return values
