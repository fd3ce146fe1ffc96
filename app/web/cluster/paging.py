"""One page of a list out of the pages that several workers have of it."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from app.views.answers import Page
from app.views.cursor import Cursor, encode

__all__ = ["Part", "merge_pages"]

R = TypeVar("R")


class Part(NamedTuple, Generic[R]):
    """A worker's page of a list, asked for with the same cursor and limit as the others'."""

    rows: Sequence[R]
    next: str | None
    previous: str | None


def merge_pages(
    parts: Iterable[Part[R]],
    *,
    key: Callable[[R], tuple[Any, ...]],
    binding: str,
    cursor: str | None,
    limit: int,
    reverse: bool = False,
    joined: Callable[[Iterable[R]], Iterable[R]] = lambda rows: rows,
) -> Page[R]:
    """Return the page that one worker with all rows would have; `key` and `binding` as in app.views.

    Each part is the beginning of what its worker has (the end, for a cursor that goes back), so the first
    `limit` of all are among them, and of those nothing lacks. `joined` adds up rows that several workers
    have.
    """
    pages = list(parts)
    rows = sorted(joined(row for part in pages for row in part.rows), key=key, reverse=reverse)
    before = cursor is not None and _goes_back(cursor)
    kept = rows[-limit:] if before else rows[:limit]
    more = len(rows) > limit or any(part.previous if before else part.next for part in pages)
    has_next, has_previous = (True, more) if before else (more, cursor is not None)
    return Page(
        tuple(kept),
        encode(Cursor(key(kept[-1]), before=False), binding) if kept and has_next else None,
        encode(Cursor(key(kept[0]), before=True), binding) if kept and has_previous else None,
    )


def _goes_back(cursor: str) -> bool:
    """Whether it is of what comes before. The workers have read it: here it is known to be a cursor."""
    try:
        return bool(json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[1])
    except (binascii.Error, ValueError, LookupError, TypeError):
        return False
