"""What a school consists of: accounts, courses, outcomes, students, and rows whose snapshots events are.

Local ids count from 1 in every root account, so those of two root accounts collide, as Canvas's do.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

from app.school.dice import identifier

__all__ = [
    "Asset",
    "Context",
    "Course",
    "Event",
    "Generation",
    "Group",
    "Link",
    "Outcome",
    "Proficiency",
    "Result",
    "RootAccount",
    "Student",
]

_SHARD = 10**13
# Results of a course that can still be graded again: the newest, so that memory has an end.
_OPEN_RESULTS = 32


class Generation(IntEnum):
    """Forms of the result events, by the age of the Canvas that sends them."""

    OLDEST = 1
    MIDDLE = 2
    NEWEST = 3


class Event(NamedTuple):
    """What happened, in the words of the contract: ids text, times milliseconds, doubles floats, no nulls.

    `key` is that of the typed record; None stands for the key that ends in the event_id.
    """

    name: str
    metadata: dict[str, Any]
    body: dict[str, Any]
    key: str | None
    root: "RootAccount"
    #: Delivered days after it happened.
    late: bool = False


class Context(NamedTuple):
    """An account or course by its local id and its uuid."""

    type: str
    id: str
    uuid: str


@dataclass(slots=True, eq=False)
class Student:
    """`ability` is the share of points to expect, 0 to 1."""

    number: int
    uuid: str
    ability: float


@dataclass(slots=True, eq=False)
class Outcome:
    """An outcome as it is now. `context` None is a global outcome, whose id is a global one."""

    id: str
    context: Context | None
    title: str
    method: str | None
    number: int | None
    mastery_points: float | None
    points_possible: float | None
    ratings: list[tuple[str, float]]
    vendor_guid: str | None = None
    copied_from: str | None = None
    copied_from_root: str | None = None
    state: str = "active"

    @property
    def scale(self) -> tuple[float, float]:
        """Points that are possible, and those from which on it is mastered, with something for nothing."""
        return self.points_possible or 5.0, self.mastery_points or 3.0


@dataclass(slots=True, eq=False)
class Group:
    """A folder of outcomes; the topmost of a context has no parent, a global one no context."""

    id: str
    context: Context | None
    title: str
    parent: "Group | None" = None
    state: str = "active"


@dataclass(slots=True, eq=False)
class Link:
    """An outcome in a group; `context` None is a link in a global group."""

    id: str
    outcome: Outcome
    group: Group
    context: Context | None
    state: str = "active"


@dataclass(slots=True, eq=False)
class Proficiency:
    """A mastery scale of an account or course: (id, description, points, mastery, color), best first."""

    id: str
    context: Context
    ratings: list[tuple[str, str, float, bool, str]]
    state: str = "active"


@dataclass(slots=True, eq=False)
class Asset:
    """What is graded: `type` as in associated_asset_type; `outcomes` are aligned to it."""

    id: str
    type: str
    title: str
    outcomes: list[Outcome]


@dataclass(slots=True, eq=False)
class Result:
    """A student's result as it is now; times in milliseconds. `artifact` holds the assessment."""

    id: str
    student: Student
    outcome: Outcome
    asset: Asset
    artifact: str
    artifact_type: str
    score: float | None
    possible: float
    original_score: float | None
    attempt: int
    created_at: int
    assessed_at: int
    changed_at: int
    state: str = "active"


@dataclass(slots=True, eq=False)
class Course:
    """A course and those who are in it. `results` are the newest, which may be graded again."""

    context: Context
    account: Context
    title: str
    teacher: int
    students: list[Student]
    outcomes: list[Outcome] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    results: deque[Result] = field(default_factory=lambda: deque(maxlen=_OPEN_RESULTS))
    deleted: deque[Result] = field(default_factory=lambda: deque(maxlen=_OPEN_RESULTS))
    assets: int = 0


@dataclass(slots=True, eq=False)
class RootAccount:
    """An institution: one Canvas of one generation."""

    seed: int
    number: int
    generation: Generation
    uuid: str
    shard: int
    host: str
    zone: str
    #: Minutes that the clocks there are ahead of UTC.
    offset: int
    students: list[Student]
    departments: list[Context] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    proficiencies: list[Proficiency] = field(default_factory=list)
    courses: list[Course | None] = field(default_factory=list)
    _ids: Counter[str] = field(default_factory=Counter)

    @property
    def context(self) -> Context:
        """The root account as something that owns outcomes."""
        return Context("Account", "1", self.uuid)

    def clock(self, time: int) -> int:
        """Return the time as this Canvas tells it in metadata: the oldest knows no milliseconds."""
        return time // 1000 * 1000 if self.generation is Generation.OLDEST else time

    def row_time(self, time: int) -> int:
        """Return the time as it stands in a row: only the newest Canvas keeps milliseconds there."""
        return time if self.generation is Generation.NEWEST else time // 1000 * 1000

    def next_id(self, kind: str) -> str:
        """Return a local id that no other row of this kind has."""
        self._ids[kind] += 1
        return str(self._ids[kind])

    def global_id(self, local: str | int) -> str:
        """Return the id as metadata has it: shard * 10^13 + local id."""
        return str(self.shard * _SHARD + int(local))

    def identifier(self, kind: str, number: str | int) -> str:
        """Return the uuid of one of its things."""
        return identifier(self.seed, "root", self.number, kind, number)
