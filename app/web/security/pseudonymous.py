"""`PseudonymousAnswers`: answers in which pseudonyms stand for students, asked for by pseudonyms too."""

from secrets import token_hex
from urllib.parse import urlsplit, urlunsplit

from app.web.answers import Answers
from app.web.models.groups import CourseAnswer, CourseList, OutcomeAnswer, OutcomeList
from app.web.models.mastery import MasteryPage, MasteryQuery, MasteryRow, StudentAnswer
from app.web.models.stream import (
    DeadLetterAnswer,
    DeadLetterPage,
    DeadLetterQuery,
    Overview,
    StatusAnswer,
    TopicAnswer,
    TopicList,
)
from app.web.problems import NotFound
from app.web.security.guarded import require
from app.web.security.pseudonyms import Pseudonyms, Students, nobody_has_it
from app.web.security.viewer import Role, Viewer

__all__ = ["PseudonymousAnswers"]

_USERS = "/users/"
_HIDDEN = {"key": None, "headers": (), "json_text": None, "text": None, "cut": False, "hidden": True}


class PseudonymousAnswers(Answers):
    """Translates what is asked and what is answered; whoever asks, admins too.

    `students` finds those that were not shown lately. Where a student's id may stand among other things, in
    keys, bytes and records, these are left out. With `local` another worker asks, which adds parts up by ids
    and translates then: nothing is changed.
    """

    def __init__(self, answers: Answers, pseudonyms: Pseudonyms, students: Students) -> None:
        self._answers = answers
        self._pseudonyms = pseudonyms
        self._students = students

    async def overview(self, viewer: Viewer, *, local: bool = False) -> Overview:
        """The overview."""
        answer = await self._answers.overview(viewer, local=local)
        if local:
            return answer
        return answer.model_copy(
            update={
                "last_events": tuple(one.model_copy(update={"key": None}) for one in answer.last_events),
                "changes": tuple(self._pseudonyms.change(one) for one in answer.changes),
                "examples": {name: self._href(href) for name, href in answer.examples.items()},
            }
        )

    async def mastery(self, viewer: Viewer, query: MasteryQuery, *, local: bool = False) -> MasteryPage:
        """Rows; what is no pseudonym finds nobody."""
        if local:
            return await self._answers.mastery(viewer, query, local=True)
        # Before anybody is looked for: that is work, and who is found is told by it.
        require(viewer, Role.VIEWER)
        user, users = query.user, query.users
        found = await self._pseudonyms.find(
            [*([] if user is None else [user]), *(users or ())], self._students
        )
        if user is not None:
            user = found.get(user) or _nobody()
        if users is not None:
            users = tuple(found.get(one) or _nobody() for one in users)
        asked = {"user": user, "users": users, "cursor": self._pseudonyms.unseal(query.cursor)}
        page = await self._answers.mastery(viewer, query.model_copy(update=asked))
        return page.model_copy(
            update={
                "rows": tuple(self._row(row) for row in page.rows),
                "next": self._pseudonyms.seal(page.next),
                "previous": self._pseudonyms.seal(page.previous),
            }
        )

    async def student(
        self, viewer: Viewer, user_uuid: str, account: str | None = None, *, local: bool = False
    ) -> StudentAnswer:
        """One student, by pseudonym."""
        if local:
            return await self._answers.student(viewer, user_uuid, account, local=True)
        require(viewer, Role.VIEWER)
        uuid = await self._pseudonyms.back(user_uuid, self._students)
        try:
            answer = await self._answers.student(viewer, uuid, account)
        except NotFound:
            # In the words for a pseudonym that nobody has: it may be of a student whom others see.
            raise nobody_has_it() from None
        return answer.model_copy(
            update={"user_uuid": self._pseudonyms.of(answer.user_uuid), "user_name": None}
        )

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
        """One outcome."""
        answer = await self._answers.outcome(viewer, outcome_id, account, local=local)
        if local:
            return answer
        return answer.model_copy(
            update={"near_mastery": tuple(self._row(row) for row in answer.near_mastery)}
        )

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
        """One course."""
        if local:
            return await self._answers.course(viewer, course_id, account, cursor, limit, local=True)
        cursor = self._pseudonyms.unseal(cursor)
        answer = await self._answers.course(viewer, course_id, account, cursor, limit)
        students = tuple(
            one.model_copy(update={"user_uuid": self._pseudonyms.of(one.user_uuid), "user_name": None})
            for one in answer.students
        )
        return answer.model_copy(
            update={
                "students": students,
                "next": self._pseudonyms.seal(answer.next),
                "previous": self._pseudonyms.seal(answer.previous),
            }
        )

    async def dead_letters(self, viewer: Viewer, query: DeadLetterQuery) -> DeadLetterPage:
        """Dead letters: their messages hold no values."""
        return await self._answers.dead_letters(viewer, query)

    async def dead_letter(self, viewer: Viewer, partition: int, offset: int) -> DeadLetterAnswer:
        """One dead letter without its bytes."""
        answer = await self._answers.dead_letter(viewer, partition, offset)
        return answer.model_copy(update=_HIDDEN)

    async def topics(self, viewer: Viewer) -> TopicList:
        """The catalogue."""
        return await self._answers.topics(viewer)

    async def topic(self, viewer: Viewer, name: str) -> TopicAnswer:
        """One topic without its records."""
        return (await self._answers.topic(viewer, name)).model_copy(
            update={"records": (), "records_hidden": True}
        )

    async def status(self, viewer: Viewer, *, local: bool = False) -> StatusAnswer:
        """Workers."""
        return await self._answers.status(viewer, local=local)

    def _row(self, row: MasteryRow) -> MasteryRow:
        return row.model_copy(update={"user_uuid": self._pseudonyms.of(row.user_uuid), "user_name": None})

    def _href(self, href: str) -> str:
        parts = urlsplit(href)
        if not parts.path.startswith(_USERS):
            return href
        return urlunsplit(parts._replace(path=_USERS + self._pseudonyms.of(parts.path.removeprefix(_USERS))))


def _nobody() -> str:
    """An id that nobody has, so that a list is without rows, and all there.

    None of what was asked for is in it: as a name it could lead to its owner's pseudonym.
    """
    return f"nobody-{token_hex(16)}"
