"""`/`: what needs attention first, then the flow as a picture."""

from starlette.requests import Request
from starlette.responses import Response

from app.web.pages.rendering import Pages

__all__ = ["overview"]


async def overview(pages: Pages, request: Request) -> Response:
    """The page."""
    answer = await pages.answers_of(request).overview(pages.viewer_of(request))
    return pages.page(request, "overview.html", answer)
