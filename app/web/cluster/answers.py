"""Answers over all workers of the group: whoever is asked finds the owner, or puts the parts together."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import quote

from app.web.answers import Answers
from app.web.cluster.gather import Gathered, gather
from app.web.cluster.lists import course_list, grid_page, mastery_page, outcome_list
from app.web.cluster.members import Member, Membership
from app.web.cluster.merge import merge_outcome, merge_overview, merge_status
from app.web.cluster.peers import PeerRefused, Peers, PeerSilent
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
from app.web.problems import BadParameter, NotReady
from app.web.security.viewer import Viewer

__all__ = ["ClusterAnswers"]

A = TypeVar("A", bound=Answer)


class ClusterAnswers:
    """Answers of the whole group, from one worker's own (`local`) and its peers'.

    `membership` is the group as this worker knows it now.
    What stands in Kafka, such as topics and dead letters, every worker can tell by itself.
    """

    def __init__(self, local: Answers, membership: Callable[[], Membership], peers: Peers) -> None:
        self._local = local
        self._membership = membership
        self._peers = peers

    async def overview(self, viewer: Viewer, *, local: bool = False) -> Overview:
        """What needs attention, and the flow."""
        if local:
            return await self._local.overview(viewer, local=True)
        found = await self._all(
            lambda: self._local.overview(viewer, local=True), "/api/overview", {}, viewer, Overview
        )
        return merge_overview(found.parts, found.freshness)

    async def mastery(self, viewer: Viewer, query: MasteryQuery, *, local: bool = False) -> MasteryPage:
        """Rows, one for each student, outcome and course."""
        if local:
            return await self._local.mastery(viewer, query, local=True)
        found = await self._all(
            lambda: self._local.mastery(viewer, query, local=True),
            "/api/mastery",
            query.model_dump(mode="json", exclude_defaults=True),
            viewer,
            MasteryPage,
        )
        return mastery_page(found, query)

    async def student(
        self, viewer: Viewer, user_uuid: str, account: str | None = None, *, local: bool = False
    ) -> StudentAnswer:
        """All of one student; NotFound without a row.

        With the account, who has the rows is known; without, all are asked, and rows of several accounts
        stand side by side.
        """

        def own() -> Awaitable[StudentAnswer]:
            return self._local.student(viewer, user_uuid, account, local=True)

        if local:
            return await own()
        path, parameters = f"/api/users/{quote(user_uuid, safe='')}", {"account": account}
        if account is not None:
            return await self._one(account, user_uuid, own, path, parameters, viewer)
        found = await self._all(own, path, parameters, viewer, StudentAnswer)
        outcomes = (outcome for part in found.parts for outcome in part.outcomes)
        return found.parts[0].model_copy(update={"freshness": found.freshness, "outcomes": tuple(outcomes)})

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
        """Outcomes with rows or a definition."""

        def own() -> Awaitable[OutcomeList]:
            return self._local.outcomes(viewer, text, account, cursor, limit, local=True)

        if local:
            return await own()
        parameters = {"text": text, "account": account, "cursor": cursor, "limit": limit}
        found = await self._all(own, "/api/outcomes", parameters, viewer, OutcomeList)
        return outcome_list(found, text, account, cursor, limit)

    async def outcome(
        self, viewer: Viewer, outcome_id: str, account: str | None = None, *, local: bool = False
    ) -> OutcomeAnswer:
        """One outcome; without `account` there must be one root account that has it."""

        def own() -> Awaitable[OutcomeAnswer]:
            return self._local.outcome(viewer, outcome_id, account, local=True)

        if local:
            return await own()
        path = f"/api/outcomes/{quote(outcome_id, safe='')}"
        found = await self._all(own, path, {"account": account}, viewer, OutcomeAnswer)
        _require_one_account(
            {part.outcome.root_account_uuid for part in found.parts if part.outcome.students != 0}
        )
        # Who has no student of it may still know its definition, and came first.
        parts = sorted(found.parts, key=lambda part: part.outcome.students == 0)
        return merge_outcome(parts, found.freshness)

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

        def own() -> Awaitable[CourseList]:
            return self._local.courses(viewer, account, cursor, limit, local=True)

        if local:
            return await own()
        parameters = {"account": account, "cursor": cursor, "limit": limit}
        found = await self._all(own, "/api/courses", parameters, viewer, CourseList)
        return course_list(found, account, cursor, limit)

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

        def own() -> Awaitable[CourseAnswer]:
            return self._local.course(viewer, course_id, account, cursor, limit, local=True)

        if local:
            return await own()
        parameters = {"account": account, "cursor": cursor, "limit": limit}
        path = f"/api/courses/{quote(course_id, safe='')}"
        found = await self._all(own, path, parameters, viewer, CourseAnswer)
        _require_one_account({part.course.root_account_uuid for part in found.parts})
        return grid_page(found, cursor, limit)

    async def dead_letters(self, viewer: Viewer, query: DeadLetterQuery) -> DeadLetterPage:
        """Dead letters and their counts."""
        return await self._local.dead_letters(viewer, query)

    async def dead_letter(self, viewer: Viewer, partition: int, offset: int) -> DeadLetterAnswer:
        """One dead letter."""
        return await self._local.dead_letter(viewer, partition, offset)

    async def topics(self, viewer: Viewer) -> TopicList:
        """The catalogue."""
        return await self._local.topics(viewer)

    async def topic(self, viewer: Viewer, name: str) -> TopicAnswer:
        """One topic."""
        return await self._local.topic(viewer, name)

    async def status(self, viewer: Viewer, *, local: bool = False) -> StatusAnswer:
        """Workers, settings, versions."""
        if local:
            return await self._local.status(viewer, local=True)
        found = await self._all(
            lambda: self._local.status(viewer, local=True), "/api/status", {}, viewer, StatusAnswer
        )
        return merge_status(found.parts, found.freshness)

    async def _all(
        self,
        own: Callable[[], Awaitable[A]],
        path: str,
        parameters: dict[str, Any],
        viewer: Viewer,
        model: type[A],
    ) -> Gathered[A]:
        """Ask all workers; raises what `Gathered.require` does when there is no part."""

        def ask(member: Member) -> Awaitable[A]:
            return self._peers.get(member, path, parameters, viewer, model)

        return (await gather(self._membership(), own, ask)).require()

    async def _one(
        self,
        account: str,
        user_uuid: str,
        own: Callable[[], Awaitable[StudentAnswer]],
        path: str,
        parameters: dict[str, Any],
        viewer: Viewer,
    ) -> StudentAnswer:
        """Ask the one worker that has a student's rows. Raises NotReady while there is none."""
        membership = self._membership()
        owner = membership.owner_of_student(account, user_uuid)
        if owner is None:
            raise NotReady(
                "the partition of this student moves between workers at the moment",
                hint="ask again in a moment",
                headers={"Retry-After": "2"},
            )
        if owner == membership.me:
            return await own()
        try:
            return await self._peers.get(owner, path, parameters, viewer, StudentAnswer)
        except (PeerSilent, PeerRefused) as error:
            raise NotReady(
                f"the worker that has this student's rows, {owner.name}, gives no answer: {error}",
                hint="ask again in a moment; `/status` lists the workers",
                headers={"Retry-After": "2"},
            ) from None


def _require_one_account(accounts: set[str]) -> None:
    if len(accounts) > 1:
        raise BadParameter(
            "several root accounts have this id: " + ", ".join(sorted(accounts)),
            hint="add ?account= with one of them",
            parameter="account",
            accounts=sorted(accounts),
        )
