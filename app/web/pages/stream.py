"""Pages of the stream itself: `/dead-letters`, `/topics` and `/status`."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.web.models.stream import DeadLetterQuery
from app.web.pages.asked import asked
from app.web.pages.charts import time_chart
from app.web.pages.rendering import Pages
from app.web.problems import NotFound

__all__ = ["dead_letter", "dead_letters", "json_text", "status", "topic", "topics"]

#: Digits of an offset: Kafka's are 64 bits wide.
_LONGEST = 18


async def dead_letters(pages: Pages, request: Request) -> Response:
    """The list and counts."""
    query = asked(request, DeadLetterQuery)
    answer = await pages.answers_of(request).dead_letters(pages.viewer_of(request), query)
    chart = time_chart(answer.counts, pages.clock(), query.kind)
    return pages.page(request, "dead_letters.html", answer, query=query, chart=chart)


async def dead_letter(pages: Pages, request: Request) -> Response:
    """One dead letter."""
    partition, offset = (request.path_params[name] for name in ("partition", "offset"))
    if not all(text.isascii() and text.isdigit() and len(text) <= _LONGEST for text in (partition, offset)):
        raise NotFound("there is no dead letter at this address", hint="it is /dead-letters/PARTITION/OFFSET")
    answer = await pages.answers_of(request).dead_letter(
        pages.viewer_of(request), int(partition), int(offset)
    )
    return pages.page(request, "dead_letter.html", answer)


async def topics(pages: Pages, request: Request) -> Response:
    """The catalogue."""
    answer = await pages.answers_of(request).topics(pages.viewer_of(request))
    return pages.page(request, "topics.html", answer)


async def topic(pages: Pages, request: Request) -> Response:
    """One topic."""
    answer = await pages.answers_of(request).topic(pages.viewer_of(request), request.path_params["name"])
    return pages.page(request, "topic.html", answer, json_text=json_text)


async def status(pages: Pages, request: Request) -> Response:
    """Workers, settings, versions."""
    answer = await pages.answers_of(request).status(pages.viewer_of(request))
    states = {one.name: one for one in answer.freshness.workers}
    return pages.page(request, "status.html", answer, states=states)


def json_text(value: Any) -> str:
    """A decoded value for a person; text as it is."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
