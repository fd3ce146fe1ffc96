"""Lists out of what several workers have of them. Keys and bindings of cursors are those of app.views."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from app.views.cursor import bound_to, fold, line_key, search_binding
from app.web.cluster.gather import Gathered
from app.web.cluster.merge import merge_course, merge_course_summaries, merge_outcome_summaries
from app.web.cluster.paging import Part, merge_pages
from app.web.models.groups import (
    CourseAnswer,
    CourseList,
    CourseSummary,
    GridStudent,
    OutcomeList,
    OutcomeSummary,
)
from app.web.models.mastery import MasteryPage, MasteryQuery
from app.web.searches import search_of

__all__ = ["course_list", "grid_page", "mastery_page", "outcome_list"]


def mastery_page(found: Gathered[MasteryPage], query: MasteryQuery) -> MasteryPage:
    """Return a page of rows, in the query's order."""
    search = search_of(query)
    page = merge_pages(
        [Part(part.rows, part.next, part.previous) for part in found.parts],
        key=partial(line_key, search.order),
        binding=search_binding(search),
        cursor=query.cursor,
        limit=query.limit,
        reverse=search.order.value.startswith("-"),
    )
    return MasteryPage(freshness=found.freshness, rows=page.rows, next=page.next, previous=page.previous)


def outcome_list(
    found: Gathered[OutcomeList], text: str | None, account: str | None, cursor: str | None, limit: int
) -> OutcomeList:
    """Return a page of outcomes, by title."""
    page = merge_pages(
        [Part(part.outcomes, part.next, part.previous) for part in found.parts],
        key=_outcome_key,
        binding=bound_to("outcomes", text, account),
        cursor=cursor,
        limit=limit,
        joined=merge_outcome_summaries,
    )
    return OutcomeList(freshness=found.freshness, outcomes=page.rows, next=page.next, previous=page.previous)


def course_list(
    found: Gathered[CourseList], account: str | None, cursor: str | None, limit: int
) -> CourseList:
    """Return a page of courses, by root account and id."""
    page = merge_pages(
        [Part(part.courses, part.next, part.previous) for part in found.parts],
        key=_course_key,
        binding=bound_to("courses", account),
        cursor=cursor,
        limit=limit,
        joined=merge_course_summaries,
    )
    return CourseList(freshness=found.freshness, courses=page.rows, next=page.next, previous=page.previous)


def grid_page(found: Gathered[CourseAnswer], cursor: str | None, limit: int) -> CourseAnswer:
    """Return a page of a course's students, by user."""
    course = found.parts[0].course
    page = merge_pages(
        [Part(_from(part), part.next, part.previous) for part in found.parts],
        key=_student_key,
        binding=bound_to("course", course.root_account_uuid, course.course_id),
        cursor=cursor,
        limit=limit,
    )
    merged = merge_course(found.parts, page.rows, found.freshness)
    return merged.model_copy(update={"next": page.next, "previous": page.previous})


def _from(part: CourseAnswer) -> Sequence[tuple[CourseAnswer, GridStudent]]:
    return [(part, student) for student in part.students]


def _outcome_key(one: OutcomeSummary) -> tuple[Any, ...]:
    title, outcome = one.title, one.learning_outcome_id
    return (int(title is None), fold(title or ""), len(outcome), outcome, one.root_account_uuid)


def _course_key(one: CourseSummary) -> tuple[Any, ...]:
    return one.root_account_uuid, len(one.course_id), one.course_id


def _student_key(one: tuple[CourseAnswer, GridStudent]) -> tuple[Any, ...]:
    return (one[1].user_uuid,)
