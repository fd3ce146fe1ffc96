"""A course with a mastery scale of its own is shown with the points of that scale."""

from types import SimpleNamespace

import pytest

from app.mastery.definition import AccountScales, OutcomeDefinition, ProficiencyDefinition, ScaleInForce
from app.mastery.resolve import resolve
from app.mastery.results import Results
from app.mastery.rollup import roll_up
from app.mastery.rules import AccountRules
from app.mastery.scale import Level, ProficiencyLevel
from app.mastery.snapshot import ResultSnapshot, RowKey, Work
from app.mastery.versions import Version
from app.views.answers import Line
from app.web.local.mastery import _row
from app.web.local.scales import Scales
from app.web.local.student_outcome import shown_outcome

NOW = Version(True, 1, 1, b"")
OUTCOME = OutcomeDefinition(
    "acct",
    "5",
    False,
    "Fractions",
    "highest",
    None,
    3.0,
    5.0,
    (Level(3.0, "Mastery"),),
    Version(True, 1, 1, b""),
)
LEVELS = (ProficiencyLevel(4.0, "Met", True, "00AA00"), ProficiencyLevel(0.0, "Not met", False, "AA0000"))
OWN = ProficiencyDefinition("acct", "9", True, False, "2", LEVELS, NOW)


@pytest.fixture
def lookup():
    scales = AccountScales(courses={"2": ScaleInForce(OWN, 1)})
    definition = resolve(OUTCOME, AccountRules(account_level_scales=True), scales)
    return SimpleNamespace(resolve=lambda _account, _outcome: definition, scales=lambda _account: scales)


def _result(number, course, percent):
    work = Work("Submission", str(number), "Assignment", "1")
    version = Version(False, number, number, b"")
    return ResultSnapshot(str(number), work, True, percent, 1.0, percent, number, course, None, version)


def test_of_a_student(lookup):
    results = Results([_result(1, "1", 0.7), _result(2, "2", 0.9)])
    definition = lookup.resolve("acct", "5")
    row = roll_up(RowKey("acct", "u", "5"), results, definition)
    shown = shown_outcome(results, row, lookup)
    first, second = shown.courses
    assert (shown.mastery_points, shown.points_possible) == (3, 5)
    assert (first.mastery_points, first.points_possible, first.levels) == (None, None, ())
    assert (second.score, second.mastery_points, second.points_possible) == (3.6, 4, 4)
    assert (second.mastery, second.rating) == (False, "Not met")
    assert second.levels == ((4, "Met", "00AA00"), (0, "Not met", "AA0000"))


def _line(course, score, mastery):
    return Line(
        "acct", "u", "5", "Fractions", course, score, mastery, None, 1, 1.0, 3.6, True, "Mastery", 3.0, 5.0,
        "highest", None, "known", 1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("course", "score", "mastery", "points"),
    [
        ("1", 3.6, True, (3, 5)),
        ("2", 3.6, False, (4, 4)),
        ("2", None, None, (4, 4)),
        # Computed before the course had its scale.
        ("2", 3.6, True, (3, 5)),
    ],
)
def test_of_a_line_in_a_list(lookup, course, score, mastery, points):
    line = _line(course, score, mastery)
    shown = _row(line, Scales(lookup).of("acct", "5", course))
    assert (shown.mastery_points, shown.points_possible) == points
