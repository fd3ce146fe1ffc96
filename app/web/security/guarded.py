"""`GuardedAnswers`: no answer, whoever made it, tells a login more than it may see."""

from app.web.answers import Answers
from app.web.models.base import Answer
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
from app.web.problems import BadParameter, Forbidden, NotFound, NotReady
from app.web.security.small import (
    hide_small_of_column,
    hide_small_of_course,
    hide_small_of_outcome,
    hide_small_of_summary,
)
from app.web.security.viewer import Role, Viewer
from app.web.security.visible import (
    visible_changes,
    visible_course,
    visible_course_summaries,
    visible_letter,
    visible_outcome,
    visible_overview,
    visible_rows,
    visible_student_outcomes,
    visible_summaries,
)

__all__ = ["GuardedAnswers", "require"]


def require(viewer: Viewer, role: Role) -> None:
    """Raise Forbidden unless the login has this role or one with more."""
    if not viewer.role.includes(role):
        raise Forbidden(
            f"The login {viewer.name} is for {_FOR[viewer.role]}; this is for {_FOR[role]}.",
            hint=f"It takes a login with the role {role}.",
        )


_FOR = {
    Role.AGGREGATE: "numbers of groups",
    Role.VIEWER: "students and their scores",
    Role.ADMIN: "whoever looks after the stream",
}


class GuardedAnswers(Answers):
    """Checks each question and narrows each answer of `answers`, whatever that has done itself.

    With `local`, another worker asks and adds parts up: counts stay as they are, as only the sum of all parts
    tells whether a group is small, and everything else is narrowed as always.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def overview(self, viewer: Viewer, *, local: bool = False) -> Overview:
        """What needs attention, and the flow; without keys, changes and totals for who may not see them."""
        answer = await self._answers.overview(viewer, local=local)
        if local:
            return answer.model_copy(update={"changes": visible_changes(viewer, answer.changes)})
        return visible_overview(viewer, answer)

    async def mastery(self, viewer: Viewer, query: MasteryQuery, *, local: bool = False) -> MasteryPage:
        """Rows of the login's root accounts and courses."""
        require(viewer, Role.VIEWER)
        account = _account(viewer, query.account)
        course = _course(viewer, query.course)
        query = query.model_copy(update={"account": account, "course": course})
        page = await self._answers.mastery(viewer, query, local=local)
        return page.model_copy(update={"rows": visible_rows(viewer, page.rows)})

    async def student(
        self, viewer: Viewer, user_uuid: str, account: str | None = None, *, local: bool = False
    ) -> StudentAnswer:
        """One student, if there is anything of them that the login may see."""
        require(viewer, Role.VIEWER)
        account = _account(viewer, account)
        try:
            answer = await self._answers.student(viewer, user_uuid, account, local=local)
        except (NotFound, BadParameter):
            # In the same words, whether there is such a student elsewhere or not.
            if viewer.accounts is None and viewer.courses is None:
                raise
            raise _no_student() from None
        outcomes = visible_student_outcomes(viewer, answer.outcomes)
        if not outcomes and answer.outcomes:
            raise _no_student()
        return answer.model_copy(update={"outcomes": outcomes})

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
        """Outcomes of the login's root accounts."""
        account = _account(viewer, account)
        answer = await self._answers.outcomes(viewer, text, account, cursor, limit, local=local)
        if local:
            return answer
        _require_whole(viewer, answer)
        seen = visible_summaries(viewer, answer.outcomes)
        if not viewer.sees_students:
            seen = tuple(hide_small_of_summary(one) for one in seen)
        return answer.model_copy(update={"outcomes": seen})

    async def outcome(
        self, viewer: Viewer, outcome_id: str, account: str | None = None, *, local: bool = False
    ) -> OutcomeAnswer:
        """One outcome; numbers over all courses for who sees all courses."""
        account = _account(viewer, account)
        try:
            answer = await self._answers.outcome(viewer, outcome_id, account, local=local)
        except BadParameter as problem:
            raise _without_accounts(viewer, problem) from None
        if not viewer.sees_account(answer.outcome.root_account_uuid):
            raise NotFound("No outcome of this id is known.")
        if local:
            return answer.model_copy(update={"near_mastery": visible_rows(viewer, answer.near_mastery)})
        _require_whole(viewer, answer)
        answer = visible_outcome(viewer, answer)
        return answer if viewer.sees_students else hide_small_of_outcome(answer)

    async def courses(
        self,
        viewer: Viewer,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,
    ) -> CourseList:
        """Courses of the login."""
        _require_courses(viewer)
        account = _account(viewer, account)
        answer = await self._answers.courses(viewer, account, cursor, limit, local=local)
        seen = visible_course_summaries(viewer, answer.courses)
        if not (viewer.sees_students or local):
            _require_whole(viewer, answer)
            seen = tuple(hide_small_of_course(one) for one in seen)
        return answer.model_copy(update={"courses": seen})

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
        """One course of the login; without its students for who may see none."""
        _require_courses(viewer)
        account = _account(viewer, account)
        _course(viewer, course_id)
        try:
            answer = await self._answers.course(viewer, course_id, account, cursor, limit, local=local)
        except BadParameter as problem:
            raise _without_accounts(viewer, problem) from None
        if not viewer.sees_account(answer.course.root_account_uuid):
            raise NotFound("No course of this id has a result.")
        answer = visible_course(viewer, answer)
        if viewer.sees_students or local:
            return answer
        _require_whole(viewer, answer)
        return answer.model_copy(
            update={
                "course": hide_small_of_course(answer.course),
                "outcomes": tuple(hide_small_of_column(one) for one in answer.outcomes),
            }
        )

    async def dead_letters(self, viewer: Viewer, query: DeadLetterQuery) -> DeadLetterPage:
        """Dead letters and their counts: no bytes are in them."""
        return await self._answers.dead_letters(viewer, query)

    async def dead_letter(self, viewer: Viewer, partition: int, offset: int) -> DeadLetterAnswer:
        """One dead letter; its bytes for who may see everything."""
        require(viewer, Role.VIEWER)
        return visible_letter(viewer, await self._answers.dead_letter(viewer, partition, offset))

    async def topics(self, viewer: Viewer) -> TopicList:
        """The catalogue."""
        return await self._answers.topics(viewer)

    async def topic(self, viewer: Viewer, name: str) -> TopicAnswer:
        """One topic; its records for who may see everything."""
        answer = await self._answers.topic(viewer, name)
        return (
            answer
            if viewer.sees_everything
            else answer.model_copy(update={"records": (), "records_hidden": True})
        )

    async def status(self, viewer: Viewer, *, local: bool = False) -> StatusAnswer:
        """Workers and versions; settings for admins."""
        answer = await self._answers.status(viewer, local=local)
        if viewer.role is Role.ADMIN:
            return answer
        workers = answer.workers
        if not viewer.sees_students or viewer.accounts is not None or viewer.courses is not None:
            hidden = {"rows": None, "restore_read": None, "restore_left": None}
            workers = tuple(one.model_copy(update=hidden) for one in workers)
        return answer.model_copy(update={"settings": (), "workers": workers})


