"""`/mastery`: look for rows. What is asked for is all in the address."""

from starlette.requests import Request
from starlette.responses import Response

from app.web.models.mastery import MasteryQuery
from app.web.pages.rendering import Pages

__all__ = ["mastery"]


async def mastery(pages: Pages, request: Request) -> Response:
    """The page."""
    query = MasteryQuery()
    answer = await pages.answers_of(request).mastery(pages.viewer_of(request), query)
    return pages.page(request, "mastery.html", answer, query=query)
