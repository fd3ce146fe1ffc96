"""Courses: the list, and one as students by outcomes."""

from app.views.answers import CourseGrid, CourseStats, Line, OutcomeStats
from app.web.local.ground import Ground
from app.web.local.scales import Scales, ShownScale
from app.web.models.groups import (
    CourseAnswer,
    CourseList,
    CourseSummary,
    GridCell,
    GridOutcome,
    GridStudent,
)
from app.web.problems import BadParameter
from app.web.searches import scope_of
from app.web.security.viewer import Viewer

__all__ = ["Courses"]


class Courses:
    """Answers about courses, from the worker's own partitions."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def page(self, viewer: Viewer, account: str | None, cursor: str | None, limit: int) -> CourseList:
        """Courses with rows."""
        ground = self._ground
        fresh = ground.freshness()
        page = await ground.run(ground.views.courses, account, scope_of(viewer), cursor=cursor, limit=limit)
        courses = tuple(_summary(one) for one in page.rows)
        return CourseList(freshness=fresh, courses=courses, next=page.next, previous=page.previous)

    async def one(
        self, viewer: Viewer, course_id: str, account: str | None, cursor: str | None, limit: int
    ) -> CourseAnswer:
        """Students by outcomes. Raises NotFound, and NotReady where what is not there may yet come."""
        ground = self._ground
        fresh = ground.freshness()
        found = await ground.run(ground.views.course, course_id, account, scope_of(viewer))
        if not found:
            ground.require_views()
            raise ground.not_found("no course of this id has a result", hint="/courses lists those that have")
        if len(found) > 1:
            raise BadParameter(
                "several root accounts have a course of this id: "
                + ", ".join(one.root_account_uuid for one in found),
                hint="add ?account= with one of them",
                parameter="account",
                accounts=[one.root_account_uuid for one in found],
            )
        [stats] = found

        def look() -> CourseAnswer | None:
            grid = ground.views.course_grid(
                stats.root_account_uuid, course_id, scope_of(viewer), cursor=cursor, limit=limit
            )
            if grid is None:
                return None
            answer = _answer(grid, Scales(ground.definitions.lookup()))
            return CourseAnswer(freshness=fresh, **answer)

        answer = await ground.run(look)
        if answer is None:
            raise ground.not_found(
                "no course of this id has a result any more", hint="/courses lists those that have"
            )
        return answer


def _answer(grid: CourseGrid, scales: Scales) -> dict[str, object]:
    course = grid.course
    known = {
        one.learning_outcome_id: scales.of(
            course.root_account_uuid, one.learning_outcome_id, course.course_id
        )
        for one in grid.outcomes
    }
    columns = [one.learning_outcome_id for one in grid.outcomes]
    students = []
    for key, lines in grid.students.rows:
        cells = {line.learning_outcome_id: _cell(line, known.get(line.learning_outcome_id)) for line in lines}
        students.append(
            GridStudent(
                user_uuid=key.user_uuid,
                cells=tuple(cells.get(column) for column in columns),
            )
        )
    return {
        "course": _summary(course),
        "outcomes": tuple(_column(one, known[one.learning_outcome_id]) for one in grid.outcomes),
        "students": tuple(students),
        "next": grid.students.next,
        "previous": grid.students.previous,
    }


def _column(stats: OutcomeStats, scale: ShownScale | None) -> GridOutcome:
    return GridOutcome(
        learning_outcome_id=stats.learning_outcome_id,
        title=stats.outcome_title,
        mastery_points=None if scale is None else scale.mastery_points,
        points_possible=None if scale is None else scale.points_possible,
        mean=stats.total / stats.scored if stats.scored else None,
        students=stats.scored,
        mastered=stats.mastered,
    )


def _cell(line: Line, scale: ShownScale | None) -> GridCell:
    level = None if scale is None else scale.reached(line.score, line.mastery)
    return GridCell(
        score=line.score,
        mastery=line.mastery,
        rating=line.rating if level is None else level.description,
        color=None if level is None else level.color,
        level=None if scale is None else scale.step(line.score, line.mastery),
    )


def _summary(stats: CourseStats) -> CourseSummary:
    return CourseSummary(
        root_account_uuid=stats.root_account_uuid,
        course_id=stats.course_id,
        students=stats.students,
        outcomes=len(stats.outcomes),
        mastered=stats.mastered,
        scored=stats.scored,
    )
