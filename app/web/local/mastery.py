"""Lists of rows."""

from collections.abc import Iterable

from app.views.answers import Line, Page
from app.web.local.ground import Ground
from app.web.local.scales import Scales, ShownScale
from app.web.models.mastery import MasteryPage, MasteryQuery, MasteryRow
from app.web.searches import scope_of, search_of
from app.web.security.viewer import Viewer

__all__ = ["Rows"]


class Rows:
    """Answers about rows, one for each student, outcome and course."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def page(self, viewer: Viewer, query: MasteryQuery) -> MasteryPage:
        """A part of the list."""
        ground = self._ground
        fresh = ground.freshness()

        def look() -> tuple[Page[Line], tuple[MasteryRow, ...]]:
            page = ground.views.search(search_of(query), scope_of(viewer))
            return page, self.shown(page.rows)

        page, rows = await ground.run(look)
        return MasteryPage(freshness=fresh, rows=rows, next=page.next, previous=page.previous)

    def shown(self, lines: Iterable[Line]) -> tuple[MasteryRow, ...]:
        """Lines with levels and colours. Looks into the definitions' file."""
        scales = Scales(self._ground.definitions.lookup())
        known: dict[tuple[str, str, str | None], ShownScale | None] = {}
        shown = []
        for line in lines:
            key = (line.root_account_uuid, line.learning_outcome_id, line.course_id)
            if key not in known:
                known[key] = scales.of(*key)
            shown.append(_row(line, known[key]))
        return tuple(shown)


def _row(line: Line, scale: ShownScale | None) -> MasteryRow:
    level = None if scale is None else scale.reached(line.score, line.mastery)
    # A line has the scale of the row; its course may have one of its own.
    own = scale if scale is not None and scale.holds(line.score, line.mastery) else line
    return MasteryRow(
        root_account_uuid=line.root_account_uuid,
        user_uuid=line.user_uuid,
        learning_outcome_id=line.learning_outcome_id,
        outcome_title=line.outcome_title,
        course_id=line.course_id,
        score=line.score,
        mastery=line.mastery,
        rating=line.rating if line.rating is not None or level is None else level.description,
        rating_color=None if level is None else level.color,
        results_count=line.results_count,
        last_assessed_at=line.last_assessed_at,
        overall_score=line.overall_score,
        overall_mastery=line.overall_mastery,
        mastery_points=own.mastery_points,
        points_possible=own.points_possible,
        calculation_method=line.calculation_method,
        calculation_int=line.calculation_int,
        definition_state=line.definition_state,
    )
