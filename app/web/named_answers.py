"""Names from the roster of the worker that is asked, put beside the ids of an answer."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from app.roster import Roster
from app.web.answers import Answers
from app.web.models.groups import CourseAnswer, CourseList, CourseSummary, OutcomeAnswer, OutcomeList
from app.web.models.mastery import (
    CourseScoreDetail,
    MasteryPage,
    MasteryQuery,
    MasteryRow,
    StudentAnswer,
    StudentOutcome,
)
from app.web.models.stream import (
    DeadLetterAnswer,
    DeadLetterPage,
    DeadLetterQuery,
    Overview,
    StatusAnswer,
    TopicAnswer,
    TopicList,
)
from app.web.security.viewer import Viewer

__all__ = ["NamedAnswers"]

#: Students that a name may stand for: as many uuids as an address holds.
_MOST: Final = 100


class NamedAnswers:
    """Answers with names, and a search by them. What another worker is asked for stays without."""

    def __init__(self, answers: Answers, roster: Callable[[], Roster]) -> None:
        self._answers = answers
        self._roster = roster

    async def overview(self, viewer: Viewer, *, local: bool = False) -> Overview:
        """What needs attention, and the flow."""
        return await self._answers.overview(viewer, local=local)

    async def mastery(self, viewer: Viewer, query: MasteryQuery, *, local: bool = False) -> MasteryPage:
        """Rows; `user` may be a part of a name."""
        roster = self._roster()
        if not local and query.user is not None and query.user not in roster.users:
            # A tenth of a second for a million names, in which others are answered.
            found = await asyncio.to_thread(roster.find_users, query.user, _MOST)
            if found:
                query = query.model_copy(update={"user": None, "users": tuple(found)})
        page = await self._answers.mastery(viewer, query, local=local)
        return page if local else page.model_copy(update={"rows": _rows(page.rows, roster)})

    async def student(
        self, viewer: Viewer, user_uuid: str, account: str | None = None, *, local: bool = False
    ) -> StudentAnswer:
        """All of one student."""
        answer = await self._answers.student(viewer, user_uuid, account, local=local)
        if local:
            return answer
        roster = self._roster()
        outcomes = answer.outcomes
        if roster.courses:
            outcomes = tuple(_outcome(one, roster) for one in outcomes)
        return answer.model_copy(update={"user_name": roster.user_name(user_uuid), "outcomes": outcomes})

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
        """Outcomes."""
        return await self._answers.outcomes(viewer, text, account, cursor, limit, local=local)

    async def outcome(
        self, viewer: Viewer, outcome_id: str, account: str | None = None, *, local: bool = False
    ) -> OutcomeAnswer:
        """One outcome."""
        answer = await self._answers.outcome(viewer, outcome_id, account, local=local)
        if local:
            return answer
        return answer.model_copy(update={"near_mastery": _rows(answer.near_mastery, self._roster())})

    async def courses(
        self,
        viewer: Viewer,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,
    ) -> CourseList:
        """Courses."""
        answer = await self._answers.courses(viewer, account, cursor, limit, local=local)
        if local:
            return answer
        roster = self._roster()
        return answer.model_copy(update={"courses": tuple(_course(one, roster) for one in answer.courses)})

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
        """One course."""
        answer = await self._answers.course(viewer, course_id, account, cursor, limit, local=local)
        if local:
            return answer
        roster = self._roster()
        students = tuple(
            one.model_copy(update={"user_name": roster.user_name(one.user_uuid)}) for one in answer.students
        )
        return answer.model_copy(update={"course": _course(answer.course, roster), "students": students})

    async def dead_letters(self, viewer: Viewer, query: DeadLetterQuery) -> DeadLetterPage:
        """Dead letters and their counts."""
        return await self._answers.dead_letters(viewer, query)

    async def dead_letter(self, viewer: Viewer, partition: int, offset: int) -> DeadLetterAnswer:
        """One dead letter."""
        return await self._answers.dead_letter(viewer, partition, offset)

    async def topics(self, viewer: Viewer) -> TopicList:
        """The catalogue."""
        return await self._answers.topics(viewer)

    async def topic(self, viewer: Viewer, name: str) -> TopicAnswer:
        """One topic."""
        return await self._answers.topic(viewer, name)

    async def status(self, viewer: Viewer, *, local: bool = False) -> StatusAnswer:
        """Workers, settings, versions."""
        return await self._answers.status(viewer, local=local)


def _rows(rows: Iterable[MasteryRow], roster: Roster) -> tuple[MasteryRow, ...]:
    return tuple(
        row.model_copy(
            update={
                "user_name": roster.user_name(row.user_uuid),
                "course_name": roster.course_name(row.course_id),
            }
        )
        for row in rows
    )


def _outcome(outcome: StudentOutcome, roster: Roster) -> StudentOutcome:
    courses = tuple(_score(one, roster) for one in outcome.courses)
    return outcome.model_copy(update={"courses": courses})


def _score(score: CourseScoreDetail, roster: Roster) -> CourseScoreDetail:
    name = roster.course_name(score.course_id)
    return score if name is None else score.model_copy(update={"course_name": name})


def _course(course: CourseSummary, roster: Roster) -> CourseSummary:
    return course.model_copy(update={"course_name": roster.course_name(course.course_id)})
