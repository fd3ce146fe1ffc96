"""What Canvas says of a course: the roll-ups of its REST API, or of the gradebook's CSV export.

`GET /api/v1/courses/:id/outcome_rollups?include[]=outcomes&include[]=courses` answers in pages: `rollups`
with `scores` (outcome, score, count of results) and `links.user`, what is asked for in `linked`, and
`meta.pagination`. A student in several sections is there several times, with the same scores.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from app.compare.errors import CompareTrouble
from app.json_stream import EventFileError, json_events

__all__ = ["CanvasDefinition", "CanvasRollups", "CanvasScore", "read_rollups"]

_HINT = "GET /api/v1/courses/:id/outcome_rollups?include[]=outcomes&include[]=courses&per_page=100"


class CanvasScore(msgspec.Struct, frozen=True):
    """A roll-up: `score` None for none; `count` the results it is made of, None where that is not told."""

    score: float | None
    count: int | None = None


class CanvasDefinition(msgspec.Struct, frozen=True):
    """What Canvas computes an outcome with, as far as it tells."""

    title: str | None = None
    calculation_method: str | None = None
    calculation_int: int | None = None
    mastery_points: float | None = None
    points_possible: float | None = None


@dataclass(slots=True)
class CanvasRollups:
    """All that the files say, by Canvas's ids; outcomes of a CSV have none, and go by title: `titles`."""

    scores: dict[tuple[str, str], CanvasScore] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    courses: set[str] = field(default_factory=set)
    outcomes: dict[str, CanvasDefinition] = field(default_factory=dict)
    uuids: dict[str, str] = field(default_factory=dict)
    titles: set[str] = field(default_factory=set)
    repeated: set[str] = field(default_factory=set)
    """Titles that several columns of a CSV have: their scores are left out."""
    pages: set[int] = field(default_factory=set)
    page_count: int | None = None
    """How many pages Canvas has, if it says so."""

    @property
    def complete(self) -> bool:
        """Whether all pages are there, as far as anybody can tell."""
        return self.page_count is None or len(self.pages) >= self.page_count


def read_rollups(paths: Iterable[Path]) -> CanvasRollups:
    """Read pages of the REST API from files: one or several in each, one after another or in an array.

    Raises CompareTrouble, which names the file.
    """
    found = CanvasRollups()
    for path in paths:
        try:
            with path.open("rb") as stream:
                _read(stream, str(path), found)
        except OSError as error:
            raise CompareTrouble(f"{path} cannot be read: {error.strerror or error}") from None
    return found


def _read(stream: BinaryIO, name: str, found: CanvasRollups) -> None:
    pages = 0
    try:
        for raw in json_events(stream, name):
            pages += 1
            try:
                page = msgspec.json.decode(raw, type=_Page)
            except msgspec.ValidationError as error:
                raise CompareTrouble(f"{name}, page {pages}: {error}", hint=f"it is {_HINT}") from None
            _take(page, f"{name}, page {pages}", found)
    except (EventFileError, msgspec.DecodeError, RecursionError) as error:
        told = str(error) if isinstance(error, EventFileError) else f"{name}: no JSON"
        message = told.replace("an event is", "an answer is").replace("the event before", "the one before")
        raise CompareTrouble(message, hint=f"wanted are the answers to {_HINT}") from None
    if not pages:
        raise CompareTrouble(f"{name} is empty", hint=f"wanted are the answers to {_HINT}")


_Id = int | str


class _OutcomeLink(msgspec.Struct):
    outcome: _Id


class _Score(msgspec.Struct):
    links: _OutcomeLink
    score: float | None = None
    count: int | None = None


class _Links(msgspec.Struct):
    user: _Id | None = None


class _Rollup(msgspec.Struct):
    links: _Links
    scores: list[_Score]


class _Outcome(msgspec.Struct):
    id: _Id
    title: str | None = None
    calculation_method: str | None = None
    calculation_int: int | None = None
    mastery_points: float | None = None
    points_possible: float | None = None


class _User(msgspec.Struct):
    id: _Id
    uuid: str | None = None


class _Course(msgspec.Struct):
    id: _Id


class _Linked(msgspec.Struct):
    outcomes: list[_Outcome] = []
    users: list[_User] = []
    courses: list[_Course] = []


class _Page(msgspec.Struct):
    rollups: list[_Rollup]
    linked: _Linked = msgspec.field(default_factory=_Linked)
    meta: Any = None


def _take(page: _Page, where: str, found: CanvasRollups) -> None:
    for rollup in page.rollups:
        if rollup.links.user is None:
            raise CompareTrouble(
                f"{where}: roll-ups of a whole course cannot be compared",
                hint=f"leave `aggregate` away: {_HINT}",
            )
        user = str(rollup.links.user)
        found.users.add(user)
        for one in rollup.scores:
            found.scores[user, str(one.links.outcome)] = CanvasScore(one.score, one.count)
    found.courses.update(str(course.id) for course in page.linked.courses)
    found.uuids |= {str(user.id): user.uuid for user in page.linked.users if user.uuid}
    for outcome in page.linked.outcomes:
        found.outcomes[str(outcome.id)] = CanvasDefinition(
            outcome.title,
            outcome.calculation_method,
            outcome.calculation_int,
            outcome.mastery_points,
            outcome.points_possible,
        )
    with suppress(msgspec.ValidationError):
        told = msgspec.convert(page.meta, _Meta).pagination
        found.pages.add(told.page)
        found.page_count = max(found.page_count or 0, told.page_count)


class _Pagination(msgspec.Struct):
    page: int
    page_count: int


class _Meta(msgspec.Struct):
    pagination: _Pagination
