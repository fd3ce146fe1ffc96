"""What one worker answers, against the rows themselves."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from statistics import fmean, median

import pytest

from app.mastery.methods import Method
from app.stream.progress import Phase
from app.views.answers import Change
from app.web.local.changes import LocalChanges
from app.web.models.base import WorkerState
from app.web.models.mastery import MasteryQuery, ResultState, Sort
from app.web.models.stream import Severity
from app.web.problems import BadParameter, NotFound, NotReady
from app.web.security.viewer import LOCAL, Role, Viewer
from tests.definitions.support import OTHER
from tests.mastery.events import ACCOUNT
from tests.web.local.support import LEVELS, METHODS, PARTITIONS, TITLES, all_pages, wait

COLORS = "0b874b"


def lines(worker):
    return [(key, row, course) for key, (_, row) in worker.rows.items() for course in row.courses]


# --- rows ---


def test_all_rows_come_once(worker):
    found = all_pages(
        lambda cursor: worker.answers.mastery(LOCAL, MasteryQuery(limit=7, cursor=cursor)), "rows"
    )
    got = {
        (one.root_account_uuid, one.user_uuid, one.learning_outcome_id, one.course_id): one for one in found
    }
    assert len(got) == len(found) == len(lines(worker))
    for key, row, course in lines(worker):
        one = got[*key, course.course_id]
        assert (one.score, one.mastery, one.results_count) == (
            course.score,
            course.mastery,
            course.results_count,
        )
        assert (one.overall_score, one.overall_mastery) == (row.score, row.mastery)
        assert one.last_assessed_at == (course.last_assessed_at and course.last_assessed_at / 1000)


def test_the_rating_of_a_course_is_of_its_own_scale(worker):
    own, general = set(), set()
    for one in all_pages(
        lambda cursor: worker.answers.mastery(LOCAL, MasteryQuery(limit=100, account=ACCOUNT, cursor=cursor)),
        "rows",
    ):
        if one.score is None:
            assert one.rating is None
            continue
        if one.course_id == "99":
            expected = (
                "Top" if one.score >= 8 else "Good" if one.score >= 6 else "Poor" if one.score >= 1 else None
            )
            own.add(expected)
        else:
            expected = next(name for points, name, _ in LEVELS if one.score >= points)
            general.add(expected)
        assert (one.rating, one.rating_color) == (expected, COLORS if expected else None), one
    assert own >= {"Good", "Poor"}
    assert general == {"Exceeds", "Meets", "Near", "Below"}


def test_a_search_finds_what_fits(worker):
    query = MasteryQuery(outcome="FRACTIONS", course="565", mastered=True, sort=Sort.SCORE_DOWN, limit=500)
    page = wait(worker.answers.mastery(LOCAL, query))
    expected = sorted(
        course.score
        for key, row, course in lines(worker)
        if "fractions" in (row.outcome_title or "").casefold()
        and course.course_id == "565"
        and course.mastery
    )
    assert [one.score for one in page.rows] == expected[::-1]
    assert page.next is None


def test_a_cursor_of_another_list_is_refused(worker):
    page = wait(worker.answers.mastery(LOCAL, MasteryQuery(limit=1)))
    with pytest.raises(BadParameter) as refused:
        wait(worker.answers.mastery(LOCAL, MasteryQuery(limit=1, course="99", cursor=page.next)))
    assert refused.value.more == {"parameter": "cursor"}


# --- one student ---


def student_keys(worker, user):
    return {key: held for key, held in worker.rows.items() if key.user_uuid == user}


@pytest.mark.parametrize("account", [None, ACCOUNT])
def test_a_student_with_every_result(worker, account):
    for user in {key.user_uuid for key in worker.rows if key.root_account_uuid == ACCOUNT}:
        answer = wait(worker.answers.student(LOCAL, user, account))
        expected = student_keys(worker, user)
        assert {one.learning_outcome_id for one in answer.outcomes} == {key[2] for key in expected}
        for one in answer.outcomes:
            held, row = expected[one.root_account_uuid, user, one.learning_outcome_id]
            assert (one.overall.score, one.overall.rating) == (row.score, row.rating)
            assert [course.score for course in one.courses] == [course.score for course in row.courses]
            assert len(one.overall.results) == len(held.snapshots)


def test_weights_and_values_make_the_score(worker):
    seen, states = set(), Counter()
    for user in {key.user_uuid for key in worker.rows}:
        for one in wait(worker.answers.student(LOCAL, user)).outcomes:
            for score in [*one.courses, one.overall]:
                counted = [each for each in score.results if each.state is ResultState.COUNTED]
                states.update(each.state for each in score.results)
                assert len(counted) == score.results_count
                assert all(
                    each.weight is None and each.why_not for each in score.results if each not in counted
                )
                if score.score is None or any(each.weight is None for each in counted):
                    continue
                made = sum(each.value * each.weight for each in counted)
                assert made == pytest.approx(score.score, abs=0.005 + 1e-9)
                assert score.formula.endswith(f"= {score.score:g}")
                seen.add(one.calculation_method)
            # A course with a scale of its own is explained, too.
            assert all(
                each.weight is not None
                for course in one.courses
                if course.score is not None
                for each in course.results
                if each.state is ResultState.COUNTED
            )
    assert seen >= {Method(method) for method, _ in METHODS.values()}
    assert set(states) == {
        ResultState.COUNTED,
        ResultState.DELETED,
        ResultState.SUPERSEDED,
        ResultState.CLEARED,
    }


def test_levels_have_the_colours_of_the_proficiency(worker):
    (key, _), *_ = [one for one in worker.rows.items() if one[0].learning_outcome_id == "8"]
    one = next(
        one
        for one in wait(worker.answers.student(LOCAL, key.user_uuid, key.root_account_uuid)).outcomes
        if one.learning_outcome_id == "8"
    )
    if one.levels:
        assert one.levels == tuple((points, name, COLORS) for points, name, _ in LEVELS)


def test_an_unknown_student_or_one_of_another_account(worker):
    other = next(key.user_uuid for key in worker.rows if key.root_account_uuid == OTHER)
    for user, account in [
        ("nobody", None),
        ("nobody", ACCOUNT),
        (other, ACCOUNT),
        ("\0", "\ud800"),
    ]:
        with pytest.raises(NotFound):
            wait(worker.answers.student(LOCAL, user, account))
    with pytest.raises(BadParameter):
        wait(worker.answers.student(LOCAL, "\ud800"))
    viewer = Viewer("x", Role.VIEWER, frozenset([ACCOUNT]))
    with pytest.raises(NotFound):
        wait(worker.answers.student(viewer, other))


# --- outcomes ---


@pytest.mark.parametrize("outcome", METHODS)
def test_the_distribution_of_an_outcome(worker, outcome):
    answer = wait(worker.answers.outcome(LOCAL, outcome, ACCOUNT))
    rows = [row for key, (_, row) in worker.rows.items() if key[::2] == (ACCOUNT, outcome)]
    scores = [row.score for row in rows if row.score is not None]
    assert (answer.outcome.students, answer.outcome.scored) == (len(rows), len(scores))
    assert answer.outcome.mastered == sum(bool(row.mastery) for row in rows)
    assert answer.outcome.mean == pytest.approx(fmean(scores))
    assert answer.median == pytest.approx(median(scores))
    assert answer.no_evidence == len(rows) - len(scores)
    assert Counter({float(score): count for score, count in answer.score_counts.items()}) == Counter(scores)
    assert sum(level.students for level in answer.levels) == len(scores)
    assert sum(level.students for level in answer.levels if level.mastery) == answer.outcome.mastered
    assert [level.points for level in answer.levels[:4]] == [4.0, 3.0, 2.0, 0.0]
    assert [level.mastery for level in answer.levels[:4]] == [True, True, False, False]
    assert {level.color for level in answer.levels[:4]} == {COLORS}
    assert [level.step for level in answer.levels[:4]] == [4, 3, 2, 1]
    steps = {one.steps: (one.points, one.students) for one in answer.outcome.steps}
    assert list(steps) == [(4,), (3,), (2,), (1,), (0,)]
    assert [steps[step,] for step in (4, 3, 2, 1)] == [
        (level.points, level.students) for level in answer.levels[:4]
    ]
    assert steps[0,] == (None, 0)
    listed = wait(worker.answers.outcomes(LOCAL, outcome, ACCOUNT)).outcomes
    assert [one for one in listed if one.learning_outcome_id == outcome] == [answer.outcome]
    assert answer.outcome.title == TITLES[outcome]
    assert set(answer.courses) == {
        course.course_id for key, row, course in lines(worker) if key[::2] == (ACCOUNT, outcome)
    }
    below = sorted(
        (
            course.score
            for key, _, course in lines(worker)
            if key[::2] == (ACCOUNT, outcome) and course.mastery is False
        ),
        reverse=True,
    )
    assert [one.score for one in answer.near_mastery] == below[:20]
    # There is no broker here.
    assert (answer.history, answer.history_complete) == ((), False)


def test_outcomes_with_rows_or_a_definition(worker):
    viewer = replace(LOCAL, accounts=frozenset([ACCOUNT]))
    found = all_pages(lambda cursor: worker.answers.outcomes(viewer, cursor=cursor, limit=2), "outcomes")
    assert [(one.learning_outcome_id, one.title) for one in found] == [
        ("8", "=Reads <b>well</b>"),
        ("20", "Argues"),
        ("7", "Fractions"),
        ("12", "fractions again"),
        ("40", "Never assessed"),
        ("15", "Zeichnen"),
        ("77", None),
    ]
    assert (found[4].students, found[4].mean, found[4].definition_state) == (0, None, "known")
    assert [one.students for one in found[4].steps] == [0] * 5
    assert (found[6].definition_state, found[6].steps) == ("unknown", ())
    back, cursor = [], wait(worker.answers.outcomes(viewer, cursor=None, limit=6)).next
    cursor = wait(worker.answers.outcomes(viewer, cursor=cursor, limit=6)).previous
    while cursor is not None:
        page = wait(worker.answers.outcomes(viewer, cursor=cursor, limit=2))
        back[:0] = page.outcomes
        cursor = page.previous
    assert back == list(found[:6])
    text = wait(worker.answers.outcomes(viewer, "FRACT"))
    assert [one.learning_outcome_id for one in text.outcomes] == ["7", "12"]
    assert [one.learning_outcome_id for one in wait(worker.answers.outcomes(LOCAL, "40")).outcomes] == ["40"]


def test_which_root_account_has_to_be_said_where_several_have_the_id(worker):
    with pytest.raises(BadParameter) as refused:
        wait(worker.answers.outcome(LOCAL, "7"))
    assert refused.value.more == {"parameter": "account", "accounts": [ACCOUNT, OTHER]}
    assert wait(worker.answers.outcome(LOCAL, "7", OTHER)).outcome.title == "Other fractions"
    assert wait(worker.answers.outcome(LOCAL, "8")).outcome.root_account_uuid == ACCOUNT
    never = wait(worker.answers.outcome(LOCAL, "40"))
    assert (never.outcome.students, never.median, never.score_counts) == (0, None, {})
    with pytest.raises(NotFound):
        wait(worker.answers.outcome(LOCAL, "404"))


# --- courses ---


def test_courses_and_their_grids(worker):
    listed = all_pages(lambda cursor: worker.answers.courses(LOCAL, ACCOUNT, cursor, limit=2), "courses")
    assert [one.course_id for one in listed] == ["99", "565", "1000"]
    for summary in listed:
        here = [
            (key, course)
            for key, _, course in lines(worker)
            if (key[0], course.course_id) == (ACCOUNT, summary.course_id)
        ]
        assert summary.students == len({key[1] for key, _ in here})
        assert summary.scored == sum(course.score is not None for _, course in here)
        grid_pages = [wait(worker.answers.course(LOCAL, summary.course_id, ACCOUNT, limit=10))]
        while (cursor := grid_pages[-1].next) is not None:
            grid_pages.append(
                wait(worker.answers.course(LOCAL, summary.course_id, ACCOUNT, cursor, limit=10))
            )
        students = [one for page in grid_pages for one in page.students]
        assert [one.user_uuid for one in students] == sorted({key[1] for key, _ in here})
        columns = [one.learning_outcome_id for one in grid_pages[0].outcomes]
        cells = {
            (one.user_uuid, column): cell
            for one in students
            for column, cell in zip(columns, one.cells, strict=True)
            if cell is not None
        }
        assert {place: cell.score for place, cell in cells.items()} == {
            (key[1], key[2]): course.score for key, course in here
        }
        for cell in cells.values():
            if cell.score is not None and cell.mastery is not None and summary.course_id != "99":
                assert cell.level == (
                    4 if cell.score >= 4 else 3 if cell.score >= 3 else 2 if cell.score >= 2 else 1
                )
        for one in grid_pages[0].outcomes:
            scores = [course.score for key, course in here if key[2] == one.learning_outcome_id]
            scores = [score for score in scores if score is not None]
            assert one.students == len(scores)
            assert one.mean == (pytest.approx(fmean(scores)) if scores else None)
    with pytest.raises(NotFound):
        wait(worker.answers.course(LOCAL, "1"))
    with pytest.raises(BadParameter):
        wait(worker.answers.course(LOCAL, "565"))


# --- what is not there yet ---


def test_freshness_tells_of_the_worker(worker):
    fresh = wait(worker.answers.mastery(LOCAL, MasteryQuery())).freshness
    (told,) = fresh.workers
    assert (told.name, told.state) == ("127.0.0.1:6066", WorkerState.ANSWERED)
    assert [(one.partition, one.applied, one.end) for one in told.partitions] == [
        (one, 100 + one, 103) for one in range(PARTITIONS)
    ]
    assert fresh.behind_seconds == pytest.approx(0.5)
    assert fresh.behind_records == len(worker.report.progress.partitions)


def test_while_rows_are_restored_a_lookup_waits_and_lists_say_so(worker):
    user = next(key.user_uuid for key in worker.rows if key.root_account_uuid == ACCOUNT)
    worker.restoring(30, 70)
    for account in (ACCOUNT, None):
        with pytest.raises(NotReady) as waits:
            wait(worker.answers.student(LOCAL, user, account))
        assert (waits.value.more["progress"], waits.value.headers) == (0.3, {"Retry-After": "2"})
    (told,) = wait(worker.answers.courses(LOCAL)).freshness.workers
    assert (told.state, told.progress) == (WorkerState.RESTORING, 0.3)
    overview = wait(worker.answers.overview(LOCAL))
    # How many there are is not known yet, which is not 0.
    assert (overview.rows, overview.students) == (None, None)


def test_a_view_that_is_not_ready_proves_nothing(worker):
    worker.unready(1)
    for ask in (
        lambda: worker.answers.student(LOCAL, "nobody"),
        lambda: worker.answers.outcome(LOCAL, "404"),
        lambda: worker.answers.course(LOCAL, "1"),
    ):
        with pytest.raises(NotReady):
            wait(ask())
    (told,) = wait(worker.answers.mastery(LOCAL, MasteryQuery())).freshness.workers
    assert told.state is WorkerState.RESTORING
    assert [one.restoring for one in told.partitions] == [False, True, False]
    assert told.progress == pytest.approx(0.75)


def test_a_view_that_lies_behind_proves_nothing_either(worker):
    worker.now += 60
    with pytest.raises(NotReady):
        wait(worker.answers.student(LOCAL, "nobody"))
    fresh = wait(worker.answers.courses(LOCAL)).freshness
    worker.now -= 60
    assert fresh.behind_seconds == pytest.approx(60.5)


def test_a_partition_of_another_worker_is_not_answered_for(worker):
    key = next(iter(worker.rows))
    mine = worker.partition_of(key)
    left = tuple(one for one in worker.report.progress.partitions if one.partition != mine)
    worker.report = replace(worker.report, progress=replace(worker.report.progress, partitions=left))
    with pytest.raises(NotReady):
        wait(worker.answers.student(LOCAL, key.user_uuid, key.root_account_uuid))


def test_a_state_file_that_is_gone(worker, tmp_path):
    key = next(iter(worker.rows))
    path = worker.settings.rows_folder / f"{worker.partition_of(key)}.db"
    path.rename(tmp_path / "away.db")
    try:
        with pytest.raises(NotReady):
            wait(worker.answers.student(LOCAL, key.user_uuid, key.root_account_uuid))
    finally:
        (tmp_path / "away.db").rename(path)


# --- the whole ---


def test_the_overview_tells_the_flow_without_kafka(worker):
    progress = worker.report.progress
    for second in range(3):
        events = {"learning_outcome_result_created": 100 * second}
        worker.answers.take(
            replace(worker.report, at=worker.now + second, progress=replace(progress, events=events))
        )
    told = replace(
        progress,
        events={"learning_outcome_result_created": 200},
        dead_letters={"not-json": 2},
        last_events={("learning_outcome_result_created", ACCOUNT): worker.now - 100_000},
    )
    worker.report = replace(
        worker.report,
        progress=told,
        definitions=replace(worker.report.definitions, accounts_with_unused_scales=("a",)),
    )
    worker.views.error = "no broker"
    answer = wait(worker.answers.overview(LOCAL))
    assert [one.severity for one in answer.notices] == sorted(
        [one.severity for one in answer.notices], key=list(Severity).index
    )
    texts = " | ".join(one.text for one in answer.notices)
    for part in (
        "cannot bring these pages up to date: no broker",
        "Nothing newer than 28 hours has come from Canvas",
        "2 records could not be understood since 127.0.0.1:6066 started",
        "1 outcome has results but no scores",
        "1 root account has a mastery scale, but",
    ):
        assert part in texts
    sent = datetime.fromtimestamp(worker.now - 100_000, UTC)
    hints = " ".join(one.hint or "" for one in answer.notices)
    for part in (
        "MASTERY_ACCOUNT_LEVEL_SCALES",
        f"The newest event was sent on {sent:%-d %b %Y}, ",
        "2 not-json",
        "Save it in Canvas",
    ):
        assert part in hints
    flow = {one.event: one for one in answer.events}["learning_outcome_result_created"]
    assert (flow.records, flow.per_second, flow.total) == (200, 100.0, None)
    assert (answer.rows, answer.students) == (len(worker.rows), len({key[:2] for key in worker.rows}))
    assert len(answer.events) == 12
    assert len(answer.changes) == 20
    assert answer.changes[0].changed_at >= answer.changes[-1].changed_at
    assert answer.examples["user"].startswith("/users/student-")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"phase": Phase.RESTORING, "restore": (1, 3)}, "is restoring its rows, 25% done"),
        ({"phase": Phase.JOINING, "detail": "3 s"}, "is joining the other workers: 3 s"),
        ({"phase": Phase.FAILED, "detail": "no topic"}, "has failed: no topic"),
        ({"checkpoint_running": 9.0}, "checkpoint"),
    ],
)
def test_notices_of_a_worker(worker, change, text):
    worker.report = replace(worker.report, progress=replace(worker.report.progress, **change))
    assert text in " ".join(one.text for one in wait(worker.answers.overview(LOCAL)).notices)


def test_status_shows_settings_to_who_sees_everything(worker):
    answer = wait(worker.answers.status(LOCAL))
    (told,) = answer.workers
    assert (told.name, told.phase, told.ready, told.rows) == (
        "127.0.0.1:6066",
        "running",
        True,
        len(worker.rows),
    )
    assert len(told.partitions) == len(worker.report.progress.partitions)
    assert {"mastery-stream", "Python", "SQLite", "fastavro"} <= answer.versions.keys()
    settings = {one.name: one for one in answer.settings}
    assert settings["MASTERY_PARTITIONS"].value == str(PARTITIONS)
    assert settings["MASTERY_PARTITIONS"].set
    assert wait(worker.answers.status(Viewer("v", Role.VIEWER))).settings == ()


# --- changes ---


def changed(number, account=ACCOUNT):
    return Change(account, f"u{number}", "7", "Fractions", 1.0, False, float(number), ("565",))


def test_changes_are_told_to_who_may_see_them(worker):
    async def run():
        viewer = Viewer("x", Role.VIEWER, frozenset([ACCOUNT]))
        following = LocalChanges(worker.views).changes(viewer)
        first = asyncio.create_task(anext(following))
        await until(lambda: worker.views.listeners)
        for listener in worker.views.listeners:
            listener((changed(1, OTHER), changed(2)))
        found = await first
        assert (found.user_uuid, found.courses) == ("u2", ("565",))
        await following.aclose()
        assert not worker.views.listeners

    wait(run())


def test_who_lags_too_far_behind_is_let_go(worker):
    async def run():
        following = LocalChanges(worker.views, in_hand=3).changes(LOCAL)
        first = asyncio.create_task(anext(following))
        await until(lambda: worker.views.listeners)
        for start in range(0, 8, 2):
            for listener in list(worker.views.listeners):
                listener((changed(start), changed(start + 1)))
        found = [await first, *[one async for one in following]]
        assert [one.user_uuid for one in found] == ["u0", "u1"]
        assert not worker.views.listeners

    wait(run())


async def until(true):
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - nobody tells when it is
            await asyncio.sleep(0.001)
