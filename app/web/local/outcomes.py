"""Outcomes: the list, and how students stand in one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from app.mastery.resolve import Definition
from app.views.answers import OutcomeScore, OutcomeStats, Page, Scope
from app.web.cluster.merge import median_of
from app.web.local.ground import Ground
from app.web.local.history import Histories
from app.web.local.mastery import Rows
from app.web.local.outcome_list import OutcomeDirectory
from app.web.local.scales import STEPS, Scales, ShownLevel, ShownScale
from app.web.models.base import Freshness
from app.web.models.groups import LevelCount, OutcomeAnswer, OutcomeList, OutcomeSummary, StepCount
from app.web.problems import BadParameter
from app.web.searches import scope_of
from app.web.security.viewer import Viewer

__all__ = ["Outcomes"]

#: Canvas's word for the level from which on an outcome is mastered, where a scale names none.
_MASTERY: Final = "Mastery"


class Outcomes:
    """Answers about outcomes, from the worker's own partitions and the definitions."""

    def __init__(self, ground: Ground, rows: Rows, histories: Histories) -> None:
        self._ground = ground
        self._rows = rows
        self._histories = histories
        self._directory = OutcomeDirectory(ground.views, ground.definitions)

    async def page(
        self, viewer: Viewer, text: str | None, account: str | None, cursor: str | None, limit: int
    ) -> OutcomeList:
        """Outcomes with rows or a definition, by title."""
        ground = self._ground
        fresh = ground.freshness()

        def look() -> tuple[Page[OutcomeStats], tuple[OutcomeSummary, ...]]:
            lookup, scope = ground.definitions.lookup(), scope_of(viewer)
            scales = Scales(lookup)
            page = self._directory.page(scope, text=text, account=account, cursor=cursor, limit=limit)
            outcomes = []
            for one in page.rows:
                account_of, outcome = one.root_account_uuid, one.learning_outcome_id
                # Who sees some courses is told nothing over all of them.
                counted = one.scored and viewer.courses is None
                scores = ground.views.outcome_scores(account_of, outcome, scope) if counted else {}
                steps = _steps(scales.of(account_of, outcome), scores)
                outcomes.append(_summary(one, lookup.resolve(account_of, outcome), steps))
            return page, tuple(outcomes)

        page, outcomes = await ground.run(look)
        return OutcomeList(freshness=fresh, outcomes=outcomes, next=page.next, previous=page.previous)

    async def one(
        self, viewer: Viewer, outcome_id: str, account: str | None, *, local: bool = False
    ) -> OutcomeAnswer:
        """One outcome. Raises NotFound, and NotReady where what is not there may yet come."""
        ground = self._ground
        fresh = ground.freshness()
        stats = await ground.run(self._found, outcome_id, account, scope_of(viewer))
        if not stats:
            ground.require_views()
            raise ground.not_found("no outcome of this id is known", hint="/outcomes lists those that are")
        if len({one.root_account_uuid for one in stats}) > 1:
            with_rows = [one for one in stats if one.rows]
            if len(with_rows) != 1 and not (local and not with_rows):
                raise BadParameter(
                    "several root accounts have an outcome of this id: "
                    + ", ".join(one.root_account_uuid for one in stats),
                    hint="add ?account= with one of them",
                    parameter="account",
                    accounts=[one.root_account_uuid for one in stats],
                )
            stats = with_rows or stats
        answer = await ground.run(self._answer, stats[0], fresh, scope_of(viewer), viewer.sees_students)
        told = ground.definitions.lookup().find(answer.outcome.root_account_uuid, outcome_id)
        if told is None:
            return answer
        history = await self._histories.of(told.root_account_uuid, told.learning_outcome_id)
        return answer.model_copy(
            update={
                "history": history.versions,
                "history_complete": history.complete,
                "description": history.description,
            }
        )

    def _found(self, outcome_id: str, account: str | None, scope: Scope) -> list[OutcomeStats]:
        """Its numbers by root account; those of a definition alone are 0."""
        found = {one.root_account_uuid: one for one in self._ground.views.outcome(outcome_id, account, scope)}
        lookup = self._ground.definitions.lookup()
        accounts = lookup.accounts() if account is None else [account]
        for one in accounts:
            if one not in found and (scope.accounts is None or one in scope.accounts):
                # A global outcome is everybody's: it is shown where it was told of, unless there are rows.
                told = lookup.outcome(one, outcome_id) if account is None else lookup.find(one, outcome_id)
                if told is not None:
                    found[one] = OutcomeStats(one, outcome_id, told.title, 0, 0, 0, 0.0)
        return [found[one] for one in sorted(found)]

    def _answer(self, stats: OutcomeStats, fresh: Freshness, scope: Scope, students: bool) -> OutcomeAnswer:  # noqa: FBT001
        ground = self._ground
        account, outcome = stats.root_account_uuid, stats.learning_outcome_id
        lookup = ground.definitions.lookup()
        definition = lookup.resolve(account, outcome)
        basis = definition.basis
        scale = Scales(lookup).of(account, outcome)
        scores = ground.views.outcome_scores(account, outcome, scope)
        counts: Counter[str] = Counter()
        for one, number in scores.items():
            if one.score is not None:
                counts[str(one.score)] += number
        near = ground.views.near_mastery(account, outcome, scope) if students else ()
        return OutcomeAnswer(
            freshness=fresh,
            outcome=_summary(stats, definition, _steps(scale, scores)),
            scale_source=None if basis is None else basis.source.value,
            definition_version=None if basis is None else basis.version,
            definition_time=None if basis is None or basis.time is None else basis.time / 1000,
            levels=_levels(scale, scores),
            no_evidence=sum(number for one, number in scores.items() if one.score is None),
            median=median_of(counts),
            score_counts=dict(sorted(counts.items(), key=lambda one: float(one[0]))),
            near_mastery=self._rows.shown(near),
            history=(),
            history_complete=basis is None,
            courses=tuple(ground.views.outcome_courses(account, outcome, scope)),
        )


