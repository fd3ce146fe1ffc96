"""Cursors of lists, by value: they hold across partitions, workers and rebalances.

A cursor says "after this" or "before this", where this is the sort key of a row, and is bound to the list,
its order and its filters. It holds nothing that the page it came with does not show.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, replace
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from app.views.answers import Order, Page, Search
from app.views.errors import CursorUnfit

__all__ = ["Cursor", "bound_to", "decode", "encode", "fold", "line_key", "page", "search_binding"]

_T = TypeVar("_T")

_BINDING_BYTES = 6

#: SQLite's integers end there; no number of a cursor comes near.
_MOST = 2**62


class Cursor(NamedTuple):
    """A place in a list: just after, or just before, what has this key."""

    key: tuple[Any, ...]
    before: bool


def fold(text: str) -> str:
    """Text as it is compared in any case."""
    return text.casefold()


def line_key(order: Order, line: Any) -> tuple[Any, ...]:
    """Return what lines are sorted by; for an order with `-`, sort with `reverse=True`.

    `line` is a Line, or a MasteryRow of app.web.models: the fields have the same names.

    Two different lines never have the same key. The first part tells lines without a value from others.
    """
    outcome, course = line.learning_outcome_id, line.course_id or ""
    ids = (line.user_uuid, line.root_account_uuid, len(outcome), outcome, len(course), course)
    if order is Order.STUDENT:
        return (0, *ids)
    if order is Order.OUTCOME:
        missing, title = line.outcome_title is None, fold(line.outcome_title or "")
        return (int(missing), title, len(outcome), outcome, line.root_account_uuid, line.user_uuid, *ids[4:])
    value: float | None = line.score
    if order in {Order.ASSESSED, Order.ASSESSED_DOWN}:
        at = line.last_assessed_at
        value = None if at is None else round(at * 1000)
    return (int((value is None) is not order.value.startswith("-")), value or 0, *ids)


def search_binding(search: Search) -> str:
    """What a cursor of this search is bound to."""
    return bound_to("lines", *astuple(replace(search, cursor=None, limit=0)))


def bound_to(*parts: object) -> str:
    """Return a short name of a list and what it was asked with."""
    return blake2b(json.dumps(parts).encode(), digest_size=_BINDING_BYTES).hexdigest()


def encode(cursor: Cursor, binding: str) -> str:
    """Return a cursor as text for an address."""
    text = json.dumps([binding, int(cursor.before), *cursor.key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str, binding: str, like: Sequence[type]) -> Cursor:
    """Return the cursor; its key has to have parts of these types. Raises CursorUnfit."""
    try:
        found = json.loads(base64.b64decode(text.encode() + b"=" * (-len(text) % 4), b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise CursorUnfit("the cursor cannot be read") from None
    if not isinstance(found, list) or len(found) != 2 + len(like) or found[0] != binding:
        raise CursorUnfit("the cursor belongs to another list", hint="begin at its first page")
    before, *key = found[1:]
    if before not in (0, 1) or not all(_fits(part, kind) for part, kind in zip(key, like, strict=True)):
        raise CursorUnfit("the cursor cannot be read")
    return Cursor(tuple(key), bool(before))


def page(
    found: Iterable[_T], key: Callable[[_T], tuple[Any, ...]], limit: int, cursor: Cursor | None, binding: str
) -> Page[_T]:
    """Take a page of what comes after the cursor, or before it (then backwards), and its cursors."""
    some = list(islice(found, limit + 1))
    more, rows = len(some) > limit, some[:limit]
    before = cursor is not None and cursor.before
    if before:
        rows.reverse()
    has_next, has_previous = (True, more) if before else (more, cursor is not None)
    return Page(
        tuple(rows),
        encode(Cursor(key(rows[-1]), before=False), binding) if rows and has_next else None,
        encode(Cursor(key(rows[0]), before=True), binding) if rows and has_previous else None,
    )


def _fits(part: object, kind: type) -> bool:
    if kind is str:
        return isinstance(part, str)
    return isinstance(part, (int, float) if kind is float else int) and -_MOST < part < _MOST
