"""Problem details (RFC 9457) for whatever goes wrong with a request of the API."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.web.failures import Failures
from app.web.problems import BadParameter, NotFound, Problem
from app.web.security.refusal import refusal

__all__ = ["ProblemDetails", "handle_problems"]

#: Characters of a parameter's name that are told back.
_SHOWN = 50


class ProblemDetails(BaseModel):
    """Why there is no answer (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="about:blank: the title says it all.")
    title: str = Field(description="What is wrong, alike for all problems of the kind.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What is wrong with this request, for a person.")
    hint: str | None = Field(default=None, description="What to do about it.")
    parameter: str | None = Field(default=None, description="The parameter that is wrong (400).")
    progress: float | None = Field(default=None, description="0 to 1, while rows are restored (503).")


class _MethodUnknown(Problem):
    """Another method than GET."""

    status, title = HTTPStatus.METHOD_NOT_ALLOWED, "This can only be read"


def handle_problems(app: FastAPI) -> None:
    """Have every error of the app's routes answered with problem details."""

    async def problem(request: Request, error: Exception) -> Response:
        return refusal(request.scope, _problem_of(error))

    for kind in (Problem, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, problem)
    app.add_middleware(Failures, page=lambda request, found: refusal(request.scope, found))


def _problem_of(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _bad_parameter(error.errors()[0])
        case HTTPException(status_code=HTTPStatus.NOT_FOUND):
            return NotFound("there is nothing at this address", hint="/api/docs lists the addresses")
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            return _MethodUnknown("this address takes no other method than GET", headers=error.headers)
        case HTTPException():
            return BadParameter("this request cannot be understood")
    raise error


def _bad_parameter(told: dict[str, Any]) -> BadParameter:
    name = str(told["loc"][-1])[:_SHOWN]
    if told["type"] == "extra_forbidden":
        return BadParameter(
            f"this address knows no parameter {name!r}",
            hint="/api/docs lists the parameters of each address",
            parameter=name,
        )
    message = str(told["msg"])
    return BadParameter(f"{name}: {message[:1].lower()}{message[1:]}", parameter=name)
