"""A made-up school, to look at the pages and test them: the same for the same `now`, whatever runs it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.mastery.definition import OutcomeDefinition
from app.mastery.explain import explain
from app.mastery.methods import Method, in_order_of_time, worth
from app.mastery.resolve import Definition, resolve
from app.mastery.results import Results
from app.mastery.rollup import roll_up
from app.mastery.row import Row
from app.mastery.rules import AccountRules, UnknownDefinition
from app.mastery.scale import Level
from app.mastery.snapshot import ResultSnapshot, RowKey, Work
from app.mastery.versions import Version
from app.web.models.mastery import CourseScoreDetail, ResultDetail, ResultState, StudentOutcome

__all__ = ["ACCOUNT", "COURSES", "HOSTILE", "FakeOutcome", "FakeSchool"]

ACCOUNT = "7tMlCPaGIvSJyAxNhFMDO4nfwKIDFEs0Whdzyqh2"
#: What must never be taken for HTML.
HOSTILE = "<script>alert('x')</script> & \"fractions\" <b>bold</b>"
COURSES = {"101": "Algebra I", "102": "Biology", "207": "World History", "310": None}
_DAY = 86_400
_WHY = {
    "deleted": "deleted in Canvas; it counts again if Canvas says that it is active",
    "created as deleted": "created as deleted: Canvas does so with a second result of the same work, and"
    " keeps the first",
    "has no score": "it has no score: it was cleared, or never given",
}

_CANVAS = (
    (4, "Exceeds Mastery"),
    (3, "Mastery"),
    (2, "Near Mastery"),
    (1, "Below Mastery"),
    (0, "Well Below Mastery"),
)
_FIVE = (
    (5, "Exceeds Mastery"),
    (3, "Mastery"),
    (2, "Near Mastery"),
    (1, "Below Mastery"),
    (0, "Well Below Mastery"),
)
_OWN = ((10, "Distinguished"), (7, "Proficient"), (4, "Developing"), (0, "Beginning"))
_COLOURS = {
    4: "0B874B",
    3: "03893D",
    2: "FAB901",
    1: "D97900",
    0: "E0061F",
}


@dataclass(frozen=True)
class FakeOutcome:
    """One outcome as the school has it; `points` None for one that no event told of."""

    id: str
    title: str | None
    method: str | None
    n: int | None = None
    mastery: float | None = 3
    points: float | None = 5
    levels: Sequence[tuple[float, str]] = _FIVE
    coloured: bool = False
    known: bool = True

    def definition(self, time: int) -> Definition:
        """What its scores are computed with."""
        rules = AccountRules(unknown_definition=UnknownDefinition.NO_SCORE)
        if not self.known:
            return resolve(None, rules)
        levels = tuple(Level(float(points), name) for points, name in self.levels)
        version = Version(True, time, time, b"")
        return resolve(
            OutcomeDefinition(
                ACCOUNT,
                self.id,
                False,
                self.title or "",
                self.method,
                self.n,
                self.mastery,
                self.points,
                levels,
                version,
            ),
            rules,
        )

    @property
    def steps(self) -> dict[str, int]:
        """Step of each level, counted from mastery."""
        # As it is shown of a scale that is none.
        mastery = self.mastery or 3
        below = [name for points, name in self.levels if points < mastery]
        return {
            name: (4 if points > mastery else 3) if points >= mastery else max(0, 2 - below.index(name))
            for points, name in self.levels
        }

    def colour(self, description: str | None) -> str | None:
        """Colour of a level, by its place from the bottom."""
        if not self.coloured or description is None:
            return None
        for place, (_, name) in enumerate(reversed(self.levels)):
            if name == description:
                return _COLOURS[place]
        return None


OUTCOMES = (
    FakeOutcome("565", "Adds and subtracts fractions", "decaying_average", 65),
    FakeOutcome("566", HOSTILE, "standard_decaying_average", 65),
    FakeOutcome("567", "Solves linear equations in one unknown", "n_mastery", 3),
    FakeOutcome(
        "568", "Explains photosynthesis", "latest", coloured=True, mastery=3, points=4, levels=_CANVAS
    ),
    FakeOutcome("569", "Reads a primary source critically", "highest", mastery=7, points=10, levels=_OWN),
    FakeOutcome(
        "570", "Writes a thesis statement", "average", coloured=True, mastery=3, points=4, levels=_CANVAS
    ),
    FakeOutcome(
        "571",
        "Uses evidence from more than one source to support a claim, names each of them, and tells "
        "apart what they say from what follows",
        "weighted_average",
        80,
    ),
    FakeOutcome("572", "Plots data", None, mastery=0, points=0),
    FakeOutcome("573", "Names parts of the cell", "guesswork", 200),
    FakeOutcome("574", None, None, known=False),
    FakeOutcome("575", "Measures with uncertainty", "latest", mastery=2, points=4, levels=()),
    FakeOutcome("576", "Argues from a graph", "n_mastery", 5),
)
_FIRST = [
    "Amira",
    "Ben",
    "Chloé",
    "Dmitri",
    "Elif",
    "Finn",
    "Greta",
    "Hugo",
    "Ines",
    "Jan",
    "Kofi",
    "Lena",
    "Mateo",
    "Nora",
    "Olu",
    "Priya",
]
_LAST = [
    "Okafor",
    "Müller",
    "Nguyen",
    "García",
    "Rossi",
    "Sato",
    "Kowalski",
    "Haddad",
    "Lindqvist",
    "O'Brien",
]
_KINDS = ("RubricAssessment", "RubricAssessment", "Submission", "Quizzes::QuizSubmission")


@dataclass
class FakeSchool:
    """~60 students with results; `students` maps uuid to name (None: not in the roster)."""

    now: float
    count: int = 60
    students: dict[str, str | None] = field(default_factory=dict)
    held: dict[tuple[str, str], list[ResultSnapshot]] = field(default_factory=dict)
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chance = random.Random(6)
        for number in range(self.count):
            user = str(UUID(int=chance.getrandbits(128), version=4))
            named = f"{_FIRST[number % len(_FIRST)]} {_LAST[(number * 7) % len(_LAST)]}"
            self.students[user] = None if number % 9 == 4 else named
            ability = chance.gauss(0.66, 0.17)
            homes = [list(COURSES)[number % 4], list(COURSES)[(number // 4 + 1) % 4]]
            for outcome in OUTCOMES:
                if chance.random() < 0.72 or number == 0:
                    snapshots = list(self._results(chance, number, ability, homes, outcome))
                    if snapshots:
                        self.held[user, outcome.id] = snapshots
                        definition = outcome.definition(int((self.now - 70 * _DAY) * 1000))
                        key = RowKey(ACCOUNT, user, outcome.id)
                        self.rows[user, outcome.id] = roll_up(key, Results(snapshots), definition)

    @property
    def outcomes(self) -> dict[str, FakeOutcome]:
        """By id."""
        return {one.id: one for one in OUTCOMES}

    def _results(
        self, chance: random.Random, number: int, ability: float, homes: list[str], outcome: FakeOutcome
    ) -> Iterator[ResultSnapshot]:
        course = homes[0] if chance.random() < 0.7 else homes[1]
        several = homes[0] != homes[1] and (chance.random() < 0.2 or number == 0)
        for place in range(chance.choice((1, 1, 2, 3, 3, 4, 5, 8))):
            at = self.now - _DAY * (60 - place * 7 - chance.random() * 5)
            percent = min(1.2, max(0.0, chance.gauss(ability + place * 0.03, 0.15)))
            possible = chance.choice((4.0, 5.0, 10.0, 20.0))
            fate = chance.random()
            kind = chance.choice(_KINDS)
            artifact = str(9000 + number * 100 + place)
            yield ResultSnapshot(
                id=str(number * 1000 + int(outcome.id) * 10 + place),
                work=Work(
                    kind, artifact, "Quizzes::Quiz" if "Quiz" in kind else "Assignment", str(40 + place)
                ),
                active=fate > 0.08,
                score=None if 0.08 < fate < 0.12 else round(percent * possible, 2),
                possible=possible,
                percent=round(percent, 4),
                assessed_at=int(at * 1000),
                course_id=homes[place % 2] if several else course,
                course_uuid=None,
                version=Version(0.04 < fate < 0.5, int(at * 1000), int(at * 1000) + 900, bytes([place])),
            )

    def student_outcome(self, user: str, outcome_id: str) -> StudentOutcome:
        """One outcome of one student, explained by the project's own calculation."""
        outcome, row = self.outcomes[outcome_id], self.rows[user, outcome_id]
        results = Results(self.held[user, outcome_id])
        told = explain(results, row)
        details = [self._detail(one, row, results) for one in told.results]

        def score(one, here):  # type: ignore[no-untyped-def] # its parts are checked by the model
            level = self.rating(row, one.score)
            return CourseScoreDetail(
                course_id=one.course_id,
                course_name=COURSES.get(one.course_id or ""),
                score=one.score,
                mastery=one.mastery,
                rating=level,
                rating_color=outcome.colour(level),
                results_count=one.results_count,
                last_assessed_at=_seconds(one.last_assessed_at),
                formula=one.formula,
                results=tuple(here),
            )

        return StudentOutcome(
            root_account_uuid=ACCOUNT,
            learning_outcome_id=outcome_id,
            outcome_title=row.outcome_title,
            mastery_points=row.mastery_points,
            points_possible=row.points_possible,
            calculation_method=row.calculation_method,
            calculation_int=row.calculation_int,
            definition_state=row.definition_state,
            scale_source=row.scale_source,
            definition_version=row.definition_version,
            definition_time=_seconds(row.definition_time),
            last_event_time=_seconds(row.last_event_time),
            levels=tuple((float(points), name, outcome.colour(name)) for points, name in outcome.levels)
            if outcome.known
            else (),
            courses=tuple(
                score(one, [each for each in details if each.course_id == one.course_id])
                for one in told.courses
            ),
            overall=score(told.whole, details),
            former_works=1 if outcome_id == "565" else 0,
        )

    def rating(self, row: Row, score: float | None) -> str | None:
        """Name of the level that a score reaches."""
        if score is None or row.calculation_method is None:
            return None
        for points, name in self.outcomes[row.learning_outcome_id].levels:
            if points <= score:
                return name
        return None

    def _detail(self, one, row: Row, results: Results) -> ResultDetail:  # type: ignore[no-untyped-def]
        snapshot = one.snapshot
        state = ResultState.COUNTED
        if one.why_not:
            state = {
                "deleted": ResultState.DELETED,
                "created as deleted": ResultState.SUPERSEDED,
            }.get(one.why_not, ResultState.CLEARED)
        here = [each for each in results.snapshots if each.counts and each.course_id == snapshot.course_id]
        return ResultDetail(
            id=snapshot.id,
            work=f"{'Quiz' if 'Quiz' in snapshot.work.asset_type else 'Assignment'} {snapshot.work.asset_id}",
            artifact_type=snapshot.work.artifact_type,
            artifact_id=snapshot.work.artifact_id,
            course_id=snapshot.course_id,
            assessed_at=_seconds(snapshot.assessed_at),
            score=snapshot.score,
            possible=snapshot.possible,
            percent=snapshot.percent,
            value=one.value,
            weight=_weights(row, here).get(snapshot.id) if one.value is not None else None,
            state=state,
            why_not=_WHY.get(one.why_not or "", one.why_not),
            updated_at=snapshot.version.updated_at / 1000 if snapshot.version.updated else None,
            event_time=snapshot.version.event_time / 1000,
        )


