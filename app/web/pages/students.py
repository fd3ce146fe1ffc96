"""`/users/{uuid}`: one student, each score down to the results behind it."""

from starlette.requests import Request
from starlette.responses import Response

from app.web.pages.rendering import Pages

__all__ = ["student"]


async def student(pages: Pages, request: Request) -> Response:
    """The page."""
    account = request.query_params.get("account") or None
    answer = await pages.answers_of(request).student(
        pages.viewer_of(request), request.path_params["uuid"], account
    )
    return pages.page(request, "student.html", answer)
