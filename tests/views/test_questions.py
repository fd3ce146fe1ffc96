"""All questions against an oracle in memory, over random histories."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from app.views.answers import EVERYTHING, Order, Scope, Search
from app.views.errors import CursorUnfit, QueryTooSlow
from app.views.questions import Questions
from tests.views.histories import ACCOUNTS, COURSES, USERS, random_history
from tests.views.oracle import Oracle
from tests.views.support import Made

SCOPES = [
    EVERYTHING,
    Scope(accounts=frozenset({"north"})),
    Scope(courses=frozenset({"56", "9", "no such"})),
    Scope(frozenset({"south", "-"}), frozenset({"10"})),
    Scope(frozenset(), None),
    Scope(None, frozenset()),
]


@pytest.fixture(scope="module", params=range(2))
def made(request, tmp_path_factory):
    """Built in part before the indexes, in part after; and the oracle of the same."""
    seed = request.param
    built = Made(tmp_path_factory.mktemp("views"))
    history = list(random_history(seed, 400))
    for start in range(0, 200, 60):
        built.apply(history[start : start + 60][: 200 - start])
    built.finish()
    for start in range(200, 400, 25):
        built.apply(history[start : start + 25])
    yield built, Oracle(built.rows), Random(seed)
    built.close()


def some(random, values):
    return random.choice([None, None, None, *values])


def random_search(random):
    return Search(
        account=some(random, [*ACCOUNTS, "nowhere"]),
        users=some(random, [(), ("zoë",), tuple(random.sample(USERS, 5)), ("nobody", "a")]),
        outcome=some(random, ["7", "FRAC", "straße", "%", "", "nothing like it", "1"]),
        course=some(random, [*COURSES, "", "no such"]),
        mastered=some(random, [True, False]),
        score_from=some(random, [0.0, 2.67, 3.0]),
        score_to=some(random, [2.67, 4.0]),
        order=random.choice(list(Order)),
        limit=random.choice([1, 2, 7, 50]),
    )


def all_pages(ask, search, scope):
    """Page to the end, then back to the beginning: both ways give the same."""
    forward, page = [], ask.search(search, scope)
    assert page.previous is None
    pages = [page]
    while page.next is not None:
        assert len(page.rows) == search.limit
        page = ask.search(replace(search, cursor=page.next), scope)
        pages.append(page)
    for one in pages:
        forward.extend(one.rows)
    backward = list(pages[-1].rows)
    while page.previous is not None:
        page = ask.search(replace(search, cursor=page.previous), scope)
        backward = [*page.rows, *backward]
    assert backward == forward
    return forward


@pytest.mark.parametrize("most", [0, 12_000])
def test_searches(made, monkeypatch, most):
    monkeypatch.setattr("app.views.search._SORTED", most)
    built, oracle, random = made
    for _ in range(60):
        search, scope = random_search(random), random.choice(SCOPES)
        assert all_pages(built.ask, search, scope) == oracle.search(search, scope), (search, scope)


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("most", [0, 12_000])
def test_each_order(made, monkeypatch, most, order):
    monkeypatch.setattr("app.views.search._SORTED", most)
    built, oracle, _ = made
    for search in (
        Search(order=order, limit=17),
        Search(order=order, outcome="7", limit=5),
        Search(order=order, outcome="frac", limit=5),
        Search(order=order, course="56", limit=5),
        Search(order=order, mastered=False, limit=5),
    ):
        found = all_pages(built.ask, search, EVERYTHING)
        assert found == oracle.search(search, EVERYTHING)
        assert found


def test_students(made):
    built, oracle, _ = made
    for scope in SCOPES:
        for user in [*USERS, "nobody"]:
            assert built.ask.keys_of_user(user, scope) == oracle.keys_of_user(user, scope)
    assert built.ask.counts() == oracle.counts()


def listed(ask, limit, *arguments):
    """All of a list, page by page and back."""
    page = ask(*arguments, limit=limit)
    pages = [page]
    while page.next is not None:
        page = ask(*arguments, cursor=page.next, limit=limit)
        pages.append(page)
    backward = list(page.rows)
    while page.previous is not None:
        page = ask(*arguments, cursor=page.previous, limit=limit)
        backward = [*page.rows, *backward]
    forward = [row for one in pages for row in one.rows]
    assert forward == backward
    return forward


def test_outcomes(made):
    built, oracle, random = made
    for scope in SCOPES:
        for text in (None, "fract", "7", "nothing"):
            for account in (None, "south", "nowhere"):
                expected = oracle.outcomes(text, account, scope)
                assert listed(built.ask.outcomes, random.randint(1, 9), text, account, scope) == expected
        for stats in oracle.outcomes(None, None, scope):
            account, outcome = stats[:2]
            assert stats in built.ask.outcome(outcome, None, scope)
            assert built.ask.outcome(outcome, account, scope) == [stats]
            scores = Counter(oracle.counted(account, outcome, scope))
            assert built.ask.outcome_scores(account, outcome, scope) == scores
            lines = [line for line in oracle.lines(scope) if (line[0], line[2]) == stats[:2]]
            courses = {line.course_id for line in lines} - {None}
            assert set(built.ask.outcome_courses(account, outcome, scope)) == courses
            near = built.ask.near_mastery(account, outcome, scope, limit=4)
            below = sorted((line.score for line in lines if line.mastery is False), reverse=True)
            assert [line.score for line in near] == below[:4]
            assert set(near) <= set(lines)
    assert built.ask.outcome("nothing") == []


def test_courses(made):
    built, oracle, random = made
    for scope in SCOPES:
        for account in (None, "north"):
            expected = oracle.courses(account, scope)
            found = listed(built.ask.courses, random.randint(1, 4), account, scope)
            assert [stats[:2] for stats in found] == [one[:2] for one in expected]
            for stats, (root, course, lines) in zip(found, expected, strict=True):
                assert stats.students == len({line.user_uuid for line in lines})
                assert stats.outcomes == {line.learning_outcome_id for line in lines}
                assert stats.scored == sum(line.score is not None for line in lines)
                assert stats.mastered == sum(line.mastery is True for line in lines)
                assert built.ask.course(course, root, scope) == [stats]
                check_grid(built.ask, stats, lines, scope)
    assert built.ask.course_grid("north", "no such") is None
    assert built.ask.course_grid("south", "56", Scope(frozenset({"north"}))) is None


def check_grid(ask, stats, lines, scope):
    cells, cursor = [], None
    while True:
        grid = ask.course_grid(stats.root_account_uuid, stats.course_id, scope, cursor=cursor, limit=3)
        assert grid.course == stats
        cells.extend(grid.students.rows)
        cursor = grid.students.next
        if cursor is None:
            break
    assert [key.user_uuid for key, _ in cells] == sorted({line.user_uuid for line in lines})
    assert {line for _, some in cells for line in some} == set(lines)
    assert {one.learning_outcome_id: one.rows for one in grid.outcomes} == Counter(
        line.learning_outcome_id for line in lines
    )
    for column in grid.outcomes:
        scores = [
            line.score for line in lines if line.learning_outcome_id == column[1] and line.score is not None
        ]
        assert (column.scored, column.total) == (len(scores), pytest.approx(sum(scores)))


def test_changes(made):
    built, oracle, _ = made
    for scope in SCOPES:
        expected = sorted(oracle.changes(scope).values(), key=lambda change: -change.changed_at)
        assert built.ask.recent_changes(20, scope) == expected[:20]


def test_a_question_ends_with_its_time(made):
    built, *_ = made
    with pytest.raises(QueryTooSlow):
        Questions(built.files, -1.0).search(Search(order=Order.SCORE, limit=500))
    assert built.ask.search(Search()).rows


@pytest.mark.parametrize("cursor", ["", "x", "ä", "AAAA", "W10", "bnVsbA", "[" * 10_000])
def test_a_cursor_that_is_none(made, cursor):
    for ask in (made[0].ask.outcomes, made[0].ask.courses):
        with pytest.raises(CursorUnfit):
            ask(cursor=cursor)
    with pytest.raises(CursorUnfit):
        made[0].ask.search(Search(cursor=cursor))


def test_a_cursor_of_another_search(made):
    ask = made[0].ask
    cursor = ask.search(Search(limit=1)).next
    for other in (Search(order=Order.SCORE), Search(mastered=True), Search(course="5")):
        with pytest.raises(CursorUnfit):
            ask.search(replace(other, cursor=cursor))
    assert ask.search(Search(limit=9, cursor=cursor)).rows
