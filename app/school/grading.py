"""What teachers do: grade a class, grade again, delete and bring back, clear a score."""

from collections.abc import Iterator

from app.school.dice import Dice
from app.school.model import Asset, Course, Event, Outcome, Result, RootAccount, Student
from app.school.snapshots import Snapshots
from app.school.term import MINUTE, SECOND
from app.school.titles import ASSIGNMENTS

__all__ = ["Grading"]

#: What is graded, and what holds the assessment of it.
_ASSETS = (
    ("Assignment", "RubricAssessment"),
    ("Assignment", "RubricAssessment"),
    ("Quizzes::Quiz", "Quizzes::QuizSubmission"),
    ("Assignment", "RubricAssessment"),
    ("AssessmentQuestion", "Quizzes::QuizSubmission"),
    ("Assignment", "RubricAssessment"),
    ("Quizzes::Quiz", "Quizzes::QuizSubmission"),
    ("LiveAssessments::Assessment", "LiveAssessments::Submission"),
    ("Assignment", "Submission"),
)
_REVIEWS = ("peer_review", "provisional_grade", "graded")


class Grading:
    """Each method yields the events of one doing that begins at `time`, in the order in which they happen."""

    def __init__(self, dice: Dice, snapshots: Snapshots) -> None:
        self._dice = dice
        self._snapshots = snapshots

    def session(self, root: RootAccount, course: Course, time: int, size: int) -> Iterator[Event]:
        """Grade up to `size` students of a course for one assignment or quiz."""
        dice, show = self._dice, self._snapshots
        number = course.assets
        course.assets += 1
        kind, artifact_type = _ASSETS[(int(course.context.id) + number) % len(_ASSETS)]
        # The course's own outcome first, then each in its turn.
        aligned = [course.outcomes[number % len(course.outcomes)]]
        if dice.chance(0.5):
            aligned.append(course.outcomes[(number + 1) % len(course.outcomes)])
        title = f"{ASSIGNMENTS[number % len(ASSIGNMENTS)]} {number // len(ASSIGNMENTS) + 1}"
        asset = Asset(root.next_id(kind), kind, title, aligned)
        for student in dice.sample(course.students, size):
            time += dice.between(10 * SECOND, MINUTE)
            artifact = root.next_id(artifact_type)
            for place, outcome in enumerate(aligned):
                result = self._new(root, student, outcome, asset, (artifact, artifact_type), time)
                if place == 0 and artifact_type == "RubricAssessment":
                    yield show.rubric(root, course, result, time)
                yield show.result(root, course, result, time + dice.between(900, 9000), created=True)
                if dice.random() < 0.03:
                    # Seen at once that it was wrong: these two are likely to arrive the other way round.
                    yield from self.again(root, course, result, time + 10 * SECOND)
                course.results.append(result)

    def again(self, root: RootAccount, course: Course, result: Result, time: int) -> Iterator[Event]:
        """Grade a result again: the same row, another score, assessed later. Brings back a deleted one."""
        time = max(time, result.changed_at + SECOND)
        result.state = "active"
        result.score = self._score(result.student, result.possible)
        result.assessed_at = result.changed_at = root.row_time(time)
        if self._dice.chance(0.4):
            result.attempt += 1
        if result.artifact_type == "RubricAssessment":
            yield self._snapshots.rubric(root, course, result, time)
        yield self._updated(root, course, result, time)

    def regrade(self, root: RootAccount, course: Course, time: int) -> Iterator[Event]:
        """Grade some of the newest results again."""
        for result in self._dice.sample(course.results, 3):
            yield from self.again(root, course, result, time)
            time += 20 * SECOND

    def clear(self, root: RootAccount, course: Course, time: int) -> Iterator[Event]:
        """Take a score away; the result stays, and gets another one at times."""
        result = self._dice.pick(course.results)
        time = max(time, result.changed_at + SECOND)
        result.score = None
        result.assessed_at = result.changed_at = root.row_time(time)
        yield self._updated(root, course, result, time)
        if self._dice.chance(0.4):
            yield from self.again(root, course, result, time + 20 * MINUTE)

    def delete(self, root: RootAccount, course: Course, time: int) -> Iterator[Event]:
        """Delete a result; the course keeps it, so that it can be brought back."""
        result = self._dice.pick(course.results)
        course.results.remove(result)
        course.deleted.append(result)
        result.state = "deleted"
        time = max(time, result.changed_at + SECOND)
        result.changed_at = root.row_time(time)
        yield self._updated(root, course, result, time)

    def restore(self, root: RootAccount, course: Course, time: int) -> Iterator[Event]:
        """Grade a deleted result again, which makes it active."""
        result = course.deleted.popleft()
        course.results.append(result)
        yield from self.again(root, course, result, time)

    def replace(self, root: RootAccount, course: Course, time: int) -> Iterator[Event]:
        """Grade what has a result already, as Canvas does it at times.

        The new row is born deleted, and the old one gets its score.
        """
        dice, show = self._dice, self._snapshots
        old = dice.pick(course.results)
        time = max(time, old.changed_at + SECOND)
        new = self._new(root, old.student, old.outcome, old.asset, (old.artifact, old.artifact_type), time)
        new.state = "deleted"
        yield show.result(root, course, new, time, created=True)
        old.score, old.assessed_at, old.changed_at = new.score, new.assessed_at, root.row_time(time + SECOND)
        yield self._updated(root, course, old, time + SECOND)

    def review(self, root: RootAccount, course: Course, time: int) -> Iterator[Event]:
        """Let peers and moderators fill in the rubric: assessments that no result follows."""
        for kind in _REVIEWS:
            yield self._snapshots.rubric(root, course, self._dice.pick(course.results), time, kind)
            time += MINUTE

    def _new(
        self,
        root: RootAccount,
        student: Student,
        outcome: Outcome,
        asset: Asset,
        artifact: tuple[str, str],
        time: int,
    ) -> Result:
        # A rubric counts the outcome's own points, a quiz those of its questions.
        possible = outcome.scale[0] if asset.type == "Assignment" else float(5 + int(asset.id) % 16)
        score = self._score(student, possible)
        at = root.row_time(time)
        return Result(
            root.next_id("result"), student, outcome, asset, *artifact, score, possible, score, 1, at, at, at
        )

    def _score(self, student: Student, possible: float) -> float:
        """Draw a score: half points as a rule, hundredths at times, with luck more than possible."""
        random = self._dice.random
        share = max(0.0, min(1.1, student.ability + 0.3 * (random() - 0.5)))
        if random() < 0.2:
            return int(possible * share * 100) / 100
        return int(possible * share * 2 + 0.5) / 2

    def _updated(self, root: RootAccount, course: Course, result: Result, time: int) -> Event:
        return self._snapshots.result(root, course, result, time + 700, created=False)
