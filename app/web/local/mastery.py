"""Lists of rows."""

from collections.abc import Iterable
from typing import Final

from app.roster import Roster
from app.views.answers import Line, Order, Page, Search
from app.web.local.ground import Ground, scope_of
from app.web.local.scales import Scales, ShownScale
from app.web.models.mastery import MasteryPage, MasteryQuery, MasteryRow
from app.web.security.viewer import Viewer

__all__ = ["Rows", "search_of"]

#: Students of one name that are looked for.
_NAMESAKES: Final = 200


def search_of(query: MasteryQuery, roster: Roster) -> Search:
    """What is looked for in views. A student's name in the roster stands for the student."""
    users = None if not query.user else (query.user, *roster.find_users(query.user, _NAMESAKES))
    return Search(
        account=query.account or None,
        users=users,
        outcome=query.outcome or None,
        course=query.course or None,
        mastered=query.mastered,
        score_from=query.score_from,
        score_to=query.score_to,
        order=Order(query.sort.value),
        limit=query.limit,
        cursor=query.cursor or None,
    )


class Rows:
    """Answers about rows, one for each student, outcome and course."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def page(self, viewer: Viewer, query: MasteryQuery) -> MasteryPage:
        """A part of the list."""
        ground = self._ground
        fresh = ground.freshness()

        def look() -> tuple[Page[Line], tuple[MasteryRow, ...]]:
            page = ground.views.search(search_of(query, ground.roster()), scope_of(viewer))
            return page, self.shown(page.rows)

        page, rows = await ground.run(look)
        return MasteryPage(freshness=fresh, rows=rows, next=page.next, previous=page.previous)

    def shown(self, lines: Iterable[Line]) -> tuple[MasteryRow, ...]:
        """Lines with names, levels and colours. Looks into the definitions' file."""
        roster, scales = self._ground.roster(), Scales(self._ground.definitions.lookup())
        known: dict[tuple[str, str, str | None], ShownScale | None] = {}
        shown = []
        for line in lines:
            key = (line.root_account_uuid, line.learning_outcome_id, line.course_id)
            if key not in known:
                known[key] = scales.of(*key)
            shown.append(_row(line, known[key], roster))
        return tuple(shown)


def _row(line: Line, scale: ShownScale | None, roster: Roster) -> MasteryRow:
    level = None if scale is None else scale.reached(line.score, line.mastery)
    return MasteryRow(
        root_account_uuid=line.root_account_uuid,
        user_uuid=line.user_uuid,
        user_name=roster.user_name(line.user_uuid),
        learning_outcome_id=line.learning_outcome_id,
        outcome_title=line.outcome_title,
        course_id=line.course_id,
        course_name=roster.course_name(line.course_id),
        score=line.score,
        mastery=line.mastery,
        rating=line.rating if line.rating is not None or level is None else level.description,
        rating_color=None if level is None else level.color,
        results_count=line.results_count,
        last_assessed_at=line.last_assessed_at,
        overall_score=line.overall_score,
        overall_mastery=line.overall_mastery,
        mastery_points=line.mastery_points,
        points_possible=line.points_possible,
        calculation_method=line.calculation_method,
        calculation_int=line.calculation_int,
        definition_state=line.definition_state,
    )
