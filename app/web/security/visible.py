"""What of an answer a login may see: parts are left out, or their numbers hidden."""

from collections.abc import Iterable
from typing import Any, TypeVar

from app.web.models.groups import CourseAnswer, CourseSummary, OutcomeAnswer, OutcomeSummary
from app.web.models.mastery import CourseScoreDetail, MasteryRow, StudentOutcome
from app.web.models.stream import Change, DeadLetterAnswer, Overview
from app.web.security.viewer import Viewer

__all__ = [
    "visible_changes",
    "visible_course",
    "visible_course_summaries",
    "visible_letter",
    "visible_outcome",
    "visible_overview",
    "visible_rows",
    "visible_student_outcomes",
    "visible_summaries",
    "without_totals",
]

C = TypeVar("C", CourseSummary, OutcomeSummary)

_HIDDEN = "Hidden: it would tell of courses that this login may not see."


def visible_rows(viewer: Viewer, rows: Iterable[MasteryRow]) -> tuple[MasteryRow, ...]:
    """Rows of the login's root accounts and courses; scores over all courses only for who sees them all."""
    if not viewer.sees_students:
        return ()
    seen = [
        row
        for row in rows
        if viewer.sees_account(row.root_account_uuid) and viewer.sees_course(row.course_id)
    ]
    if viewer.courses is None:
        return tuple(seen)
    hidden = {"overall_score": None, "overall_mastery": None}
    return tuple(row.model_copy(update=hidden) for row in seen)


def visible_student_outcomes(
    viewer: Viewer, outcomes: Iterable[StudentOutcome]
) -> tuple[StudentOutcome, ...]:
    """A student's outcomes in the login's root accounts, with the scores of its courses."""
    if not viewer.sees_students:
        return ()
    seen = [one for one in outcomes if viewer.sees_account(one.root_account_uuid)]
    if viewer.courses is None:
        return tuple(seen)
    narrowed = []
    for one in seen:
        courses = tuple(
            _own(viewer, course) for course in one.courses if viewer.sees_course(course.course_id)
        )
        if courses:
            narrowed.append(
                one.model_copy(
                    update={
                        "courses": courses,
                        "overall": _hidden(one.overall),
                        "last_event_time": None,
                        "former_works": 0,
                    }
                )
            )
    return tuple(narrowed)


def _own(viewer: Viewer, course: CourseScoreDetail) -> CourseScoreDetail:
    results = tuple(one for one in course.results if viewer.sees_course(one.course_id))
    return course.model_copy(update={"results": results})


def _hidden(overall: CourseScoreDetail) -> CourseScoreDetail:
    return overall.model_copy(
        update={
            "score": None,
            "mastery": None,
            "rating": None,
            "rating_color": None,
            "results_count": 0,
            "last_assessed_at": None,
            "formula": _HIDDEN,
            "results": (),
            "hidden": True,
        }
    )


def visible_summaries(viewer: Viewer, outcomes: Iterable[OutcomeSummary]) -> tuple[OutcomeSummary, ...]:
    """Outcomes of the login's root accounts; their counts are over all courses."""
    seen = _of_accounts(viewer, outcomes)
    return tuple(seen) if viewer.courses is None else tuple(without_totals(one) for one in seen)


def without_totals(summary: OutcomeSummary) -> OutcomeSummary:
    """Return an outcome without its numbers over all courses."""
    hidden = {"students": None, "scored": None, "mastered": None, "mean": None, "steps": ()}
    return summary.model_copy(update=hidden)


def visible_outcome(viewer: Viewer, answer: OutcomeAnswer) -> OutcomeAnswer:
    """An outcome, without its numbers over all courses for who does not see them all."""
    narrowed = answer.model_copy(update={"near_mastery": visible_rows(viewer, answer.near_mastery)})
    if viewer.courses is None:
        return narrowed
    return narrowed.model_copy(
        update={
            "outcome": without_totals(answer.outcome),
            "levels": (),
            "no_evidence": None,
            "median": None,
            "score_counts": {},
            "courses": tuple(course for course in answer.courses if viewer.sees_course(course)),
        }
    )


def visible_course_summaries(viewer: Viewer, courses: Iterable[CourseSummary]) -> tuple[CourseSummary, ...]:
    """Courses of the login."""
    return tuple(one for one in _of_accounts(viewer, courses) if viewer.sees_course(one.course_id))


def visible_course(viewer: Viewer, answer: CourseAnswer) -> CourseAnswer:
    """A course, without its students for who may see none."""
    if viewer.sees_students:
        return answer
    return answer.model_copy(update={"students": (), "next": None, "previous": None})


def _of_accounts(viewer: Viewer, things: Iterable[C]) -> list[C]:
    return [one for one in things if viewer.sees_account(one.root_account_uuid)]


def visible_changes(viewer: Viewer, changes: Iterable[Change]) -> tuple[Change, ...]:
    """Rows that changed, of the login's root accounts: for who sees all courses, as the score is over all."""
    if not viewer.sees_students or viewer.courses is not None:
        return ()
    return tuple(one for one in changes if viewer.sees_account(one.root_account_uuid))


def visible_overview(viewer: Viewer, answer: Overview) -> Overview:
    """The flow is for all; keys, changes and totals of students are not."""
    if viewer.sees_everything:
        return answer
    limited = viewer.accounts is not None or viewer.courses is not None
    update: dict[str, Any] = {
        "last_events": tuple(one.model_copy(update={"key": None}) for one in answer.last_events),
        "changes": visible_changes(viewer, answer.changes),
        # They are those of the student who changed last: the outcome, too, tells of that student.
        "examples": {
            name: href for name, href in answer.examples.items() if not limited and viewer.sees_students
        },
    }
    if limited or not viewer.sees_students:
        update |= {"rows": None, "students": None}
    return answer.model_copy(update=update)


def visible_letter(viewer: Viewer, answer: DeadLetterAnswer) -> DeadLetterAnswer:
    """A dead letter; key, headers and bytes hold what nobody has sorted by root account or course."""
    if viewer.sees_everything:
        return answer
    update: dict[str, Any] = {
        "key": None,
        "headers": (),
        "json_text": None,
        "text": None,
        "cut": False,
        "hidden": True,
    }
    return answer.model_copy(update=update)
