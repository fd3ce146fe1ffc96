import pytest

from app.mastery.definition import read_outcome, read_proficiency
from app.mastery.resolve import DefinitionState, ScaleSource
from app.mastery.rules import AccountRules, MasteryRules, UnknownDefinition
from app.mastery.versions import milliseconds
from tests.mastery.events import at, definition_of, outcome, proficiency

SCALES = AccountRules(account_level_scales=True)
LEVELS = ((4.0, "Exceeds", False), (3.0, "Meets", True), (1.0, "Below", False))


@pytest.mark.parametrize(
    ("method", "n", "computed", "state"),
    [
        (None, None, ("highest", None), "known"),
        ("", None, ("highest", None), "known"),
        ("highest", 65, ("highest", None), "known"),
        ("latest", 3, ("latest", None), "known"),
        ("average", None, ("average", None), "known"),
        ("median", 3, ("highest", None), "invalid"),
        ("n_mastery", None, ("n_mastery", 5), "known"),
        ("n_mastery", 10, ("n_mastery", 10), "known"),
        ("n_mastery", 11, ("n_mastery", 5), "invalid"),
        ("n_mastery", 0, ("n_mastery", 5), "invalid"),
        ("decaying_average", None, ("decaying_average", 65), "known"),
        ("decaying_average", 1, ("decaying_average", 1), "known"),
        ("decaying_average", 100, ("decaying_average", 65), "invalid"),
        ("weighted_average", 99, ("weighted_average", 99), "known"),
        ("weighted_average", -1, ("weighted_average", 65), "invalid"),
        ("standard_decaying_average", 50, ("standard_decaying_average", 50), "known"),
        ("standard_decaying_average", 49, ("standard_decaying_average", 65), "invalid"),
    ],
)
def test_method_and_number(method, n, computed, state):
    basis = definition_of(outcome(method, n)).basis
    assert ((basis.method, basis.n), basis.state) == (computed, state)


def test_without_the_new_decaying_average_the_standard_one_is_the_older_formula():
    basis = definition_of(
        outcome("standard_decaying_average", 30), AccountRules(new_decaying_average=False)
    ).basis
    assert (basis.method, basis.n, basis.state) == ("decaying_average", 30, "known")


@pytest.mark.parametrize(
    ("mastery", "possible", "computed", "state"),
    [
        (3.0, 5.0, (3.0, 5.0), "known"),
        (6.0, 5.0, (6.0, 5.0), "known"),
        (None, 5.0, (5.0, 5.0), "invalid"),
        (-1.0, 5.0, (5.0, 5.0), "invalid"),
        (0.0, 5.0, (0.0, 5.0), "invalid"),
        (3.0, None, (3.0, 3.0), "invalid"),
        (3.0, 0.0, (3.0, 3.0), "invalid"),
        (3.0, float("nan"), (3.0, 3.0), "invalid"),
        (0.0, 0.0, (3.0, 5.0), "invalid"),
        (None, None, (3.0, 5.0), "invalid"),
        (-2.0, -1.0, (3.0, 5.0), "invalid"),
    ],
)
def test_points(mastery, possible, computed, state):
    basis = definition_of(outcome(mastery=mastery, possible=possible)).basis
    assert ((basis.scale.mastery_points, basis.scale.points_possible), basis.state) == (computed, state)


def test_levels_have_the_highest_first_and_those_without_points_are_left_out():
    ratings = ((1.0, "low"), (None, "none"), (5.0, "high"), (3.0, None))
    scale = definition_of(outcome(ratings=ratings)).basis.scale
    assert [(level.points, level.description) for level in scale.levels] == [
        (5.0, "high"),
        (3.0, None),
        (1.0, "low"),
    ]
    assert [getattr(scale.level(points), "points", None) for points in (9.0, 5.0, 4.99, 1.0, 0.5)] == [
        5.0,
        5.0,
        3.0,
        1.0,
        None,
    ]


def test_no_ratings_at_all():
    event = outcome()
    event["body"]["rubric_criterion"]["ratings"] = None
    assert definition_of(event).basis.scale.levels == ()


def test_an_unknown_outcome_has_no_basis():
    assert definition_of(None).basis is None
    assert definition_of(None, SCALES, proficiency(*LEVELS)).basis is None


def test_an_unknown_outcome_by_canvas_default():
    rules = AccountRules(unknown_definition=UnknownDefinition.CANVAS_DEFAULT)
    basis = definition_of(None, rules).basis
    assert (basis.method, basis.scale.mastery_points, basis.scale.points_possible) == ("highest", 3.0, 5.0)
    assert (basis.state, basis.time) == (DefinitionState.ASSUMED, None)


def test_version_is_of_what_is_computed_with_alone():
    def version(*args, **fields):
        return definition_of(outcome(*args, **fields)).basis.version

    assert version() == version(updated=5, title="Other", description="Other", workflow_state="archived")
    assert version("highest", 65) == version("highest", None) == version(None, None)
    others = [
        version("latest"),
        version("n_mastery", 3),
        version("n_mastery", 4),
        version(mastery=2.0),
        version(possible=4.0),
        version(ratings=((1.0, "low"),)),
        version(ratings=((1.0, "Low"),)),
        version(ratings=((2.0, "low"),)),
    ]
    assert len({version(), *others}) == len(others) + 1
    # Never to change by itself: it would make every row be computed again.
    assert version() == "e116ed1bf91b78b5"


def test_time_is_that_of_the_version():
    assert definition_of(outcome(updated=9, sent=1)).basis.time == milliseconds(at(9))
    assert definition_of(outcome(sent=1)).basis.time == milliseconds(at(1))


