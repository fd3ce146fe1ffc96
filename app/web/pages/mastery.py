"""`/mastery`: look for rows. What is asked for is all in the address."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from app.web.models.mastery import MasteryQuery, Sort
from app.web.pages.rendering import Pages, href
from app.web.problems import BadParameter

__all__ = ["mastery", "query_of", "read_query"]

#: How the parameters are called on the page, for a message about one of them.
_NAMES = {
    "account": "Root account",
    "cursor": "the place in the list",
    "mastered": "Mastered",
    "score_from": "Score from",
    "score_to": "Score to",
}


async def mastery(pages: Pages, request: Request) -> Response:
    """The page."""
    query = read_query(request.query_params)
    answer = await pages.answers_of(request).mastery(pages.viewer_of(request), query)
    asked = query_of(query)
    first = {name: value for name, value in asked.items() if name != "cursor"}
    return pages.page(
        request,
        "mastery.html",
        answer,
        query=query,
        asked=first,
        narrowed=[name for name in first if name not in {"sort", "limit"}],
        api_json=href("/api/mastery", **asked),
        api_csv=href("/api/mastery", **asked, format="csv"),
    )


def read_query(given: Mapping[str, str]) -> MasteryQuery:
    """The query of an address. What is empty, as a form sends it, is not asked for."""
    try:
        return MasteryQuery.model_validate({name: value for name, value in given.items() if value.strip()})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "query"
        known = name in MasteryQuery.model_fields
        raise BadParameter(
            f"{_NAMES.get(name, name)}: {_reason(first['msg'])}"
            if known
            else f"there is no parameter {name}",
            hint=f"Sort by one of {', '.join(Sort)}." if name == "sort" else None,
            parameter=name,
        ) from None


def query_of(query: MasteryQuery) -> dict[str, Any]:
    """What of a query differs from asking for nothing, as the parameters of an address."""
    return query.model_dump(mode="json", exclude_defaults=True)


def _reason(message: str) -> str:
    return message[:1].lower() + message[1:]
