import asyncio
from dataclasses import replace

import pytest

from app.web.models.base import WorkerState
from app.web.models.mastery import MasteryQuery
from app.web.models.stream import DeadLetterQuery
from app.web.problems import BadParameter, Forbidden, NotFound, NotReady
from app.web.security.guarded import GuardedAnswers, require
from app.web.security.viewer import FEWEST, LOCAL, Role, Viewer
from tests.web.fake_school import ACCOUNT, COURSES
from tests.web.fakes import FakeAnswers

ADMIN = Viewer("root", Role.ADMIN)
TEACHER = Viewer("ann", Role.VIEWER)
GROUPS = Viewer("grafana", Role.AGGREGATE)
COURSE, OTHER = sorted(COURSES)[:2]
ONE_COURSE = replace(TEACHER, courses=frozenset({COURSE}))
OTHER_ACCOUNT = replace(TEACHER, accounts=frozenset({"another-account"}))
GROUPS_OF_COURSE = replace(GROUPS, courses=frozenset({COURSE}))


@pytest.fixture(scope="module")
def fake():
    return FakeAnswers(count=60)


@pytest.fixture(scope="module")
def answers(fake):
    return GuardedAnswers(fake)


def run(coroutine):
    return asyncio.run(coroutine)


@pytest.fixture(scope="module")
def student(fake):
    return fake.first_student()


def test_roles_include_those_before_them():
    assert [[one.includes(other) for other in Role] for one in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]
    with pytest.raises(Forbidden, match="grafana is for numbers of groups; this is for students"):
        require(GROUPS, Role.VIEWER)


def test_an_admin_gets_what_there_is(fake, answers, student):
    letter = run(fake.dead_letters(LOCAL, DeadLetterQuery())).letters[0]
    topic = run(fake.topics(LOCAL)).topics[0].name
    outcome = next(iter(fake.school.outcomes))
    for name, arguments in (
        ("overview", ()),
        ("mastery", (MasteryQuery(),)),
        ("student", (student,)),
        ("outcomes", ()),
        ("outcome", (outcome,)),
        ("courses", ()),
        ("course", (COURSE,)),
        ("dead_letters", (DeadLetterQuery(),)),
        ("dead_letter", (letter.partition, letter.offset)),
        ("topics", ()),
        ("topic", (topic,)),
        ("status", ()),
    ):
        given = run(getattr(answers, name)(ADMIN, *arguments))
        assert given == run(getattr(fake, name)(ADMIN, *arguments)), name


def test_every_method_of_answers_is_guarded():
    from app.web.answers import Answers

    asked = {name for name in vars(Answers) if not name.startswith("_")}
    assert asked <= set(vars(GuardedAnswers)), "inherited from the protocol, it would answer None"


# --- who sees no individual ---


@pytest.mark.parametrize("viewer", [GROUPS, GROUPS_OF_COURSE])
def test_no_individual_for_who_sees_groups(fake, answers, student, viewer):
    letter = run(fake.dead_letters(LOCAL, DeadLetterQuery())).letters[0]
    for refused in (
        answers.mastery(viewer, MasteryQuery()),
        answers.mastery(viewer, MasteryQuery(), local=True),
        answers.student(viewer, student),
        answers.student(viewer, "nobody"),
        answers.dead_letter(viewer, letter.partition, letter.offset),
    ):
        with pytest.raises(Forbidden):
            run(refused)
    everything = "".join(
        run(answer).model_dump_json()
        for answer in (
            answers.overview(viewer),
            answers.outcomes(viewer),
            *(answers.outcome(viewer, one) for one in fake.school.outcomes),
            *(answers.outcome(viewer, one, local=True) for one in fake.school.outcomes),
            answers.dead_letters(viewer, DeadLetterQuery()),
            answers.status(viewer),
            *(answers.topic(viewer, one.name) for one in run(fake.topics(LOCAL)).topics),
            *([answers.course(viewer, COURSE)] if viewer.courses else []),
        )
    )
    for uuid, name in fake.school.students.items():
        assert uuid not in everything
        assert name is None or name not in everything


