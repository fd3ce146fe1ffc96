"""`/outcomes` and `/outcomes/{id}`: how students stand on each outcome."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.web.models.groups import DefinitionVersion, OutcomeSummary
from app.web.pages.asked import ListQuery, SearchQuery, asked
from app.web.pages.charts import score_chart
from app.web.pages.rendering import Pages
from app.web.pages.words import CANVAS_LEVELS

__all__ = ["SHADES", "outcome", "outcomes"]

#: From which share on a cell has the first shade, the second, and so on; nobody has none.
SHADES: Final = (0.0, 0.1, 0.25, 0.5, 0.75)
_MASTERY: Final = CANVAS_LEVELS.index("Mastery")


@dataclass(frozen=True, slots=True)
class StepCell:
    """Students on one step, or on neighbouring ones together. `shade`: 1 to 5 by share, 0 for nobody."""

    name: str
    step: int
    span: int
    students: int
    shade: int
    search: dict[str, float]
    """What `/mastery` finds these scores with."""


async def outcomes(pages: Pages, request: Request) -> Response:
    """The list."""
    query = asked(request, SearchQuery)
    answer = await pages.answers_of(request).outcomes(
        pages.viewer_of(request), query.q, query.account, query.cursor, query.limit
    )
    return pages.page(
        request,
        "outcomes.html",
        answer,
        query=query,
        lines=[(one, list(_cells(one))) for one in answer.outcomes],
        shades=SHADES,
        level_names=CANVAS_LEVELS,
    )


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
        chart=score_chart(answer.score_counts, held.mastery_points, held.points_possible),
        changes=[
            (version, _changed(version, before))
            # A last one without one before it; no pair at all without history.
            for version, before in zip(answer.history, (*answer.history[1:], None), strict=False)
        ],
    )


def _cells(summary: OutcomeSummary) -> Iterator[StepCell]:
    """The cells of an outcome's line; nothing where nobody has a score, or steps are not shown."""
    if not summary.scored:
        return
    above: float | None = None
    for one in summary.steps:
        search = {} if one.points is None else {"score_from": one.points}
        if above is not None:
            # Scores have two decimal places.
            search["score_to"] = (math.ceil(round(above * 100, 6)) - 1) / 100
        yield StepCell(
            name=" or ".join(CANVAS_LEVELS[step] for step in one.steps),
            # Joined ones have the colour of that next to mastery.
            step=max(one.steps) if max(one.steps) < _MASTERY else min(one.steps),
            span=len(one.steps),
            students=one.students,
            shade=sum(one.students / summary.scored >= share for share in SHADES) if one.students else 0,
            search=search,
        )
        above = above if one.points is None else one.points


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