# --- proficiencies ---


def test_proficiencies_are_of_no_effect_without_account_level_scales():
    definition = definition_of(outcome(), AccountRules(), proficiency(*LEVELS))
    assert definition.basis.source is ScaleSource.OUTCOME
    assert definition.courses == {}


def test_the_root_accounts_proficiency_replaces_the_scale():
    event = outcome("n_mastery", 2, mastery=None, possible=None, updated=2)
    basis = definition_of(event, SCALES, proficiency(*LEVELS, updated=7)).basis
    assert (basis.scale.mastery_points, basis.scale.points_possible) == (3.0, 4.0)
    assert (basis.source, basis.state) == ("proficiency", "known"), "the outcome's own points do not matter"
    assert (basis.method, basis.n) == ("n_mastery", 2)
    assert basis.scale.level(3.5).description == "Meets"
    assert basis.time == milliseconds(at(7))
    assert definition_of(event, SCALES, proficiency(*LEVELS, updated=1)).basis.time == milliseconds(at(2))


def test_a_courses_own_comes_first():
    own = proficiency((2.0, "Yes", True), outcome_proficiency_id="2", context_type="Course", context_id="565")
    definition = definition_of(outcome(), SCALES, proficiency(*LEVELS), own)
    assert definition.of_course("565").scale.points_possible == 2.0
    assert definition.of_course("99").scale.points_possible == 4.0
    assert definition.of_course(None).scale.points_possible == 4.0


@pytest.mark.parametrize(
    "other",
    [
        {"workflow_state": "deleted"},
        {"context_id": "5"},  # an account below the root: which courses are in it is not told
    ],
)
def test_without_one_in_force_the_outcomes_own_is_assumed(other):
    basis = definition_of(outcome(), SCALES, proficiency(*LEVELS, **other)).basis
    assert (basis.source, basis.state, basis.scale.points_possible) == ("outcome", "assumed", 5.0)


@pytest.mark.parametrize(
    ("levels", "points", "source"),
    [
        ((), (3.0, 5.0), "outcome"),
        (((0.0, "Nothing", True),), (3.0, 5.0), "outcome"),
        (((4.0, "Top", False), (1.0, "Low", False)), (4.0, 4.0), "proficiency"),
        (((4.0, "Top", True), (3.0, "Mid", True)), (4.0, 4.0), "proficiency"),
        (((4.0, "Top", True), (4.0, "Top", False)), (4.0, 4.0), "proficiency"),
    ],
)
def test_invalid_proficiencies(levels, points, source):
    basis = definition_of(outcome(), SCALES, proficiency(*levels)).basis
    assert (basis.scale.mastery_points, basis.scale.points_possible) == points
    assert (basis.source, basis.state) == (source, "invalid")


def test_time_does_not_go_back_when_a_scale_is_deleted_or_found_out_about_late():
    outcome_event, account = outcome(updated=2), proficiency(*LEVELS, updated=7)
    deleted = proficiency(*LEVELS, updated=8, workflow_state="deleted")
    course = proficiency(
        *LEVELS, updated=5, outcome_proficiency_id="2", context_type="Course", context_id="565"
    )
    assert definition_of(outcome_event, SCALES, account).basis.time == milliseconds(at(7))
    assert definition_of(outcome_event, SCALES, deleted).basis.time == milliseconds(at(8))
    assert definition_of(outcome_event, SCALES, account, course).of_course("565").time == milliseconds(at(7))
    gone = proficiency(
        updated=9,
        outcome_proficiency_id="2",
        context_type="Course",
        context_id="565",
        workflow_state="deleted",
    )
    there = definition_of(outcome_event, SCALES, account, gone).of_course("565")
    assert (there.time, there.source) == (milliseconds(at(9)), "proficiency")


def test_deleted_levels_are_none():
    event = proficiency(*LEVELS)
    event["body"]["outcome_proficiency_ratings"][0]["workflow_state"] = "deleted"
    assert definition_of(outcome(), SCALES, event).basis.scale.points_possible == 3.0


def test_the_later_of_two_active_ones_counts():
    older = proficiency(*LEVELS, outcome_proficiency_id="2", updated=1)
    newer = proficiency((9.0, "Nine", True), outcome_proficiency_id="1", updated=2)
    assert definition_of(outcome(), SCALES, newer, older).basis.scale.points_possible == 9.0


def test_a_deleted_one_does_not_take_another_one_along():
    older = proficiency(*LEVELS, updated=1)
    deleted = proficiency(
        (9.0, "Nine", True), outcome_proficiency_id="2", updated=5, workflow_state="deleted"
    )
    basis = definition_of(outcome(), SCALES, older, deleted).basis
    assert (basis.scale.points_possible, basis.state) == (4.0, "known")
    assert basis.time == milliseconds(at(5))


def test_reading_definitions():
    own = read_outcome(outcome(learning_outcome_id="21070000000000007"))
    assert (own.learning_outcome_id, own.is_global) == ("7", False)
    assert read_outcome(outcome(context_id=None, context_type=None, context_uuid=None)).is_global
    scale = read_proficiency(proficiency(context_id="21070000000000001"))
    assert scale.whole_account
    assert (
        read_proficiency(proficiency(context_type="Course", context_id="21070000000000565")).course_id
        == "565"
    )


def test_rules_of_an_account():
    rules = MasteryRules(accounts={"special": SCALES})
    assert rules.of("special") is SCALES
    assert rules.of("any") == AccountRules(new_decaying_average=True, account_level_scales=False)
