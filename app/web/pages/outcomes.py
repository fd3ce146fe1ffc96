"""`/outcomes` and `/outcomes/{id}`: how students stand on each outcome."""

from starlette.requests import Request
from starlette.responses import Response

from app.web.models.groups import DefinitionVersion, OutcomeAnswer
from app.web.pages.asked import ListQuery, SearchQuery, asked
from app.web.pages.charts import score_chart
from app.web.pages.rendering import Pages

__all__ = ["outcome", "outcomes"]


async def outcomes(pages: Pages, request: Request) -> Response:
    """The list."""
    query = asked(request, SearchQuery)
    answer = await pages.answers_of(request).outcomes(
        pages.viewer_of(request), query.q, query.account, query.cursor, query.limit
    )
    return pages.page(request, "outcomes.html", answer, query=query)


async def outcome(pages: Pages, request: Request) -> Response:
    """One outcome."""
    query = asked(request, ListQuery)
    answer = await pages.answers_of(request).outcome(
        pages.viewer_of(request), request.path_params["id"], query.account
    )
    held = answer.outcome
    return pages.page(
        request,
        "outcome.html",
        answer,
        query=query,
        levels=list(zip(answer.levels, _steps(answer), strict=True)),
        chart=score_chart(answer.score_counts, held.mastery_points, held.points_possible),
        changes=[
            (version, _changed(version, before))
            # A last one without one before it; no pair at all without history.
            for version, before in zip(answer.history, (*answer.history[1:], None), strict=False)
        ],
    )


def _steps(answer: OutcomeAnswer) -> list[int]:
    """Step of the colours of each level, from that of mastery on; all above that are one, as in Canvas."""
    mastery = answer.outcome.mastery_points
    steps = []
    below = 2
    for level in answer.levels:
        if level.mastery:
            above = mastery is not None and level.points is not None and level.points > mastery
            steps.append(4 if above else 3)
        else:
            steps.append(max(0, below))
            below -= 1
    return steps


def _changed(version: DefinitionVersion, before: DefinitionVersion | None) -> frozenset[str]:
    """Names of what differs from the version before it; `method` and `scale` stand for several fields."""
    if before is None:
        return frozenset()
    parts = {
        "title": ("title",),
        "method": ("calculation_method", "calculation_int"),
        "mastery": ("mastery_points", "points_possible"),
        "levels": ("levels",),
    }
    return frozenset(
        name
        for name, fields in parts.items()
        if any(getattr(version, field) != getattr(before, field) for field in fields)
    )
