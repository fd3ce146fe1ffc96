"""The records of a school, one after another, as they arrive on the raw topic."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import msgspec

from app.school.broken import Breaker
from app.school.circumstances import Circumstances
from app.school.definitions import Definitions
from app.school.delivery import Delivery
from app.school.dice import Dice
from app.school.fates import Ignored, Record
from app.school.founding import Founder
from app.school.grading import Grading
from app.school.model import Course, Event, Generation, RootAccount
from app.school.snapshots import Snapshots
from app.school.term import Term
from app.school.upkeep import OTHER_EVENTS, Upkeep
from app.school.wire import Wire, plain_parts

__all__ = ["Plan", "school_records"]

_Doing = Callable[[RootAccount, Course, int], Iterator[Event]]

_IGNORED = frozenset(name for name, _ in OTHER_EVENTS)
_OTHER_TRIES = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What a school is made from. All of its records follow from this.

    `events` is how many records a term of `days` days holds: the stream goes on behind it, at the same pace.
    `bad_share` of all records are broken; `huge` allows broken ones of 200 KB and more.
    """

    seed: int = 1
    events: int = 10_000
    students: int = 125
    accounts: int = 3
    start: date = date(2025, 9, 1)
    days: int = 120
    bad_share: float = 0.01
    huge: bool = True


def school_records(plan: Plan) -> Iterator[Record]:
    """Yield records without end: take as many as are wanted. Memory follows the students, not the records."""
    term = Term(plan.start, plan.days)
    delivery = Delivery(Dice(plan.seed, "delivery"))
    breaker = Breaker(plan.bad_share, huge=plan.huge)
    wire = Wire(Dice(plan.seed, "wire"))
    school = _School(plan)
    while True:
        now = term.at(delivery.sent / plan.events)
        yield from delivery.arrived(now)
        for event in school.events(now):
            time = event.metadata["event_time"]
            if event.name in _IGNORED:
                delivery.send(_ignored(event), time)
                continue
            delivery.send(Record(*wire.write(event)), time, late=event.late)
            for broken in breaker.beside(event):
                delivery.send(broken, time)


def _ignored(event: Event) -> Record:
    metadata, body = plain_parts(event)
    return Record(msgspec.json.encode({"metadata": metadata, "body": body}), Ignored(event.name))


class _School:
    """Decides what happens next. Every kind of doing comes up once in each round of a deck of cards."""

    def __init__(self, plan: Plan) -> None:
        self._dice = Dice(plan.seed, "school")
        circumstances = Circumstances(self._dice)
        definitions = Definitions(self._dice, circumstances)
        self._founder = Founder(plan.seed, self._dice, definitions)
        self._grading = Grading(self._dice, Snapshots(self._dice, circumstances))
        upkeep = Upkeep(self._dice, circumstances, definitions)
        grading = self._grading
        self._deck: list[tuple[_Doing, Callable[[RootAccount, Course], bool]]] = [
            *[(self._session, _always)] * 10,
            *[(upkeep.other, _always)] * 3,
            *[(grading.regrade, _graded)] * 3,
            *[(grading.delete, _deletable)] * 2,
            (grading.restore, _deleted),
            (grading.replace, _deletable),
            (grading.clear, _graded),
            (grading.review, _graded),
            *[(upkeep.outcome, _always)] * 2,
            (upkeep.group, _always),
            (upkeep.link, _always),
            (upkeep.scale, _always),
            (upkeep.clone, _always),
        ]
        self._cards: list[tuple[_Doing, Callable[[RootAccount, Course], bool]]] = []
        # So small that a short stream has something of everything.
        self._class = max(3, plan.events // 150)
        roots = self._founder.roots(plan.accounts, plan.students)
        self._unopened = roots[::-1]
        self._courses = [(root, number) for root in roots for number in range(len(root.courses))]

    def events(self, now: int) -> Iterator[Event]:
        """Yield the events of the next doing, which begins at `now` (milliseconds)."""
        if self._unopened:
            yield from self._founder.opening(self._unopened.pop(), now)
            return
        if not self._cards:
            self._cards = list(self._deck)
            self._dice.shuffle(self._cards)
        doing, possible = self._cards.pop()
        for _ in range(_OTHER_TRIES):
            root, number = self._dice.pick(self._courses)
            course = root.courses[number]
            if course is None:
                course, events = self._founder.course(root, number, now)
                root.courses[number] = course
                yield from events
            if possible(root, course):
                yield from doing(root, course, now)
                return

    def _session(self, root: RootAccount, course: Course, now: int) -> Iterator[Event]:
        return self._grading.session(root, course, now, self._class)


def _always(_root: RootAccount, _course: Course) -> bool:
    return True


def _graded(_root: RootAccount, course: Course) -> bool:
    return bool(course.results)


def _deletable(root: RootAccount, course: Course) -> bool:
    # The oldest events do not tell the state of a result.
    return bool(course.results) and root.generation is not Generation.OLDEST


def _deleted(_root: RootAccount, course: Course) -> bool:
    return bool(course.deleted)
