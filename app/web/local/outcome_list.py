"""The list of outcomes: those that have rows, from the views, and those that have a definition alone."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import Any, Final, NamedTuple

from app.definitions.reader import DefinitionReader
from app.views.answers import OutcomeStats, Page, Scope
from app.views.cursor import Cursor, bound_to, decode, fold, page
from app.views.outcomes import stats_key
from app.views.views import Views

__all__ = ["OutcomeDirectory"]

#: Types of the parts of `stats_key`.
_KEY: Final = (int, str, int, str, str)

_Entry = tuple[tuple[Any, ...], OutcomeStats]
"""An outcome with a definition, with what it is sorted by first; its numbers are 0."""


class _Wanted(NamedTuple):
    text: str | None
    account: str | None
    start: Cursor | None
    limit: int

    @property
    def down(self) -> bool:
        """Whether the page is read from its end on."""
        return self.start is not None and self.start.before


class OutcomeDirectory:
    """Lists outcomes by title. For any threads."""

    def __init__(self, views: Views, definitions: DefinitionReader) -> None:
        self._views = views
        self._definitions = definitions
        #: What is known, in order, and the version of the definitions that it is of.
        self._known: tuple[int, Sequence[_Entry]] = (-1, ())

    def page(
        self, scope: Scope, *, text: str | None, account: str | None, cursor: str | None, limit: int
    ) -> Page[OutcomeStats]:
        """Return a page, in the order and with the cursors of `Views.outcomes`. Raises CursorUnfit."""
        # One more than shown, so that it is known whether any are left.
        with_rows = self._views.outcomes(text, account, scope, cursor=cursor, limit=limit + 1).rows
        binding = bound_to("outcomes", text, account)
        start = None if cursor is None else decode(cursor, binding, _KEY)
        wanted = _Wanted(text, account, start, limit)
        rows = reversed(with_rows) if wanted.down else iter(with_rows)
        alone = self._alone(scope, wanted, with_rows)
        return page(merge(rows, alone, key=stats_key, reverse=wanted.down), stats_key, limit, start, binding)

    def _alone(
        self, scope: Scope, wanted: _Wanted, with_rows: Sequence[OutcomeStats]
    ) -> Iterator[OutcomeStats]:
        """Outcomes without rows, from where the page starts to where its rows end."""
        listed = {one[:2] for one in with_rows}
        for _, one in self._between(wanted, with_rows):
            account, outcome, title, *_ = one
            if (
                wanted.account in (None, account)
                and (scope.accounts is None or account in scope.accounts)
                and (wanted.text in (None, outcome) or fold(wanted.text or "") in fold(title or ""))
                and (account, outcome) not in listed
                # Its rows may have had another title until a moment ago: it stands where that says.
                and not self._views.outcome(outcome, account, scope)
            ):
                yield one

    def _between(self, wanted: _Wanted, with_rows: Sequence[OutcomeStats]) -> Iterator[_Entry]:
        known = self._sorted()
        first, last = 0, len(known)
        full = len(with_rows) > wanted.limit
        key = itemgetter(0)
        if wanted.down and wanted.start is not None:
            last = bisect_left(known, wanted.start.key, key=key)
            first = bisect_left(known, stats_key(with_rows[0]), key=key) if full else 0
            return (known[place] for place in range(last - 1, first - 1, -1))
        if wanted.start is not None:
            first = bisect_right(known, wanted.start.key, key=key)
        if full:
            last = bisect_right(known, stats_key(with_rows[-1]), key=key)
        return (known[place] for place in range(first, last))

    def _sorted(self) -> Sequence[_Entry]:
        lookup, version = self._definitions.lookup(), self._definitions.version
        if self._known[0] != version:
            found = [
                OutcomeStats(one.root_account_uuid, one.learning_outcome_id, one.title, 0, 0, 0, 0.0)
                for one in lookup.outcomes()
            ]
            self._known = version, sorted(((stats_key(one), one) for one in found), key=itemgetter(0))
        return self._known[1]
