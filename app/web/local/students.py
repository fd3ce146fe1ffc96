"""One student: what the state's files hold, explained."""

from typing import NamedTuple

from app.mastery import blob
from app.mastery.results import Results
from app.mastery.row import Row
from app.mastery.snapshot import RowKey
from app.partitioner import partition_of
from app.state.errors import StateUnavailable
from app.topics import load_catalogue
from app.views.answers import Scope
from app.web.cluster.members import membership_of
from app.web.local.ground import Ground
from app.web.local.state_files import StateReaders
from app.web.local.student_outcome import shown_outcome
from app.web.models.mastery import StudentAnswer, StudentOutcome
from app.web.searches import scope_of
from app.web.security.viewer import Viewer

__all__ = ["Students"]

#: Rows read of one student in a root account: outcomes, of which an institution has some thousands.
_MOST = 10_000


class _Stored(NamedTuple):
    results: Results
    row: Row

    @property
    def place(self) -> tuple[bool, str, int, str]:
        """By title in any case, then by id."""
        title, outcome = self.row.outcome_title, self.row.learning_outcome_id
        return title is None, (title or "").casefold(), len(outcome), outcome


class Students:
    """Answers about single students, from the worker's own partitions."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        changelog = load_catalogue(ground.settings).topics[ground.settings.changelog_topic]
        self._declared = changelog.partitions
        self._readers = StateReaders(ground.settings.rows_folder)

    async def one(self, viewer: Viewer, user: str, account: str | None) -> StudentAnswer:
        """All of a student, by root account and outcome.

        With the root account, the rows are read from the one partition that has them; without, the views say
        where there are any. Raises NotFound, and NotReady where what is not there may yet come.
        """
        ground = self._ground
        fresh = ground.freshness()
        if account is None:
            outcomes = await ground.run(self._of_all_accounts, user, scope_of(viewer))
        else:
            outcomes = await ground.run(self._of_account, user, account)
        seen = tuple(one for one in outcomes if viewer.sees_account(one.root_account_uuid))
        if not seen:
            raise ground.not_found(
                "no student of this id has a result", hint="/mastery searches all students"
            )
        return StudentAnswer(freshness=fresh, user_uuid=user, outcomes=seen)

    def let_go(self) -> None:
        """Close the files of partitions that the worker has no longer."""
        self._readers.keep(self._ground.owned())

    def partition_of(self, account: str, user: str) -> int:
        """The partition of a student's rows: as the typed results are placed."""
        report, topic = self._ground.report(), self._ground.settings.result_topics[0]
        # Kafka knows best how many there are; settings do before the first assignment.
        assigned = 0 if report is None else membership_of(report.group, topic).count
        return partition_of(f"{account}:{user}".encode(errors="replace"), assigned or self._declared)

    def _of_all_accounts(self, user: str, scope: Scope) -> tuple[StudentOutcome, ...]:
        """Of the root accounts that the views know rows in."""
        keys = self._ground.views.keys_of_user(user, scope)
        if not keys:
            self._ground.require_views()
        accounts = sorted({key.root_account_uuid for key in keys})
        return tuple(one for account in accounts for one in self._of_account(user, account))

    def _of_account(self, user: str, account: str) -> tuple[StudentOutcome, ...]:
        partition = self.partition_of(account, user)
        self._ground.require_rows(partition)
        prefix = f"{account}:{user}:".encode(errors="replace")
        with self._readers.of(partition) as reader:
            found = reader.scan(prefix=prefix, after=prefix, limit=_MOST)
        stored = [one for key, value in found if (one := _decoded(key, prefix, account, user, value))]
        stored.sort(key=lambda one: one.place)
        lookup = self._ground.definitions.lookup()
        return tuple(shown_outcome(one.results, one.row, lookup) for one in stored)


def _decoded(key: bytes, prefix: bytes, account: str, user: str, value: bytes) -> _Stored | None:
    if not key.startswith(prefix):
        return None
    named = RowKey(account, user, key[len(prefix) :].decode(errors="replace"))
    try:
        results, row = blob.decode(named, value)
    except blob.BlobError:
        raise StateUnavailable("a row is of another version of the program") from None
    return None if row is None else _Stored(results, row)
