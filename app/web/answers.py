"""What the API and the pages ask of the state: one method for each kind of answer."""

from collections.abc import AsyncIterator
from typing import Protocol

from app.web.models.groups import CourseAnswer, CourseList, OutcomeAnswer, OutcomeList
from app.web.models.mastery import MasteryPage, MasteryQuery, StudentAnswer
from app.web.models.stream import (
    Change,
    DeadLetterAnswer,
    DeadLetterPage,
    DeadLetterQuery,
    Overview,
    StatusAnswer,
    TopicAnswer,
    TopicList,
)
from app.web.security.viewer import Viewer

__all__ = ["Answers", "Changes"]


class Answers(Protocol):
    """Answers within what `viewer` may see. `local`: from this worker's own partitions alone.

    Raises the problems of app.web.problems: NotFound, BadParameter, NotReady (503 with progress), Forbidden.
    """

    async def overview(self, viewer: Viewer, *, local: bool = False) -> Overview:
        """What needs attention, and the flow."""
        ...

    async def mastery(self, viewer: Viewer, query: MasteryQuery, *, local: bool = False) -> MasteryPage:
        """Rows, one for each student, outcome and course."""
        ...

    async def student(
        self, viewer: Viewer, user_uuid: str, account: str | None = None, *, local: bool = False
    ) -> StudentAnswer:
        """All of one student; NotFound without a row."""
        ...

    async def outcomes(
        self,
        viewer: Viewer,
        text: str | None = None,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,
    ) -> OutcomeList:
        """Outcomes with rows or a definition, `text` in the title or equal to the id."""
        ...

    async def outcome(
        self, viewer: Viewer, outcome_id: str, account: str | None = None, *, local: bool = False
    ) -> OutcomeAnswer:
        """One outcome; without `account` there must be one root account that has it."""
        ...

    async def courses(
        self,
        viewer: Viewer,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,
    ) -> CourseList:
        """Courses with rows."""
        ...

    async def course(
        self,
        viewer: Viewer,
        course_id: str,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,
    ) -> CourseAnswer:
        """One course: students by outcomes, `limit` students at a time."""
        ...

    async def dead_letters(self, viewer: Viewer, query: DeadLetterQuery) -> DeadLetterPage:
        """Dead letters and their counts."""
        ...

    async def dead_letter(self, viewer: Viewer, partition: int, offset: int) -> DeadLetterAnswer:
        """One dead letter."""
        ...

    async def topics(self, viewer: Viewer) -> TopicList:
        """The catalogue."""
        ...

    async def topic(self, viewer: Viewer, name: str) -> TopicAnswer:
        """One topic."""
        ...

    async def status(self, viewer: Viewer, *, local: bool = False) -> StatusAnswer:
        """Workers, settings, versions."""
        ...


class Changes(Protocol):
    """Changes from now on, within what `viewer` may see. It ends for a reader that is too slow."""

    def __call__(self, viewer: Viewer, *, local: bool) -> AsyncIterator[Change]:
        """`local`: those of this worker's own partitions alone."""
        ...
