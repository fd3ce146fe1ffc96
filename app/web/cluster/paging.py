"""One page of a list out of the pages that several workers have of it."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from app.views.cursor import Cursor, encode

__all__ = ["MergedPage", "merge_pages"]

R = TypeVar("R")


class MergedPage(NamedTuple, Generic[R]):
    """Rows in order, and the cursors of what comes after and before them."""

    rows: tuple[R, ...]
    next: str | None
    previous: str | None


class _Part(NamedTuple, Generic[R]):
    rows: Sequence[R]
    next: str | None
    previous: str | None


def merge_pages(
    parts: Iterable[tuple[Sequence[R], str | None, str | None]],
    *,
    key: Callable[[R], tuple[Any, ...]],
    binding: str,
    cursor: str | None,
    limit: int,
    reverse: bool = False,
) -> MergedPage[R]:
    """Merge pages: (rows, next, previous) of each worker, all asked with this cursor and limit.

    Each part is the beginning (the end, for a cursor that goes back) of what the worker has, so the first
    `limit` of all are among them. Rows that several workers have are to be added up before: they have the
    same key, and are one row here.
    """
    pages = [_Part(*part) for part in parts]
    rows = sorted((row for part in pages for row in part.rows), key=key, reverse=reverse)
    before = cursor is not None and _goes_back(cursor)
    kept = rows[-limit:] if before else rows[:limit]
    cut = len(rows) > len(kept)
    more_after = any(part.next for part in pages) or (cut and not before)
    more_before = any(part.previous for part in pages) or (cut and before)

    def at(row: R, *, before: bool) -> str:
        return encode(Cursor(key(row), before), binding)

    return MergedPage(
        tuple(kept),
        at(kept[-1], before=False) if kept and more_after else None,
        at(kept[0], before=True) if kept and more_before else None,
    )


def _goes_back(cursor: str) -> bool:
    """Whether it is of what comes before. The workers have read it: here it is known to be one."""
    try:
        return bool(json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[1])
    except (binascii.Error, ValueError, LookupError, TypeError):
        return False
