"""Root accounts and courses as they begin, with the events of their outcomes, groups, links and scales."""

from collections.abc import Iterator

from app.school.definitions import Definitions
from app.school.dice import Dice, identifier
from app.school.model import (
    Context,
    Course,
    Event,
    Generation,
    Group,
    Link,
    Outcome,
    Proficiency,
    RootAccount,
    Student,
)
from app.school.term import MINUTE, SECOND
from app.school.titles import COURSES, DEPARTMENTS, OUTCOMES, SCALE

__all__ = ["LEGACY_SCALES", "METHODS", "Founder"]

#: Every calculation method with a number that it takes; then what stands in old rows.
METHODS: tuple[tuple[str | None, int | None], ...] = (
    ("highest", None),
    ("latest", None),
    ("average", None),
    ("n_mastery", 3),
    ("decaying_average", 65),
    ("weighted_average", 75),
    ("standard_decaying_average", 80),
    (None, None),
    ("highest", 65),
    ("n_mastery", None),
    ("n_mastery", 12),
    ("decaying_average", None),
    ("decaying_average", 0),
    ("standard_decaying_average", 130),
    ("median", 2),
)
#: Mastery points and possible points that Canvas would not take today.
LEGACY_SCALES: tuple[tuple[float | None, float | None], ...] = (
    (0.0, 0.0),
    (None, None),
    (7.0, 5.0),
    (None, 4.0),
)

_COLORS = ("02672D", "03893D", "FAB901", "FD5D10", "E0061F")
_ZONES = (("America/Denver", -360), ("America/New_York", -240), ("Asia/Kolkata", 330))
# The share of all students that the first, second ... root account has; the last takes the rest.
_MAIN_SHARE = 0.7
_CLASS = 25
_COURSES_PER_STUDENT = 4
# One outcome in so many.
_LATE = 4


