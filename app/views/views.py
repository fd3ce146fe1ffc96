"""The read model as a whole: built in a thread of its own, asked from any other."""

from collections import Counter
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from app.mastery.snapshot import RowKey
from app.settings import Settings
from app.views.answers import (
    EVERYTHING,
    Change,
    Counts,
    CourseGrid,
    CourseStats,
    Line,
    Listener,
    OutcomeScore,
    OutcomeStats,
    Page,
    PartitionView,
    Scope,
    Search,
)

__all__ = ["Views"]


class Views:
    """Rows of the partitions that this worker owns, in SQLite files below `<state_dir>/views`.

    Questions may come from any threads, block, and end within `time_limit` seconds. They are answered from
    the partitions that are ready: `states` says which those are.

    Raises, from every question:
        QueryTooSlow: it took longer than the limit.
        CursorUnfit: a cursor of another list.
        ViewUnavailable: the disk fails.
    """

    def __init__(
        self, settings: Settings, *, share: Callable[[], float] = lambda: 1.0, time_limit: float = 2.0
    ) -> None:
        """`share` says which part of a core the builder may take at the moment: 1.0 for all it needs."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to build, in a thread."""
        raise NotImplementedError

    def close(self) -> None:
        """End the thread, and let the files go."""
        raise NotImplementedError

    def own(self, partitions: Collection[int]) -> None:
        """Hold these partitions and no others, from now on. Does not block."""
        raise NotImplementedError

    def states(self) -> dict[int, PartitionView]:
        """How far each owned partition is."""
        raise NotImplementedError

    @property
    def error(self) -> str | None:
        """Why nothing is built at the moment, such as no broker; None when all is well."""
        raise NotImplementedError

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell of changes from now on, at most some hundred at a time; return what ends it."""
        raise NotImplementedError

    def search(self, search: Search, scope: Scope = EVERYTHING) -> Page[Line]:
        """Lines, by cursor."""
        raise NotImplementedError

    def keys_of_user(self, user: str, scope: Scope = EVERYTHING) -> list[RowKey]:
        """Keys of a student's rows with a line in scope, by account and outcome; [] if there are none."""
        raise NotImplementedError

    def outcomes(
        self,
        text: str | None = None,
        account: str | None = None,
        scope: Scope = EVERYTHING,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[OutcomeStats]:
        """Outcomes with rows, by title, then id, then account; `text` as in Search.outcome."""
        raise NotImplementedError

    def outcome(
        self, outcome_id: str, account: str | None = None, scope: Scope = EVERYTHING
    ) -> list[OutcomeStats]:
        """An outcome's numbers, one for each root account that has rows of it."""
        raise NotImplementedError

    def outcome_scores(
        self, account: str, outcome_id: str, scope: Scope = EVERYTHING
    ) -> Counter[OutcomeScore]:
        """How many students have which score, those without one too; counted as in OutcomeStats."""
        raise NotImplementedError

    def outcome_courses(
        self, account: str, outcome_id: str, scope: Scope = EVERYTHING, *, limit: int = 100
    ) -> list[str]:
        """Ids of courses with lines of an outcome."""
        raise NotImplementedError

    def near_mastery(
        self, account: str, outcome_id: str, scope: Scope = EVERYTHING, *, limit: int = 20
    ) -> list[Line]:
        """Lines of the highest course scores that are not mastery, the highest first."""
        raise NotImplementedError

    def courses(
        self,
        account: str | None = None,
        scope: Scope = EVERYTHING,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[CourseStats]:
        """Courses with lines, by root account and id."""
        raise NotImplementedError

    def course(
        self, course_id: str, account: str | None = None, scope: Scope = EVERYTHING
    ) -> list[CourseStats]:
        """A course's numbers, one for each root account that has lines of it."""
        raise NotImplementedError

    def course_grid(
        self,
        account: str,
        course_id: str,
        scope: Scope = EVERYTHING,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> CourseGrid | None:
        """Students of a course with their lines, `limit` students at a time; None without any."""
        raise NotImplementedError

    def recent_changes(self, limit: int = 50, scope: Scope = EVERYTHING) -> list[Change]:
        """Rows that changed last, the newest first; of each partition at most the last hundred."""
        raise NotImplementedError

    def counts(self) -> Counts:
        """How many rows, students and outcomes there are."""
        raise NotImplementedError
