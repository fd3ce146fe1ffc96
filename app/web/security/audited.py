"""`AuditedAnswers`: every answer that shows students is told to the audit log."""

from app.web.answers import Answers
from app.web.models.groups import CourseAnswer, CourseList, OutcomeAnswer, OutcomeList
from app.web.models.mastery import MasteryPage, MasteryQuery, StudentAnswer
from app.web.models.stream import (
    DeadLetterAnswer,
    DeadLetterPage,
    DeadLetterQuery,
    Overview,
    StatusAnswer,
    TopicAnswer,
    TopicList,
)
from app.web.problems import Problem
from app.web.security.audit import Audit
from app.web.security.viewer import Viewer

__all__ = ["AuditedAnswers"]

#: What of a query is no filter.
_NO_FILTERS = {"sort", "limit", "cursor"}


class AuditedAnswers(Answers):
    """Passes answers on as they are. With `local` another worker asks, which has told of it itself."""

    def __init__(self, answers: Answers, audit: Audit) -> None:
        self._answers = answers
        self._audit = audit

    async def overview(self, viewer: Viewer, *, local: bool = False) -> Overview:
        """The overview; its latest changes name students."""
        answer = await self._answers.overview(viewer, local=local)
        self._list(viewer, len(answer.changes), local=local)
        return answer

    async def mastery(self, viewer: Viewer, query: MasteryQuery, *, local: bool = False) -> MasteryPage:
        """A page of rows; of one student alone, it is a look at that student."""
        given = query.model_dump(exclude_none=True).keys() - _NO_FILTERS
        filters = sorted(given)
        try:
            page = await self._answers.mastery(viewer, query, local=local)
        except Problem as problem:
            self._list(viewer, 0, filters, outcome=type(problem).__name__, local=local)
            raise
        if not local:
            # What was looked for may be a name: who was found is told, where that is one student.
            found = {row.user_uuid for row in page.rows}
            self._audit.students(
                viewer, len(page.rows), filters, student=found.pop() if len(found) == 1 else None
            )
        return page

    async def student(
        self, viewer: Viewer, user_uuid: str, account: str | None = None, *, local: bool = False
    ) -> StudentAnswer:
        """One student."""
        outcome = "shown"
        try:
            return await self._answers.student(viewer, user_uuid, account, local=local)
        except Problem as problem:
            outcome = type(problem).__name__
            raise
        finally:
            if not local:
                self._audit.student(viewer, user_uuid, outcome)

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
        """Outcomes: they name no students."""
        return await self._answers.outcomes(viewer, text, account, cursor, limit, local=local)

    async def outcome(
        self, viewer: Viewer, outcome_id: str, account: str | None = None, *, local: bool = False
    ) -> OutcomeAnswer:
        """One outcome, with the students near mastery."""
        answer = await self._answers.outcome(viewer, outcome_id, account, local=local)
        self._list(viewer, len(answer.near_mastery), ["outcome"], local=local)
        return answer

    async def courses(
        self,
        viewer: Viewer,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,
    ) -> CourseList:
        """Courses: they name no students."""
        return await self._answers.courses(viewer, account, cursor, limit, local=local)

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
        """One course with its students."""
        answer = await self._answers.course(viewer, course_id, account, cursor, limit, local=local)
        self._list(viewer, len(answer.students), ["course"], local=local)
        return answer

    async def dead_letters(self, viewer: Viewer, query: DeadLetterQuery) -> DeadLetterPage:
        """Dead letters."""
        return await self._answers.dead_letters(viewer, query)

    async def dead_letter(self, viewer: Viewer, partition: int, offset: int) -> DeadLetterAnswer:
        """One dead letter: shown with its bytes, it may name anybody."""
        answer = await self._answers.dead_letter(viewer, partition, offset)
        self._list(viewer, 0 if answer.hidden else 1, ["dead letter"], local=False)
        return answer

    async def topics(self, viewer: Viewer) -> TopicList:
        """The catalogue."""
        return await self._answers.topics(viewer)

    async def topic(self, viewer: Viewer, name: str) -> TopicAnswer:
        """One topic: its records may name anybody."""
        answer = await self._answers.topic(viewer, name)
        self._list(viewer, len(answer.records), ["topic"], local=False)
        return answer

    async def status(self, viewer: Viewer, *, local: bool = False) -> StatusAnswer:
        """Workers."""
        return await self._answers.status(viewer, local=local)

    def _list(
        self,
        viewer: Viewer,
        rows: int,
        filters: list[str] | None = None,
        *,
        local: bool,
        outcome: str = "shown",
    ) -> None:
        if not local and (rows or outcome != "shown"):
            self._audit.students(viewer, rows, filters or [], outcome=outcome)
