"""When the newest event of each kind and root account was sent: what tells that Canvas fell silent."""

from collections.abc import Mapping

from app.stream.batch import NewestTimes

__all__ = ["MOST_ACCOUNTS", "OTHER_ACCOUNTS", "UNNAMED_ACCOUNT", "LastEvents"]

MOST_ACCOUNTS = 200
"""Root accounts that are told apart, first come first served: a series for each and event is 2,400."""

OTHER_ACCOUNTS = "other"
"""Stands for all root accounts beyond those."""

UNNAMED_ACCOUNT = "-"
"""Stands for events that name no root account, as in the keys of records."""

#: Characters. Canvas's identifiers have 40; whatever is longer is none, and no fit name of a series.
_LONGEST = 64


class LastEvents:
    """The newest event time by event name and root account. Not thread-safe."""

    def __init__(self) -> None:
        self._accounts: set[str] = set()
        self._times: dict[tuple[str, str], float] = {}

    def note(self, newest: NewestTimes, now: float) -> None:
        """Take over what is newer. A time after `now` counts as now: it would hide a silence until then."""
        for (event_name, root_account), time in newest.items():
            source = event_name, self._label(root_account)
            seconds = min(time.timestamp(), now)
            self._times[source] = max(seconds, self._times.get(source, seconds))

    def times(self) -> Mapping[tuple[str, str], float]:
        """Return a copy: seconds since the epoch by event name and root account."""
        return dict(self._times)

    def _label(self, root_account: str | None) -> str:
        if not root_account:
            return UNNAMED_ACCOUNT
        if root_account in self._accounts:
            return root_account
        if len(self._accounts) == MOST_ACCOUNTS or len(root_account) > _LONGEST:
            return OTHER_ACCOUNTS
        self._accounts.add(root_account)
        return root_account
