"""`LocalAnswers`: what one worker can tell from its own partitions, and from Kafka."""

from collections.abc import Callable

from app.schemas.known import SchemaCatalogue
from app.web.answers import Answers
from app.web.local.courses import Courses
from app.web.local.dead_letters import DeadLetters
from app.web.local.ground import Ground
from app.web.local.history import Histories
from app.web.local.mastery import Rows
from app.web.local.outcomes import Outcomes
from app.web.local.overview import Overviews
from app.web.local.rates import Rates
from app.web.local.status import Statuses
from app.web.local.students import Students
from app.web.local.topics import Topics
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
from app.web.report import WorkerReport
from app.web.security.viewer import Viewer

__all__ = ["LocalAnswers"]


class LocalAnswers(Answers):
    """Answers of one worker. Every question about rows is answered from its own partitions alone.

    It leaves out what lies in other root accounts or courses than a viewer's; what a role may not see is for
    app.web.security.guarded, around this or around the answers of all workers.
    """

    def __init__(
        self,
        ground: Ground,
        schemas: Callable[[], SchemaCatalogue | None] = lambda: None,
        histories: Histories | None = None,
    ) -> None:
        self._rates = Rates()
        self._topics = Topics(ground.settings, schemas, lambda: _url(ground))
        self._dead_letters = DeadLetters(ground.settings)
        self._rows = Rows(ground)
        self._students = Students(ground)
        self._outcomes = Outcomes(ground, self._rows, histories or Histories(ground.settings))
        self._courses = Courses(ground)
        self._overviews = Overviews(ground, self._topics, self._rates)
        self._statuses = Statuses(ground)

    def take(self, report: WorkerReport) -> None:
        """Hear of each of the worker's reports: rates are made of them, and files that went are let go."""
        self._rates.take(report)
        self._students.let_go()

    async def overview(self, viewer: Viewer, *, local: bool = False) -> Overview:  # noqa: ARG002 - always is
        """What needs attention, and the flow."""
        return await self._overviews.one(viewer)

    async def mastery(self, viewer: Viewer, query: MasteryQuery, *, local: bool = False) -> MasteryPage:  # noqa: ARG002
        """Rows, one for each student, outcome and course."""
        return await self._rows.page(viewer, query)

    async def student(
        self,
        viewer: Viewer,
        user_uuid: str,
        account: str | None = None,
        *,
        local: bool = False,  # noqa: ARG002
    ) -> StudentAnswer:
        """All of one student; NotFound without a row."""
        return await self._students.one(viewer, user_uuid, account)

    async def outcomes(
        self,
        viewer: Viewer,
        text: str | None = None,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,  # noqa: ARG002
    ) -> OutcomeList:
        """Outcomes with rows or a definition."""
        return await self._outcomes.page(viewer, text, account, cursor, limit)

    async def outcome(
        self, viewer: Viewer, outcome_id: str, account: str | None = None, *, local: bool = False
    ) -> OutcomeAnswer:
        """One outcome; without `account` there must be one root account that has it."""
        return await self._outcomes.one(viewer, outcome_id, account, local=local)

    async def courses(
        self,
        viewer: Viewer,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,  # noqa: ARG002
    ) -> CourseList:
        """Courses with rows."""
        return await self._courses.page(viewer, account, cursor, limit)

    async def course(
        self,
        viewer: Viewer,
        course_id: str,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,  # noqa: ARG002
    ) -> CourseAnswer:
        """One course: students by outcomes, `limit` students at a time."""
        return await self._courses.one(viewer, course_id, account, cursor, limit)

    async def dead_letters(self, viewer: Viewer, query: DeadLetterQuery) -> DeadLetterPage:  # noqa: ARG002
        """Dead letters and their counts."""
        return await self._dead_letters.page(query)

    async def dead_letter(self, viewer: Viewer, partition: int, offset: int) -> DeadLetterAnswer:
        """One dead letter."""
        return await self._dead_letters.one(viewer, partition, offset)

    async def topics(self, viewer: Viewer) -> TopicList:  # noqa: ARG002
        """The catalogue."""
        return await self._topics.all()

    async def topic(self, viewer: Viewer, name: str) -> TopicAnswer:
        """One topic."""
        return await self._topics.one(viewer, name)

    async def status(self, viewer: Viewer, *, local: bool = False) -> StatusAnswer:  # noqa: ARG002
        """Workers, settings, versions."""
        return await self._statuses.one(viewer)


def _url(ground: Ground) -> str | None:
    report = ground.report()
    return None if report is None else report.group.url
