"""`FakeAnswers`: answers about a made-up school, for the pages and for tests of what stands before them."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

from app.mastery.rounding import round_to_cents
from app.mastery.row import Row
from app.web.answers import Answers
from app.web.models.base import Freshness, PartitionState, WorkerAnswer, WorkerState
from app.web.models.groups import (
    CourseAnswer,
    CourseList,
    CourseSummary,
    DefinitionVersion,
    GridCell,
    GridOutcome,
    GridStudent,
    LevelCount,
    OutcomeAnswer,
    OutcomeList,
    OutcomeSummary,
    StepCount,
)
from app.web.models.mastery import (
    CourseScoreDetail,
    MasteryPage,
    MasteryQuery,
    MasteryRow,
    Sort,
    StudentAnswer,
    StudentOutcome,
)
from app.web.models.stream import (
    DeadLetterAnswer,
    DeadLetterCount,
    DeadLetterPage,
    DeadLetterQuery,
    Overview,
    StatusAnswer,
    TopicAnswer,
    TopicList,
)
from app.web.problems import BadParameter, NotFound, Problem
from app.web.security.viewer import Viewer
from tests.web.fake_school import ACCOUNT, COURSES, HOSTILE, FakeOutcome, FakeSchool
from tests.web.fake_stream import dead_letters, overview, status, topic_answer, topics

__all__ = ["NOW", "FakeAnswers", "freshness"]

#: When tests look: 2026-09-21 14:13:20 UTC.
NOW = 1_790_000_000.0


def freshness(now: float = NOW, *states: WorkerState) -> Freshness:
    """Two workers, or one for each of `states`."""
    workers = []
    for place, state in enumerate(states or (WorkerState.ANSWERED, WorkerState.ANSWERED)):
        answered = state is WorkerState.ANSWERED
        workers.append(
            WorkerAnswer(
                name=f"worker-{place + 1}.school.example:6066",
                state=state,
                detail=None if answered else f"it is {state.value}",
                partitions=tuple(
                    PartitionState(
                        partition=each,
                        applied=1200 + each,
                        end=1203 + each,
                        restoring=state is WorkerState.RESTORING,
                    )
                    for each in range(place, 6, 2)
                ),
                progress=0.42 if state is WorkerState.RESTORING else None,
            )
        )
    return Freshness(as_of=now - 1.4, behind_seconds=1.4, behind_records=12, workers=tuple(workers))


@dataclass
class FakeAnswers(Answers):
    """Answers from a FakeSchool. `states`: what became of each worker; `problem`: raised instead."""

    now: float = NOW
    count: int = 60
    states: Sequence[WorkerState] = ()
    problem: Problem | None = None
    empty: bool = False
    """Whether nothing has come yet."""
    school: FakeSchool = field(init=False)
    _rows: list[MasteryRow] | None = None
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """What was asked, by method."""

    def __post_init__(self) -> None:
        self.school = FakeSchool(self.now, 0 if self.empty else self.count)

    def first_student(self) -> str:
        """A student with a row for each outcome, some in two courses."""
        return next(iter(self.school.students))

    def _ask(self, what: str, detail: Any = None) -> Freshness:
        self.asked.append((what, detail))
        if self.problem is not None:
            raise self.problem
        return freshness(self.now, *self.states)

    async def overview(self, viewer: Viewer, *, local: bool = False) -> Overview:
        fresh = self._ask("overview")
        return overview(self.school, fresh, self.now, empty=self.empty)

    def rows(self) -> list[MasteryRow]:
        """Each student, outcome and course."""
        if self._rows is None:
            self._rows = [
                self._row(user, detail, course)
                for user, outcome in self.school.rows
                for detail in (self.school.student_outcome(user, outcome),)
                for course in detail.courses
            ]
        return self._rows

    def _row(self, user: str, detail: StudentOutcome, course: CourseScoreDetail) -> MasteryRow:
        return MasteryRow(
            root_account_uuid=ACCOUNT,
            user_uuid=user,
            user_name=self.school.students[user],
            learning_outcome_id=detail.learning_outcome_id,
            outcome_title=detail.outcome_title,
            course_id=course.course_id,
            course_name=course.course_name,
            score=course.score,
            mastery=course.mastery,
            rating=course.rating,
            rating_color=course.rating_color,
            results_count=course.results_count,
            last_assessed_at=course.last_assessed_at,
            overall_score=detail.overall.score,
            overall_mastery=detail.overall.mastery,
            mastery_points=detail.mastery_points,
            points_possible=detail.points_possible,
            calculation_method=detail.calculation_method,
            calculation_int=detail.calculation_int,
            definition_state=detail.definition_state,
        )

    async def mastery(self, viewer: Viewer, query: MasteryQuery, *, local: bool = False) -> MasteryPage:
        fresh = self._ask("mastery", query)
        rows = [row for row in self.rows() if _fits(row, query)]
        field_name = query.sort.lstrip("-")
        key = {"student": "user_uuid", "outcome": "outcome_title", "assessed": "last_assessed_at"}.get(
            field_name, field_name
        )
        some = [row for row in rows if getattr(row, key) is not None]
        none = [row for row in rows if getattr(row, key) is None]
        some.sort(
            key=lambda row: (getattr(row, key), row.user_uuid, row.learning_outcome_id),
            reverse=query.sort in {Sort.SCORE_DOWN, Sort.ASSESSED_DOWN},
        )
        page, before, after = _paged(some + none, query.cursor, query.limit)
        return MasteryPage(freshness=fresh, rows=tuple(page), next=after, previous=before)

    async def student(
        self, viewer: Viewer, user_uuid: str, account: str | None = None, *, local: bool = False
    ) -> StudentAnswer:
        fresh = self._ask("student", user_uuid)
        if user_uuid not in self.school.students or account not in {None, ACCOUNT}:
            raise NotFound(
                "no student of this id has a result", hint="Look for the student on the mastery page."
            )
        return StudentAnswer(
            freshness=fresh,
            user_uuid=user_uuid,
            user_name=self.school.students[user_uuid],
            outcomes=tuple(
                self.school.student_outcome(user, outcome)
                for user, outcome in self.school.rows
                if user == user_uuid
            ),
        )

    def _summary(self, outcome: FakeOutcome) -> OutcomeSummary:
        rows = [row for (_, each), row in self.school.rows.items() if each == outcome.id]
        scores = [row.score for row in rows if row.score is not None]
        any_row = rows[0] if rows else None
        return OutcomeSummary(
            root_account_uuid=ACCOUNT,
            learning_outcome_id=outcome.id,
            title=outcome.title,
            definition_state=any_row.definition_state if any_row else "known",
            calculation_method=any_row.calculation_method if any_row else outcome.method,
            calculation_int=any_row.calculation_int if any_row else outcome.n,
            mastery_points=any_row.mastery_points if any_row else outcome.mastery,
            points_possible=any_row.points_possible if any_row else outcome.points,
            students=len(rows),
            scored=len(scores),
            mastered=sum(bool(row.mastery) for row in rows),
            mean=round_to_cents(fmean(scores)) if scores else None,
            steps=self._steps(outcome, rows),
        )

    def _steps(self, outcome: FakeOutcome, rows: Sequence[Row]) -> tuple[StepCount, ...]:
        if not outcome.known:
            return ()
        places = outcome.steps
        of_row = [
            places.get(self.school.rating(row, row.score) or "", 3 if row.mastery else 1)
            for row in rows
            if row.score is not None
        ]
        points: dict[int, float] = {places[name]: float(points) for points, name in outcome.levels}
        return tuple(
            StepCount(steps=(step,), students=of_row.count(step), points=points.get(step))
            for step in (4, 3, 2, 1, 0)
        )

    async def outcomes(
        self,
        viewer: Viewer,
        text: str | None = None,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,
    ) -> OutcomeList:
        fresh = self._ask("outcomes", text)
        found = [
            self._summary(one)
            for one in self.school.outcomes.values()
            if text is None or text == one.id or text.lower() in (one.title or "").lower()
        ]
        found = (
            [] if self.empty else sorted(found, key=lambda one: (one.title or "", one.learning_outcome_id))
        )
        page, before, after = _paged(found, cursor, limit)
        return OutcomeList(freshness=fresh, outcomes=tuple(page), next=after, previous=before)

    async def outcome(
        self, viewer: Viewer, outcome_id: str, account: str | None = None, *, local: bool = False
    ) -> OutcomeAnswer:
        fresh = self._ask("outcome", outcome_id)
        if outcome_id not in self.school.outcomes or account not in {None, ACCOUNT}:
            raise NotFound("no outcome of this id is known")
        outcome = self.school.outcomes[outcome_id]
        summary = self._summary(outcome)
        rows = [row for (_, each), row in self.school.rows.items() if each == outcome_id]
        scores = sorted(row.score for row in rows if row.score is not None)
        reached = Counter(self.school.rating(row, row.score) for row in rows if row.score is not None)
        levels = [
            LevelCount(
                points=float(points),
                description=name,
                color=outcome.colour(name),
                mastery=summary.mastery_points is not None and points >= summary.mastery_points,
                students=reached.get(name, 0),
                step=outcome.steps[name],
            )
            for points, name in outcome.levels
            if outcome.known
        ]
        below = len(scores) - sum(level.students for level in levels)
        if below or not levels:
            levels.append(LevelCount(points=None, description=None, mastery=False, students=below, step=1))
        near = [
            row
            for row in self.rows()
            if row.learning_outcome_id == outcome_id and row.score is not None and row.mastery is False
        ]
        near.sort(key=lambda row: -(row.score or 0))
        versions = [
            DefinitionVersion(
                time=self.now - days * 86_400,
                event=event,
                title=title,
                calculation_method=method,
                calculation_int=n,
                mastery_points=outcome.mastery,
                points_possible=outcome.points,
                levels=tuple((float(points), name) for points, name in outcome.levels),
                in_force=days == 70,
            )
            for days, event, title, method, n in (
                (70, "learning_outcome_updated", outcome.title, outcome.method, outcome.n),
                (200, "learning_outcome_updated", HOSTILE, "latest", None),
                (300, "learning_outcome_created", "Working title", "highest", None),
            )
        ]
        return OutcomeAnswer(
            freshness=fresh,
            outcome=summary,
            description=f"<p>What a student can do. {HOSTILE}</p>\n<ul><li>one</li></ul>",
            scale_source="outcome" if outcome.known else None,
            definition_version="9f1c2ab34d" if outcome.known else None,
            definition_time=self.now - 70 * 86_400 if outcome.known else None,
            levels=tuple(levels),
            no_evidence=len(rows) - len(scores),
            median=round_to_cents(median(scores)) if scores else None,
            score_counts={str(score): count for score, count in sorted(Counter(scores).items())},
            near_mastery=tuple(near[:20]),
            history=tuple(versions) if outcome.known else (),
            courses=tuple(
                sorted(
                    {row.course_id for row in self.rows() if row.learning_outcome_id == outcome_id} - {None}
                )
            ),
        )

    def _course(self, course_id: str) -> CourseSummary:
        rows = [row for row in self.rows() if row.course_id == course_id]
        return CourseSummary(
            root_account_uuid=ACCOUNT,
            course_id=course_id,
            course_name=COURSES[course_id],
            students=len({row.user_uuid for row in rows}),
            outcomes=len({row.learning_outcome_id for row in rows}),
            mastered=sum(bool(row.mastery) for row in rows),
            scored=sum(row.score is not None for row in rows),
        )

    async def courses(
        self,
        viewer: Viewer,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,
    ) -> CourseList:
        fresh = self._ask("courses")
        page, before, after = _paged(
            [] if self.empty else [self._course(one) for one in COURSES], cursor, limit
        )
        return CourseList(freshness=fresh, courses=tuple(page), next=after, previous=before)

    async def course(
        self,
        viewer: Viewer,
        course_id: str,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        local: bool = False,
    ) -> CourseAnswer:
        fresh = self._ask("course", course_id)
        if course_id not in COURSES or account not in {None, ACCOUNT}:
            raise NotFound("no course of this id has a result")
        rows = [row for row in self.rows() if row.course_id == course_id]
        held = {(row.user_uuid, row.learning_outcome_id): row for row in rows}
        outcomes = [one for one in self.school.outcomes.values() if any(one.id == key[1] for key in held)]
        page, before, after = _paged(sorted({row.user_uuid for row in rows}), cursor, limit)
        columns = []
        for one in outcomes:
            of_it = [row for row in rows if row.learning_outcome_id == one.id]
            scores = [row.score for row in of_it if row.score is not None]
            columns.append(
                GridOutcome(
                    learning_outcome_id=one.id,
                    title=one.title,
                    mastery_points=of_it[0].mastery_points,
                    points_possible=of_it[0].points_possible,
                    mean=round_to_cents(fmean(scores)) if scores else None,
                    students=len(scores),
                    mastered=sum(bool(row.mastery) for row in of_it),
                )
            )
        return CourseAnswer(
            freshness=fresh,
            course=self._course(course_id),
            outcomes=tuple(columns),
            students=tuple(
                GridStudent(
                    user_uuid=user,
                    user_name=self.school.students[user],
                    cells=tuple(_cell(held.get((user, one.id))) for one in outcomes),
                )
                for user in page
            ),
            next=after,
            previous=before,
        )

    async def dead_letters(self, viewer: Viewer, query: DeadLetterQuery) -> DeadLetterPage:
        fresh = self._ask("dead_letters", query)
        found = [] if self.empty else dead_letters(self.now)
        fit = [one for one in found if query.kind in {None, one.kind} and query.event in {None, one.event}]
        page, before, after = _paged(fit, query.cursor, query.limit)
        hours = Counter((one.time // 3600 * 3600, one.kind) for one in fit)
        return DeadLetterPage(
            freshness=fresh,
            letters=tuple(page),
            counts=tuple(
                DeadLetterCount(hour=hour, kind=kind, count=count)
                for (hour, kind), count in sorted(hours.items())
            ),
            total=len(fit),
            by_kind=dict(Counter(one.kind for one in found)),
            next=after,
            previous=before,
        )

    async def dead_letter(self, viewer: Viewer, partition: int, offset: int) -> DeadLetterAnswer:
        fresh = self._ask("dead_letter", (partition, offset))
        for one in dead_letters(self.now):
            if (one.partition, one.offset) == (partition, offset):
                event = {"metadata": {"event_name": one.event}, "body": {"title": HOSTILE, "score": "x"}}
                is_json = one.kind != "not-json"
                return DeadLetterAnswer(
                    freshness=fresh,
                    letter=one,
                    path="body.score" if is_json else None,
                    key="1",
                    headers=(("kind", one.kind), ("message", one.message)),
                    json_text=json.dumps(event, indent=2) if is_json else None,
                    text=None if is_json else '{"metadata": \\xff\\xfe <b>cut',
                    cut=not is_json,
                    replay_command=f"mastery dead-letters replay {one.id}",
                )
        raise NotFound("there is no such dead letter")

    async def topics(self, viewer: Viewer) -> TopicList:
        return TopicList(freshness=self._ask("topics"), topics=topics())

    async def topic(self, viewer: Viewer, name: str) -> TopicAnswer:
        fresh = self._ask("topic", name)
        for one in topics():
            if one.name == name:
                return topic_answer(one, fresh, self.now)
        raise NotFound("there is no such topic in the catalogue")

    async def status(self, viewer: Viewer, *, local: bool = False) -> StatusAnswer:
        return status(self._ask("status"), self.now)


def _cell(row: MasteryRow | None) -> GridCell | None:
    if row is None:
        return None
    names = ("Well Below Mastery", "Below Mastery", "Near Mastery", "Mastery", "Exceeds Mastery")
    level = None
    if row.score is not None:
        level = names.index(row.rating) if row.rating in names else 3 if row.mastery else 1
    return GridCell(
        score=row.score, mastery=row.mastery, rating=row.rating, color=row.rating_color, level=level
    )


def _fits(row: MasteryRow, query: MasteryQuery) -> bool:
    score = row.score
    return (
        query.account in {None, row.root_account_uuid}
        and query.user in {None, row.user_uuid}
        and query.course in {None, row.course_id}
        and (
            query.outcome in {None, row.learning_outcome_id}
            or str(query.outcome).lower() in (row.outcome_title or "").lower()
        )
        and query.mastered in {None, row.mastery}
        and (query.score_from is None or (score is not None and score >= query.score_from))
        and (query.score_to is None or (score is not None and score <= query.score_to))
    )


def _paged(
    found: Sequence[Any], cursor: str | None, limit: int
) -> tuple[Sequence[Any], str | None, str | None]:
    if cursor is not None and not (cursor.startswith("at") and cursor[2:].isdigit()):
        raise BadParameter("the cursor is not one of this list", parameter="cursor")
    start = int(cursor[2:]) if cursor else 0
    return (
        found[start : start + limit],
        f"at{max(0, start - limit)}" if start else None,
        f"at{start + limit}" if start + limit < len(found) else None,
    )