def _summary(stats: OutcomeStats, definition: Definition, steps: tuple[StepCount, ...]) -> OutcomeSummary:
    basis = definition.basis
    return OutcomeSummary(
        root_account_uuid=stats.root_account_uuid,
        learning_outcome_id=stats.learning_outcome_id,
        title=stats.outcome_title if stats.outcome_title is not None else definition.title,
        definition_state="unknown" if basis is None else basis.state.value,
        calculation_method=None if basis is None else basis.method.value,
        calculation_int=None if basis is None else basis.n,
        mastery_points=None if basis is None else basis.scale.mastery_points,
        points_possible=None if basis is None else basis.scale.points_possible,
        students=stats.rows,
        scored=stats.scored,
        mastered=stats.mastered,
        mean=stats.total / stats.scored if stats.scored else None,
        steps=steps,
    )


def _steps(scale: ShownScale | None, scores: Mapping[OutcomeScore, int]) -> tuple[StepCount, ...]:
    """Students by step: each on that of the level that they count for."""
    if scale is None:
        return ()
    levels = _all_levels(scale)
    counted: Counter[int] = Counter()
    for one, number in scores.items():
        if one.score is not None:
            level = _reached(levels, one, scale.mastery_points)
            counted[scale.step_of(level, mastery=bool(one.mastery))] += number
    return tuple(
        StepCount(steps=(step,), students=counted[step], points=scale.points_of(step)) for step in STEPS
    )


def _all_levels(scale: ShownScale) -> Sequence[ShownLevel]:
    return scale.levels or (ShownLevel(scale.mastery_points, _MASTERY, None),)


def _levels(scale: ShownScale | None, scores: Mapping[OutcomeScore, int]) -> tuple[LevelCount, ...]:
    """Students by level, the highest first; those below the lowest level last.

    Every worker tells the same levels, so that their counts add up.
    """
    if scale is None:
        return ()
    levels = _all_levels(scale)
    counted: Counter[ShownLevel | None] = Counter()
    for one, number in scores.items():
        if one.score is not None:
            counted[_reached(levels, one, scale.mastery_points)] += number
    told: list[LevelCount] = [
        LevelCount(
            points=level.points,
            description=level.description,
            color=level.color,
            mastery=level.points >= scale.mastery_points,
            students=counted[level],
            step=scale.step_of(level, mastery=level.points >= scale.mastery_points),
        )
        for level in dict.fromkeys(levels)
    ]
    if counted[None] or levels[-1].points > 0:
        step = scale.step_of(None, mastery=False)
        told.append(
            LevelCount(points=None, description=None, mastery=False, students=counted[None], step=step)
        )
    return tuple(told)


def _reached(levels: Sequence[ShownLevel], one: OutcomeScore, mastery_points: float) -> ShownLevel | None:
    """The level that a score counts for.

    A row may be rated on a course's own scale. Then its level is that of the same name, if there is one; and
    whatever its level, who has mastered the outcome stands above those who have not.
    """
    named = [level for level in levels if one.rating is not None and level.description == one.rating]
    by_points = next((level for level in levels if one.score is not None and level.points <= one.score), None)
    reached = named[0] if len(named) == 1 else by_points
    if one.mastery is (reached is not None and reached.points >= mastery_points):
        return reached
    of_mastery = [level for level in levels if level.points >= mastery_points]
    if one.mastery:
        return of_mastery[-1] if of_mastery else reached
    return next((level for level in levels if level not in of_mastery), None)
