"""What the address of a page asks for, checked."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from app.web.models.base import LONGEST_CURSOR
from app.web.problems import BadParameter

__all__ = ["GridQuery", "ListQuery", "SearchQuery", "asked"]

_Query = TypeVar("_Query", bound=BaseModel)


class ListQuery(BaseModel):
    """What every list takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str | None = Field(default=None, max_length=255)
    cursor: str | None = Field(default=None, max_length=LONGEST_CURSOR)
    limit: int = Field(default=50, ge=1, le=500)


class GridQuery(ListQuery):
    """What a page with a grid takes: each student is a line of up to hundreds of cells."""

    limit: int = Field(default=50, ge=1, le=100)


class SearchQuery(ListQuery):
    """What a list takes that can be searched."""

    q: str | None = Field(default=None, max_length=255)


def asked(request: Request, form: type[_Query]) -> _Query:
    """Return the address's query; what a form sends empty counts as not sent.

    Raises BadParameter, which names the parameter.
    """
    given = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    try:
        return form.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"])) or "query"
        if first["type"] == "extra_forbidden":
            known = ", ".join(form.model_fields)
            raise BadParameter(
                f"this page knows no parameter {name[:50]!r}", hint=f"it knows {known}", parameter=name
            ) from None
        message = first["msg"][:1].lower() + first["msg"][1:]
        raise BadParameter(f"{name}: {message}", parameter=name) from None