def test_groups_over_all_courses_or_of_listed_ones(fake, answers):
    for refused in (answers.courses(GROUPS), answers.course(GROUPS, COURSE)):
        with pytest.raises(Forbidden, match="over all courses"):
            run(refused)
    assert any(one.students for one in run(answers.outcomes(GROUPS)).outcomes)
    assert not any(one.students or one.steps for one in run(answers.outcomes(GROUPS_OF_COURSE)).outcomes)
    (summary,) = run(answers.courses(GROUPS_OF_COURSE)).courses
    assert (summary.course_id, summary.students) == (COURSE, None)
    course = run(answers.course(GROUPS_OF_COURSE, COURSE))
    assert (course.students, course.next, course.course.students) == ((), None, None)
    assert any((one.students or 0) >= FEWEST for one in course.outcomes)


def test_a_small_school_shows_no_group():
    small = GuardedAnswers(FakeAnswers(count=9))
    for summary in run(small.outcomes(GROUPS)).outcomes:
        assert (summary.students, summary.scored, summary.mastered, summary.mean) == (None,) * 4
        assert summary.steps == ()
        page = run(small.outcome(GROUPS, summary.learning_outcome_id))
        assert (page.levels, page.median, page.no_evidence, page.score_counts) == ((), None, None, {})
    overview = run(small.overview(GROUPS))
    assert (overview.rows, overview.students) == (None, None)


def test_another_worker_gets_the_counts_to_add_them_up(fake, answers):
    outcome = next(iter(fake.school.outcomes))
    part = run(answers.outcome(GROUPS, outcome, local=True))
    assert part.score_counts == run(fake.outcome(LOCAL, outcome)).score_counts
    assert part.near_mastery == ()


# --- who sees some courses or root accounts ---


def test_rows_of_the_own_courses_alone_and_nothing_over_all(answers):
    rows = run(answers.mastery(ONE_COURSE, MasteryQuery(limit=500))).rows
    assert {row.course_id for row in rows} == {COURSE}
    assert {(row.overall_score, row.overall_mastery) for row in rows} == {(None, None)}
    assert any(row.score is not None for row in rows)


def test_a_student_in_the_own_courses_alone(fake, answers, student):
    seen = run(answers.student(ONE_COURSE, student))
    assert {course.course_id for one in seen.outcomes for course in one.courses} == {COURSE}
    for one in seen.outcomes:
        assert one.overall.hidden
        assert (one.overall.score, one.overall.results, one.overall.results_count) == (None, (), 0)
        assert {result.course_id for course in one.courses for result in course.results} <= {COURSE}
    whole = run(fake.student(LOCAL, student))
    assert any(len(one.courses) > 1 for one in whole.outcomes), "or this shows nothing"


def test_a_student_of_other_courses_is_as_one_that_nobody_knows(fake, answers):
    nowhere = replace(TEACHER, courses=frozenset({"no such course"}))
    told = []
    for student in (fake.first_student(), "nobody at all"):
        for viewer in (nowhere, OTHER_ACCOUNT):
            with pytest.raises(NotFound) as caught:
                run(answers.student(viewer, student))
            told.append(caught.value.report)
    assert len(set(told)) == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda answers, viewer: answers.mastery(viewer, MasteryQuery(course=OTHER, account=ACCOUNT)),
        lambda answers, viewer: answers.course(viewer, OTHER, ACCOUNT),
    ],
)
@pytest.mark.parametrize("viewer", [ONE_COURSE, OTHER_ACCOUNT])
def test_what_is_not_theirs_is_refused_before_it_is_looked_for(fake, answers, viewer, ask):
    fake.asked.clear()
    with pytest.raises(Forbidden):
        run(ask(answers, viewer))
    assert fake.asked == []


def test_numbers_of_groups_lead_to_nothing_of_who_changed_last(answers):
    assert run(answers.overview(LOCAL)).examples
    assert run(answers.overview(Viewer("numbers", Role.AGGREGATE))).examples == {}


