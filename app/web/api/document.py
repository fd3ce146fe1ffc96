"""The OpenAPI document: made from the routes and the models of the answers."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app import __version__
from app.web.api.answering import HEADERS
from app.web.api.problems import ProblemDetails
from app.web.models.stream import Change
from app.web.problems import (
    BadParameter,
    Forbidden,
    NotFound,
    NotReady,
    Problem,
    TooManyRequests,
    Unauthorized,
)

__all__ = ["make_document"]

_DESCRIPTION: Final = """\
How students stand in Canvas's learning outcomes, and how the stream that finds it out is doing.

* Times are seconds since 1970, unless a field says otherwise.
* Every answer has `freshness`: when it was true, and which workers it comes from. Where a worker's part is
  missing, `freshness.workers` names it, and `Mastery-Complete` is `false`.
* Lists come by the page. `next` and `previous` are cursors: hand them back with the same query. They hold
  while rows change, and skip or repeat none that was there all along.
* Errors are problem details (RFC 9457). A 503 says by `Retry-After` when to ask again.
* `ETag` with `If-None-Match` gives a 304 when nothing has changed.
"""

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
#: What may come of every address; of those with an id also 404.
_PROBLEMS: Final[tuple[type[Problem], ...]] = (
    BadParameter,
    Unauthorized,
    Forbidden,
    TooManyRequests,
    NotReady,
)
_RETRY: Final = {429, 503}
#: What app.web.security.form refuses before an address is looked at.
_FORM: Final = {
    "413": "The request is too large.",
    "414": "The address is too long.",
    "421": "The request names another host.",
    "431": "The headers are too large.",
}


def make_document(app: FastAPI) -> dict[str, Any]:
    """Return the document of the app's routes."""
    document = get_openapi(
        title="mastery-stream",
        version=__version__,
        description=_DESCRIPTION,
        routes=app.routes,
        tags=[
            {"name": "Mastery", "description": "Students and their scores."},
            {"name": "Groups", "description": "Outcomes and courses: many students at once."},
            {"name": "Stream", "description": "From raw events to rows, and what went wrong on the way."},
        ],
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (ProblemDetails, Change):
        schemas.setdefault(model.__name__, model.model_json_schema())
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A token of this server."},
        "basic": {"type": "http", "scheme": "basic", "description": "Name and password of a person."},
    }
    # The empty one: on loopback, no login is asked for unless one is configured.
    document["security"] = [{}, {"bearer": []}, {"basic": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
    return document


def _complete(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    fine = responses["200"]
    if "text/event-stream" not in fine["content"]:
        fine["description"] = "The answer."
        fine["headers"] = _headers(HEADERS)
        responses["304"] = {
            "description": "Nothing has changed since the answer with this ETag.",
            "headers": _headers(HEADERS),
        }
    for status, text in _FORM.items():
        responses[status] = {"description": text, "content": _PROBLEM}
    problems: list[type[Problem]] = [*_PROBLEMS, NotFound] if "{" in path else list(_PROBLEMS)
    for problem in sorted(problems, key=_status):
        responses[str(problem.status)] = _problem_response(problem)


def _status(problem: type[Problem]) -> int:
    return problem.status


def _problem_response(problem: type[Problem]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": f"{problem.title}.", "content": _PROBLEM}
    if problem.status in _RETRY:
        response["headers"] = {
            "Retry-After": {"description": "Seconds until asking again.", "schema": {"type": "string"}}
        }
    return response


def _headers(told: dict[str, str]) -> dict[str, Any]:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in told.items()}
