"""Each student's score on each outcome of a course, Canvas's beside ours."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.compare.canvas import CanvasDefinition, CanvasRollups, CanvasScore
from app.compare.errors import CompareTrouble
from app.mastery.ids import id_order
from app.mastery.row import CourseScore
from app.mastery.snapshot import RowKey
from app.state.query import StoredRow

__all__ = ["Comparison", "Pair", "State", "compare"]

#: Both sides round to two places; JSON may write the same number in another way.
_TOLERANCE: Final = 0.005


class State(StrEnum):
    """What comes of a pair."""

    EQUAL = "equal"
    DIFFERENT = "different"
    ONLY_IN_CANVAS = "only-in-canvas"
    ONLY_HERE = "only-here"


@dataclass(frozen=True, slots=True)
class Pair:
    """One student on one outcome. A side that knows nothing of it, or has no score, has None as score.

    `course` is ours, of the one course; `stored` the row that it is a part of. `canvas_user_id` is None where
    the student is not in Canvas's files at all; `linked` says whether Canvas has the outcome in the course.
    """

    state: State
    user_uuid: str
    canvas_user_id: str | None
    outcome: str
    title: str | None
    canvas: CanvasScore | None
    definition: CanvasDefinition | None
    course: CourseScore | None
    stored: StoredRow | None
    linked: bool


@dataclass(slots=True)
class Comparison:
    """All pairs, by student and outcome; and what could not be compared."""

    course_id: str
    pairs: list[Pair] = field(default_factory=list)
    unknown_users: list[str] = field(default_factory=list)
    """Canvas ids of students whose uuid nobody told."""
    unknown_outcomes: dict[str, int] = field(default_factory=dict)
    """Titles in a CSV that no outcome of the course has here, or several; with how many have it."""
    left_out: set[str] = field(default_factory=set)
    """Our students of the course who are not in the files, where it is known that the files lack some."""

    @property
    def counts(self) -> Counter[State]:
        """How many pairs came to what."""
        return Counter(pair.state for pair in self.pairs)

    @property
    def same(self) -> bool:
        """Whether all was compared and is equal."""
        lacking = self.unknown_users or self.unknown_outcomes or self.left_out
        return not lacking and set(self.counts) <= {State.EQUAL}


def compare(
    canvas: CanvasRollups, uuids: Mapping[str, str], rows: Iterable[StoredRow], course_id: str
) -> Comparison:
    """Compare what Canvas says of a course with our rows; `uuids` by Canvas's user id.

    Raises CompareTrouble where it cannot be told which root account's course it is: ids are an account's own.
    """
    names = {uuids[user]: user for user in canvas.users if user in uuids}
    ours = _of_course(rows, course_id, names)
    made = Comparison(course_id)
    by_title = _by_title(ours)
    ids = _ids_of_columns(canvas, by_title, made)
    made.unknown_users = sorted(canvas.users - uuids.keys(), key=id_order)
    theirs = {
        (uuids[user], ids.get(outcome, outcome)): score
        for (user, outcome), score in canvas.scores.items()
        if user in uuids and outcome not in made.unknown_outcomes
    }
    # None of ours to compare: which of them a column is of, nobody can tell.
    unclear = {one for title in made.unknown_outcomes for one in by_title.get(title, ())}
    listed = canvas.outcomes.keys() | set(ids.values())
    lacking = bool(made.unknown_users) or not canvas.complete
    for key in sorted(theirs.keys() | ours.keys(), key=lambda it: (it[0], id_order(it[1]))):
        user, outcome = key
        stored, course = ours.get(key, (None, None))
        state = _state(theirs.get(key), course)
        if state is None or outcome in unclear:
            continue
        if user not in names and lacking:
            made.left_out.add(user)
            continue
        definition = canvas.outcomes.get(outcome)
        made.pairs.append(
            Pair(
                state=state,
                user_uuid=user,
                canvas_user_id=names.get(user),
                outcome=outcome,
                title=stored.row.outcome_title if stored else definition.title if definition else None,
                canvas=theirs.get(key),
                definition=definition,
                course=course,
                stored=stored,
                linked=not listed or outcome in listed,
            )
        )
    return made


_Ours = dict[tuple[str, str], tuple[StoredRow, CourseScore]]


def _of_course(rows: Iterable[StoredRow], course_id: str, users: Collection[str]) -> _Ours:
    """Our scores of the course, by student and outcome.

    Several root accounts may have a course of that id: then it is the one that knows students of the file.
    """
    by_account: dict[str, _Ours] = {}
    for stored in rows:
        for course in stored.row.courses:
            if course.course_id == course_id:
                key: RowKey = stored.key
                ours = by_account.setdefault(key.root_account_uuid, {})
                ours[key.user_uuid, key.learning_outcome_id] = stored, course
    known = [ours for ours in by_account.values() if any(user in users for user, _ in ours)]
    if len(known) == 1:
        return known[0]
    if len(by_account) > 1:
        raise CompareTrouble(
            f"{len(by_account)} root accounts have a course {course_id}: {', '.join(sorted(by_account))}",
            hint="name the one that the file is of: --account UUID",
        )
    return next(iter(by_account.values()), {})


def _by_title(ours: _Ours) -> Mapping[str, set[str]]:
    titles: dict[str, set[str]] = {}
    for (_, outcome), (stored, _) in ours.items():
        if stored.row.outcome_title:
            titles.setdefault(stored.row.outcome_title.strip(), set()).add(outcome)
    return titles


def _ids_of_columns(
    canvas: CanvasRollups, by_title: Mapping[str, set[str]], made: Comparison
) -> Mapping[str, str]:
    """The outcomes that a CSV's titles stand for; notes in `made` which stand for none, or for several."""
    scored = {outcome for _, outcome in canvas.scores}
    ids: dict[str, str] = {}
    for title in sorted(canvas.titles):
        found = by_title.get(title, set())
        if len(found) == 1 and title not in canvas.repeated:
            ids[title] = next(iter(found))
        elif found or title in scored:
            made.unknown_outcomes[title] = max(len(found), 2 if title in canvas.repeated else 0)
    return ids


def _state(theirs: CanvasScore | None, ours: CourseScore | None) -> State | None:
    """What two sides come to; None where neither has a score, and one of them knows nothing of it."""
    there = None if theirs is None else theirs.score
    here = None if ours is None else ours.score
    if there is None and here is None:
        return State.EQUAL if theirs is not None and ours is not None else None
    if there is None:
        return State.ONLY_HERE
    if here is None:
        return State.ONLY_IN_CANVAS
    return State.EQUAL if abs(there - here) < _TOLERANCE else State.DIFFERENT