def test_nothing_of_another_root_account(fake, answers):
    several = replace(TEACHER, accounts=frozenset({"another-account", "a third"}))
    assert run(answers.mastery(several, MasteryQuery())).rows == ()
    assert run(answers.outcomes(several)).outcomes == ()
    assert run(answers.courses(several)).courses == ()
    overview = run(answers.overview(several))
    assert (overview.changes, overview.examples, overview.rows, overview.students) == ((), {}, None, None)
    for hidden in (
        answers.outcome(several, next(iter(fake.school.outcomes))),
        answers.course(several, COURSE),
        answers.student(several, fake.first_student()),
    ):
        with pytest.raises(NotFound):
            run(hidden)


def test_a_login_with_one_course_asks_for_it(fake, answers):
    fake.asked.clear()
    run(answers.mastery(ONE_COURSE, MasteryQuery()))
    run(answers.mastery(replace(TEACHER, accounts=frozenset({ACCOUNT})), MasteryQuery()))
    assert [query.course for _, query in fake.asked] == [COURSE, None]
    assert [query.account for _, query in fake.asked] == [None, ACCOUNT]


def test_other_root_accounts_are_not_named_in_errors():
    problem = BadParameter("several root accounts have this id: secret-1, mine", parameter="account")
    broken = GuardedAnswers(FakeAnswers(problem=problem))
    limited = replace(TEACHER, accounts=frozenset({"mine", "mine too"}))
    for asked in (broken.outcome(limited, "1"), broken.course(limited, "1")):
        with pytest.raises(BadParameter) as caught:
            run(asked)
        assert "secret-1" not in caught.value.report
    with pytest.raises(NotFound):
        run(broken.student(limited, "1"))
    with pytest.raises(BadParameter, match="secret-1"):
        run(broken.outcome(TEACHER, "1"))


def test_near_mastery_shows_the_own_courses(fake, answers):
    for outcome in fake.school.outcomes:
        page = run(answers.outcome(ONE_COURSE, outcome))
        assert {row.course_id for row in page.near_mastery} <= {COURSE}
        assert (page.outcome.students, page.levels, page.score_counts, page.median) == (None, (), {}, None)
        assert set(page.courses) <= {COURSE}


# --- what is for admins ---


@pytest.mark.parametrize("viewer", [TEACHER, ONE_COURSE, replace(ADMIN, accounts=frozenset({ACCOUNT}))])
def test_bytes_and_samples_are_for_who_sees_everything(fake, answers, viewer):
    letter = run(fake.dead_letters(LOCAL, DeadLetterQuery())).letters[0]
    shown = run(answers.dead_letter(viewer, letter.partition, letter.offset))
    assert shown.hidden
    assert (shown.key, shown.headers, shown.json_text, shown.text) == (None, (), None, None)
    assert all(run(answers.topic(viewer, one.name)).records == () for one in run(fake.topics(LOCAL)).topics)
    assert {one.key for one in run(answers.overview(viewer)).last_events} <= {None}


def test_settings_are_for_admins(answers):
    assert run(answers.status(ADMIN)).settings
    assert run(answers.status(TEACHER)).settings == ()
    assert run(answers.status(TEACHER)).workers


def test_numbers_without_a_workers_part_are_not_for_who_sees_groups():
    """The rest, which is the difference to the whole, may be a few students."""
    partial = FakeAnswers(count=60, states=(WorkerState.ANSWERED, WorkerState.SILENT))
    guarded = GuardedAnswers(partial)
    outcome = next(iter(partial.school.outcomes))
    for ask in (
        guarded.outcomes,
        lambda viewer, **options: guarded.outcome(viewer, outcome, **options),
    ):
        assert not run(ask(TEACHER)).freshness.complete
        with pytest.raises(NotReady) as caught:
            run(ask(GROUPS))
        assert caught.value.headers["Retry-After"]
        # A worker's part is added up by another one, which looks at the whole.
        assert run(ask(GROUPS, local=True))
    for ask in (guarded.courses, lambda viewer: guarded.course(viewer, COURSE)):
        assert not run(ask(ONE_COURSE)).freshness.complete
        with pytest.raises(NotReady):
            run(ask(GROUPS_OF_COURSE))


def test_how_many_rows_are_restored_is_for_who_sees_them_all(fake, answers):
    for viewer in (GROUPS, ONE_COURSE, OTHER_ACCOUNT):
        for worker in run(answers.status(viewer)).workers:
            assert (worker.rows, worker.restore_read, worker.restore_left) == (None, None, None)