class Founder:
    """Makes accounts and courses and tells of it: what it yields happened from `time` on."""

    def __init__(self, seed: int, dice: Dice, definitions: Definitions) -> None:
        self._seed = seed
        self._dice = dice
        self._definitions = definitions
        self._outcomes = 0

    def roots(self, count: int, students: int) -> list[RootAccount]:
        """Return the root accounts: the first the newest Canvas with most students, the others older ones."""
        made = []
        left = students
        for number in range(count):
            share = left if number == count - 1 else max(1, int(left * _MAIN_SHARE))
            left = max(1, left - share)
            made.append(self._root(number, share))
        return made

    def _root(self, number: int, students: int) -> RootAccount:
        generations = (Generation.NEWEST, Generation.MIDDLE, Generation.OLDEST)
        zone, offset = _ZONES[number % len(_ZONES)]
        shard = 2107 + number
        root = RootAccount(
            self._seed,
            number,
            generations[number % len(generations)],
            identifier(self._seed, "root", number),
            shard,
            f"school{number + 1}.example",
            zone,
            offset,
            [
                Student(one, identifier(self._seed, "student", number, one), 0.65 + 0.35 * self._dice.bell())
                for one in range(1, students + 1)
            ],
        )
        root.next_id("account")
        for _ in DEPARTMENTS:
            local = root.next_id("account")
            root.departments.append(Context("Account", local, root.identifier("account", local)))
        root.courses = [None] * max(1, students * _COURSES_PER_STUDENT // _CLASS)
        return root

    def opening(self, root: RootAccount, time: int) -> Iterator[Event]:
        """Yield what a root account sets up before the term; the first one knows every method and scale."""
        make = self._definitions
        clock = self._clock(time)
        top = self._group(root, root.context, "Outcomes of the school", None)
        yield make.group(root, top, next(clock), created=True)
        # Those of the whole school, and those of each sub-account.
        owners = [root.context, *root.departments]
        groups = [
            self._group(root, owner, title, top)
            for owner, title in zip(owners, ("Core", *DEPARTMENTS), strict=True)
        ]
        for group in groups:
            yield make.group(root, group, next(clock), created=True)
        for owner in owners[:2]:
            scale = self._proficiency(root, owner)
            yield make.proficiency(root, scale, next(clock), created=True)
        methods = METHODS if root.number == 0 else METHODS[:4]
        for method, number in methods:
            group = self._dice.pick(groups)
            outcome = self._outcome(root, group.context, method, number)
            yield from self._placed(root, outcome, group, group.context, clock)
        if root.number > 0:
            return
        for mastery_points, possible in LEGACY_SCALES:
            outcome = self._outcome(root, root.context, "highest", None)
            outcome.mastery_points, outcome.points_possible = mastery_points, possible
            yield from self._placed(root, outcome, self._dice.pick(groups), root.context, clock)
        # Of no account: their ids are global, on the shard of whoever runs Canvas.
        everywhere = Group(str(10**13 + 1), None, "State standards")
        root.groups.append(everywhere)
        yield make.group(root, everywhere, next(clock), created=True)
        for number in (2, 3):
            outcome = self._outcome(root, None, METHODS[number][0], METHODS[number][1])
            outcome.id = str(10**13 + number)
            yield from self._placed(root, outcome, everywhere, None, clock)

    def course(self, root: RootAccount, number: int, time: int) -> tuple[Course, list[Event]]:
        """Make the root account's course of this number; return it and its events."""
        dice, make = self._dice, self._definitions
        local = root.next_id("course")
        course = Course(
            Context("Course", local, root.identifier("course", local)),
            dice.pick(root.departments),
            f"{COURSES[number % len(COURSES)]} {number // len(COURSES) + 1}",
            2 + number % 40,
            dice.sample(root.students, _CLASS),
        )
        clock = self._clock(time)
        top = self._group(root, course.context, course.title, None)
        course.groups.append(top)
        events = [make.group(root, top, next(clock), course, created=True)]
        if number % 4 == 1:
            scale = self._proficiency(root, course.context)
            events.append(make.proficiency(root, scale, next(clock), course, created=True))
        copied = dice.pick(root.outcomes)
        own = self._outcome(root, course.context, *METHODS[number % 7])
        if number % 3 == 1 and copied.context is not None:
            own.title, own.copied_from = copied.title, copied.id
            if number % 2:
                own.copied_from_root = identifier(self._seed, "another shard", number)
        for outcome in [own, *dice.sample(root.outcomes, 3)]:
            course.outcomes.append(outcome)
            if outcome is own:
                told = make.outcome(root, outcome, next(clock), course, created=True)
                events.append(self._sometimes_late(told))
            link = Link(root.next_id("link"), outcome, top, course.context)
            course.links.append(link)
            events.append(make.link(root, link, next(clock), course, created=True))
        return course, events

    def _placed(
        self, root: RootAccount, outcome: Outcome, group: Group, context: Context | None, clock: Iterator[int]
    ) -> Iterator[Event]:
        """Tell of a new outcome of an account, and of its link."""
        root.outcomes.append(outcome)
        yield self._sometimes_late(self._definitions.outcome(root, outcome, next(clock), created=True))
        link = Link(root.next_id("link"), outcome, group, context)
        root.links.append(link)
        yield self._definitions.link(root, link, next(clock), created=True)

    def _sometimes_late(self, event: Event) -> Event:
        """Let one in some arrive days later: after the first results, where the outcome is used."""
        self._outcomes += 1
        return event._replace(late=self._outcomes % _LATE == 0)

    def _outcome(
        self, root: RootAccount, context: Context | None, method: str | None, number: int | None
    ) -> Outcome:
        local = root.next_id("outcome")
        possible = self._dice.pick((4.0, 5.0, 5.0, 10.0))
        steps = [possible * part / 4 for part in (4, 3, 2, 1, 0)]
        return Outcome(
            id=local,
            context=context,
            title=OUTCOMES[(int(local) - 1) % len(OUTCOMES)],
            method=method,
            number=number,
            mastery_points=steps[1],
            points_possible=possible,
            ratings=list(zip(SCALE, steps, strict=True)),
            vendor_guid=f"standards:{local}" if self._dice.chance(0.3) else None,
        )

    def _group(self, root: RootAccount, context: Context, title: str, parent: Group | None) -> Group:
        group = Group(root.next_id("group"), context, title, parent)
        if context.type == "Account":
            root.groups.append(group)
        return group

    def _proficiency(self, root: RootAccount, context: Context) -> Proficiency:
        ratings = [
            (root.next_id("rating"), text, 4.0 - place, place == 1, color)
            for place, (text, color) in enumerate(zip(SCALE, _COLORS, strict=True))
        ]
        scale = Proficiency(root.next_id("proficiency"), context, ratings)
        root.proficiencies.append(scale)
        return scale

    def _clock(self, time: int) -> Iterator[int]:
        while True:
            yield time
            time += self._dice.between(2 * SECOND, MINUTE)
