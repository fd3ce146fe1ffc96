"""The list of outcomes: those that have rows, from the views, and those that have a definition alone."""

from collections.abc import Iterator
from heapq import merge
from typing import Final, NamedTuple

from app.definitions.lookup import Lookup
from app.views.answers import OutcomeStats, Page, Scope
from app.views.cursor import Cursor, bound_to, decode, fold, page
from app.views.outcomes import stats_key
from app.views.views import Views

__all__ = ["list_outcomes"]

#: Types of the parts of `stats_key`.
_KEY: Final = (int, str, int, str, str)


def list_outcomes(
    views: Views,
    lookup: Lookup,
    scope: Scope,
    *,
    text: str | None,
    account: str | None,
    cursor: str | None,
    limit: int,
) -> Page[OutcomeStats]:
    """Return a page in the order of `stats_key`, with the cursors of `Views.outcomes`. Raises CursorUnfit."""
    # One more than shown, so that it is known whether any are left.
    with_rows = views.outcomes(text, account, scope, cursor=cursor, limit=limit + 1)
    binding = bound_to("outcomes", text, account)
    start = None if cursor is None else decode(cursor, binding, _KEY)
    down = start is not None and start.before
    rows = reversed(with_rows.rows) if down else iter(with_rows.rows)
    alone = _alone(views, lookup, scope, _Wanted(text, account, start))
    return page(merge(rows, alone, key=stats_key, reverse=down), stats_key, limit, start, binding)


class _Wanted(NamedTuple):
    text: str | None
    account: str | None
    start: Cursor | None


def _alone(views: Views, lookup: Lookup, scope: Scope, wanted: _Wanted) -> Iterator[OutcomeStats]:
    """Outcomes without rows, from where the page starts on."""
    text, start = wanted.text, wanted.start
    found = [
        OutcomeStats(one.root_account_uuid, one.learning_outcome_id, one.title, 0, 0, 0, 0.0)
        for one in lookup.outcomes()
        if wanted.account in (None, one.root_account_uuid)
        and (scope.accounts is None or one.root_account_uuid in scope.accounts)
        and (text is None or text == one.learning_outcome_id or fold(text) in fold(one.title))
    ]
    down = start is not None and start.before
    found.sort(key=stats_key, reverse=down)
    for one in found:
        key = stats_key(one)
        if start is not None and (key >= start.key if down else key <= start.key):
            continue
        # What has rows stands where their title says.
        if not views.outcome(one.learning_outcome_id, one.root_account_uuid, scope):
            yield one
