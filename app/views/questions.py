"""The questions that views answer, from the partitions that are ready."""

from collections import Counter

from app.mastery.snapshot import RowKey
from app.views import courses, outcomes, students
from app.views.answers import (
    EVERYTHING,
    Change,
    Counts,
    CourseGrid,
    CourseStats,
    Line,
    OutcomeScore,
    OutcomeStats,
    Page,
    Scope,
    Search,
)
from app.views.files import ViewFiles
from app.views.search import search_lines

__all__ = ["Questions"]


class Questions:
    """Questions about files that are ready; from any threads. They block, for `time_limit` seconds at most.

    Raises, from every question:
        QueryTooSlow: it took longer than the limit.
        CursorUnfit: a cursor of another list.
        ViewUnavailable: the disk fails.
    """

    def __init__(self, files: ViewFiles, time_limit: float) -> None:
        self._files = files
        self._time_limit = time_limit

    def search(self, search: Search, scope: Scope = EVERYTHING) -> Page[Line]:
        """Lines, by cursor."""
        with self._files.reading(self._time_limit) as readers:
            return search_lines(readers, search, scope)

    def keys_of_user(self, user: str, scope: Scope = EVERYTHING) -> list[RowKey]:
        """Keys of a student's rows with a line in scope, by account and outcome; [] if there are none."""
        with self._files.reading(self._time_limit) as readers:
            return students.keys_of_user(readers, user, scope)

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
        with self._files.reading(self._time_limit) as readers:
            return outcomes.list_outcomes(readers, text, account, scope, cursor, limit)

    def outcome(
        self, outcome_id: str, account: str | None = None, scope: Scope = EVERYTHING
    ) -> list[OutcomeStats]:
        """An outcome's numbers, one for each root account that has rows of it."""
        with self._files.reading(self._time_limit) as readers:
            return outcomes.outcome_stats(readers, outcome_id, account, scope)

    def outcome_scores(
        self, account: str, outcome_id: str, scope: Scope = EVERYTHING
    ) -> Counter[OutcomeScore]:
        """How many students have which score, those without one too; counted as in OutcomeStats."""
        with self._files.reading(self._time_limit) as readers:
            return outcomes.outcome_scores(readers, account, outcome_id, scope)

    def outcome_courses(
        self, account: str, outcome_id: str, scope: Scope = EVERYTHING, *, limit: int = 100
    ) -> list[str]:
        """Ids of courses with lines of an outcome."""
        with self._files.reading(self._time_limit) as readers:
            return outcomes.outcome_courses(readers, account, outcome_id, scope, limit)

    def near_mastery(
        self, account: str, outcome_id: str, scope: Scope = EVERYTHING, *, limit: int = 20
    ) -> list[Line]:
        """Lines of the highest course scores that are not mastery, the highest first."""
        with self._files.reading(self._time_limit) as readers:
            return outcomes.near_mastery(readers, account, outcome_id, scope, limit)

    def courses(
        self,
        account: str | None = None,
        scope: Scope = EVERYTHING,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[CourseStats]:
        """Courses with lines, by root account and id."""
        with self._files.reading(self._time_limit) as readers:
            return courses.list_courses(readers, account, scope, cursor, limit)

    def course(
        self, course_id: str, account: str | None = None, scope: Scope = EVERYTHING
    ) -> list[CourseStats]:
        """A course's numbers, one for each root account that has lines of it."""
        with self._files.reading(self._time_limit) as readers:
            return courses.course_stats(readers, course_id, account, scope)

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
        with self._files.reading(self._time_limit) as readers:
            return courses.course_grid(readers, account, course_id, scope, cursor, limit)

    def recent_changes(self, limit: int = 50, scope: Scope = EVERYTHING) -> list[Change]:
        """Rows that changed last, the newest first; of each partition at most the last hundred."""
        with self._files.reading(self._time_limit) as readers:
            return students.recent_changes(readers, limit, scope)

    def counts(self) -> Counts:
        """How many rows, students and outcomes there are."""
        with self._files.reading(self._time_limit) as readers:
            return students.count_rows(readers)
