"""All pages, and what they load."""

from starlette.routing import Route

from app.web.pages.mastery import mastery
from app.web.pages.overview import overview
from app.web.pages.rendering import Handler, Pages
from app.web.pages.students import student

__all__ = ["page_routes"]

_HANDLERS: dict[str, Handler] = {
    "/": overview,
    "/mastery": mastery,
    "/users/{uuid}": student,
}


def page_routes(pages: Pages) -> list[Route]:
    """Routes of all pages and of what they load."""
    return [*(pages.route(path, handler) for path, handler in _HANDLERS.items()), pages.assets.route()]
