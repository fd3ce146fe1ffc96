"""One partition's file: what is counted is what the lines say, after any history."""

import sqlite3
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mastery.snapshot import RowKey
from app.views.answers import EVERYTHING, Order, Search
from app.views.errors import ViewUnfit
from app.views.store import ViewStore
from app.views.writer import ChangedRow
from tests.views.histories import random_history, random_row
from tests.views.oracle import Oracle
from tests.views.support import Made, identity

#: What is counted, with names in place of numbers.
TABLES = {
    "outcomes": """SELECT a.account, outcome, title, folded, row_count, scored, mastered, hundredths
        FROM outcomes JOIN accounts a ON a.id = outcomes.account""",
    "courses": """SELECT a.account, course, students
        FROM courses JOIN accounts a ON a.id = courses.account""",
    "pairs": """SELECT a.account, c.course, o.outcome, line_count, p.scored, p.mastered, p.hundredths
        FROM pairs p JOIN courses c ON c.id = p.course JOIN outcomes o ON o.id = p.outcome
        JOIN accounts a ON a.id = o.account""",
    "scores": """SELECT a.account, o.outcome, s.hundredths, s.row_count, b.points_possible, b.method, b.n,
        b.state, b.rating FROM scores s JOIN outcomes o ON o.id = s.outcome
        JOIN accounts a ON a.id = o.account JOIN bases b ON b.id = s.basis""",
    "students": "SELECT a.account, user FROM students JOIN accounts a ON a.id = students.account",
}


def counted(path):
    with sqlite3.connect(path) as db:
        found = {name: sorted(map(repr, db.execute(statement))) for name, statement in TABLES.items()}
    db.close()
    return found


def apply_all(store, history, batch):
    for start in range(0, len(history), batch):
        last = {}
        for change in history[start : start + batch]:
            last.pop(change.key, None)
            last[change.key] = change
        store.apply(last.values(), start + batch)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), batch=st.integers(1, 40), built=st.integers(0, 120))
def test_what_is_counted_follows_from_the_rows_however_they_came(tmp_path_factory, seed, batch, built):
    folder = tmp_path_factory.mktemp("store")
    history = list(random_history(seed, 120))
    one, other = (ViewStore(folder / name, identity()) for name in ("one.db", "other.db"))
    apply_all(one, history[:built], batch)
    one.finish()
    apply_all(one, history[built:], batch)
    apply_all(other, history, 50)
    other.finish()
    assert counted(one.path) == counted(other.path)
    one.close()
    other.close()


def test_what_fails_changes_nothing(tmp_path):
    store = ViewStore(tmp_path / "0.db", identity())
    history = list(random_history(1, 60))
    apply_all(store, history, 20)
    store.finish()
    before, position = counted(store.path), store.position

    def broken():
        yield from {change.key: change for change in random_history(2, 30)}.values()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.apply(broken(), 99)
    assert (counted(store.path), store.position) == (before, position)
    apply_all(store, history, 20)
    store.close()
    with_it = ViewStore(tmp_path / "0.db", identity())
    assert with_it.ready
    assert counted(with_it.path) == before
    with_it.close()


def test_a_file_of_something_else_is_refused(tmp_path):
    ViewStore(tmp_path / "0.db", identity()).close()
    for other in ({"topic_id": "new"}, {"partitions": 4}, {"rows_format": 2}, {"topic": "another"}):
        with pytest.raises(ViewUnfit):
            ViewStore(tmp_path / "0.db", identity(**other))
    (tmp_path / "1.db").write_bytes(b"not a database at all" * 500)
    with pytest.raises(ViewUnfit):
        ViewStore(tmp_path / "1.db", identity())


def test_a_title_that_changes_is_found_and_shown(tmp_path):
    made = Made(tmp_path)
    made.finish()
    random = Random(1)
    keys = [RowKey("north", f"student-{number}", "7") for number in range(20)]
    for number, title in enumerate(["Fractions", "Fractions and more", None, "Whole"]):
        made.apply([ChangedRow(key, random_row(random, key, title), number) for key in keys])
        [stats] = made.ask.outcomes().rows
        assert (stats.outcome_title, stats.rows) == (title, 20)
        assert len({line.user_uuid for line in made.ask.search(Search(outcome=title or "7")).rows}) == 20
        assert bool(made.ask.search(Search(outcome="fraction")).rows) is ("Fraction" in (title or ""))
    # In part: the outcome stands once in the list, with all of its students.
    made.apply([ChangedRow(key, random_row(random, key, "A new one"), 9) for key in keys[:1]])
    for limit in (1, 50):
        [stats] = made.ask.outcomes(limit=limit).rows
        assert stats.rows == 20
    made.close()


@pytest.mark.parametrize("order", Order)
def test_paging_while_rows_change_skips_none_that_stay(tmp_path, order):
    made = Made(tmp_path)
    history = list(random_history(3, 400))
    made.apply(history)
    made.finish()
    restless = {change.key for change in history if change.key.user_uuid in {"a", "zo\u00eb", "student-12"}}
    before = Oracle(made.rows).search(Search(order=order), EVERYTHING)
    random = Random(4)
    seen, cursor = [], None
    while True:
        page = made.ask.search(Search(order=order, limit=7, cursor=cursor))
        seen.extend(page.rows)
        cursor = page.next
        if cursor is None:
            break
        some = random.sample(sorted(restless), 5)
        made.apply(
            [
                ChangedRow(
                    key, random.choice([None, random_row(random, key, made_title(history, key))]), 5_000
                )
                for key in some
            ]
        )
    quiet = [line for line in before if line[:3] not in restless]
    assert [line for line in seen if line[:3] not in restless] == quiet
    made.close()


def made_title(history, key):
    return next(
        change.row.outcome_title
        for change in history
        if change.row and change.key[2] == key.learning_outcome_id
    )