def _account(viewer: Viewer, account: str | None) -> str | None:
    """The root account asked for; the login's own one where it has one and none is asked for."""
    if account is None:
        return (
            next(iter(viewer.accounts)) if viewer.accounts is not None and len(viewer.accounts) == 1 else None
        )
    if not viewer.sees_account(account):
        raise Forbidden(f"The login {viewer.name} may not see this root account.")
    return account


def _course(viewer: Viewer, course: str | None) -> str | None:
    """The course asked for; the login's own one where it has one and none is asked for."""
    if course is None:
        return next(iter(viewer.courses)) if viewer.courses is not None and len(viewer.courses) == 1 else None
    if not viewer.sees_course(course):
        raise Forbidden(f"The login {viewer.name} may not see this course.")
    return course


def _require_courses(viewer: Viewer) -> None:
    """Who sees no individual sees all courses together or some apart: both would tell of the small ones."""
    if not viewer.sees_students and viewer.courses is None:
        raise Forbidden(
            f"The login {viewer.name} is for numbers over all courses; beside those of single courses they "
            "would tell of small groups.",
            hint="A login with the role aggregate and listed courses sees these, and no numbers over all.",
        )


def _require_whole(viewer: Viewer, answer: Answer) -> None:
    """Who sees no individual gets numbers of all workers or none: the rest is one worker's few students."""
    if not viewer.sees_students and not answer.freshness.complete:
        raise NotReady(
            "A worker's part of the numbers is missing now, and this login is shown whole numbers only.",
            hint="Ask again in a moment; /status tells which worker it is.",
            headers={"Retry-After": "2"},
        )


def _without_accounts(viewer: Viewer, problem: BadParameter) -> BadParameter:
    """What is wrong, without the root accounts that it may name."""
    if viewer.accounts is None or problem.more.get("parameter") != "account":
        return problem
    return BadParameter(
        "Several root accounts have this id.", hint="Say which: ?account=", parameter="account"
    )


def _no_student() -> NotFound:
    return NotFound("No student of this id has a result.", hint="Look for the student on the mastery page.")