def _weights(row: Row, here: Sequence[ResultSnapshot]) -> dict[str | None, float]:
    if row.calculation_method is None or row.points_possible is None or not here:
        return {}
    method, n = Method(row.calculation_method), row.calculation_int or 0
    numbers = in_order_of_time(here, worth(here, method, row.points_possible))
    ordered = sorted(here, key=lambda each: (each.assessed_at or 0) // 1000)
    count = len(numbers)
    weights = [1 / count] * count
    if method is Method.HIGHEST:
        weights = [float(place == numbers.index(max(numbers))) for place in range(count)]
    elif method is Method.LATEST:
        weights = [float(place == count - 1) for place in range(count)]
    elif method is Method.N_MASTERY:
        passing = [value >= (row.mastery_points or 0) for value in numbers]
        weights = [passed / max(1, sum(passing)) for passed in passing]
        if sum(passing) < n:
            weights = [0.0] * count
    elif method is Method.STANDARD_DECAYING_AVERAGE and count > 1:
        share = n / 100
        weights = [(1 - share) ** (count - 1)] + [
            share * (1 - share) ** (count - 1 - place) for place in range(1, count)
        ]
    elif method is not Method.AVERAGE and count > 1:
        weights = [(1 - n / 100) / (count - 1)] * (count - 1) + [n / 100]
    return {each.id: weight for each, weight in zip(ordered, weights, strict=False)}


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
