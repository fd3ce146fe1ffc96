"""Random rows: few of everything, so that they meet; ids and titles that are awkward to sort."""

from random import Random

from app.mastery.row import CourseScore, Row
from app.mastery.snapshot import RowKey
from app.views.writer import ChangedRow

ACCOUNTS = ["north", "south", "-"]
# Alike in their first eight bytes, beyond ASCII, shorter than eight.
USERS = ["student-1", "student-2", "student-12", "ünal", "zoë", "a", "Ab", "ab", "\U0001f600", *"pqrstuvw"]
TITLES = {"7": "Fractions", "12": "fractions", "9": "STRASSE", "100": None, "21": "", "13": "100% _of_ it"}
COURSES = ["5", "565", "56", "9", "10"]
METHODS = ["highest", "latest", "decaying_average"]


def random_row(random, key, title):
    courses = [
        CourseScore(course, None, *random_score(random))
        for course in random.sample(COURSES, random.choice([0, 1, 1, 1, 2, 3]))
    ]
    score, mastery, count, assessed = random_score(random)
    if len(courses) == 1 and random.random() < 0.8:
        [whole] = courses
        score, mastery, count = whole.score, whole.mastery, whole.results_count
        assessed = whole.last_assessed_at
    return Row(
        *key,
        score=score,
        mastery=mastery,
        rating=None if score is None else random.choice(["Mastery", "Near Mastery", None]),
        mastery_points=3.0,
        points_possible=random.choice([5.0, 4.0]),
        calculation_method=random.choice(METHODS),
        calculation_int=random.choice([None, 65]),
        results_count=count,
        last_assessed_at=assessed,
        definition_state=random.choice(["known", "assumed"]),
        scale_source="outcome",
        definition_version="v",
        definition_time=1,
        outcome_title=title,
        rating_points=None,
        last_event_time=2,
        courses=tuple(sorted(courses, key=lambda one: (len(one.course_id), one.course_id))),
    )


def random_score(random):
    if random.random() < 0.2:
        return None, None, 0, None
    score = random.choice([0.0, 1.0, 2.33, 2.67, 3.0, 3.25, 4.0, 5.0])
    return score, score >= 3, random.randint(1, 9), random.choice([None, *range(1_000, 1_000_000, 100_001)])


def random_history(seed, records):
    """Yield changed rows in the order of a changelog; titles of an outcome stay the same."""
    random = Random(seed)
    for number in range(records):
        outcome = random.choice(list(TITLES))
        key = RowKey(random.choice(ACCOUNTS), random.choice(USERS), outcome)
        gone = random.random() < 0.15
        row = None if gone else random_row(random, key, TITLES[outcome])
        yield ChangedRow(key, row, 1_000 + number)
