"""`/courses` and `/courses/{id}`: students by outcomes as a heat map."""

from starlette.requests import Request
from starlette.responses import Response

from app.web.models.groups import CourseAnswer
from app.web.pages.asked import GridQuery, ListQuery, asked
from app.web.pages.rendering import Pages

__all__ = ["course", "courses"]


async def courses(pages: Pages, request: Request) -> Response:
    """The list."""
    query = asked(request, ListQuery)
    answer = await pages.answers_of(request).courses(
        pages.viewer_of(request), query.account, query.cursor, query.limit
    )
    return pages.page(request, "courses.html", answer, query=query)


async def course(pages: Pages, request: Request) -> Response:
    """One course."""
    query = asked(request, GridQuery)
    answer = await pages.answers_of(request).course(
        pages.viewer_of(request), request.path_params["id"], query.account, query.cursor, query.limit
    )
    return pages.page(request, "course.html", answer, query=query, own_levels=_own_levels(answer))


def _own_levels(answer: CourseAnswer) -> list[tuple[str, str, int | None]]:
    """Names, colours and steps of the levels on the page that a scale gives a colour, the highest first."""
    found = {
        (cell.rating, cell.color, cell.level)
        for student in answer.students
        for cell in student.cells
        if cell is not None and cell.color is not None and cell.rating is not None
    }
    return sorted(found, key=lambda one: (-(one[2] if one[2] is not None else -1), one[0]))
