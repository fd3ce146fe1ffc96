"""All pages, and what they load."""

from starlette.routing import Route

from app.web.pages.courses import course, courses
from app.web.pages.mastery import mastery
from app.web.pages.outcomes import outcome, outcomes
from app.web.pages.overview import overview
from app.web.pages.rendering import Handler, Pages
from app.web.pages.stream import dead_letter, dead_letters, status, topic, topics
from app.web.pages.students import student

__all__ = ["page_routes"]

_HANDLERS: dict[str, Handler] = {
    "/": overview,
    "/mastery": mastery,
    "/users/{uuid}": student,
    "/outcomes": outcomes,
    "/outcomes/{id}": outcome,
    "/courses": courses,
    "/courses/{id}": course,
    "/dead-letters": dead_letters,
    "/dead-letters/{partition}/{offset}": dead_letter,
    "/topics": topics,
    "/topics/{name}": topic,
    "/status": status,
}


def page_routes(pages: Pages) -> list[Route]:
    """Routes of all pages and of what they load."""
    return [*(pages.route(path, handler) for path, handler in _HANDLERS.items()), pages.assets.route()]
