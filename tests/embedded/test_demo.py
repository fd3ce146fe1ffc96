"""The demo's book-keeping; the demo itself is in tests/commands/test_demo.py."""

from collections import Counter

import pytest

from app.embedded.demo import Arrival, Demo, DemoFailed, TopicView


def arrival(event_id):
    return Arrival("t", "key", {}, event_id)


def test_what_comes_is_taken_off_what_must_come():
    view = TopicView("t", Counter({"twice": 2, "once": 1}))
    for event_id in ("twice", "once", "twice"):
        assert view.waiting
        view.take(arrival(event_id))
    assert (view.records, view.surplus, view.waiting) == (3, 0, Counter())


@pytest.mark.parametrize(
    ("waiting", "arrives", "told"),
    [
        ({"a": 1}, [], "t 1 missing, 0 too many"),
        ({"a": 1}, ["a", "a"], "t 0 missing, 1 too many"),
        ({"a": 2}, ["b", "a"], "t 1 missing, 1 too many"),
    ],
)
def test_what_is_missing_and_what_is_too_much_is_told(waiting, arrives, told):
    demo = Demo(print)
    demo._worker = type("Worker", (), {"tail": lambda _: ""})()
    view = demo.views["t"] = TopicView("t", Counter(waiting))
    for event_id in arrives:
        view.take(arrival(event_id))
    with pytest.raises(DemoFailed, match=told):
        demo.require_exactly_what_was_sent()


def test_all_is_well_when_nothing_is_left():
    demo = Demo(print)
    demo.views["t"] = TopicView("t")
    assert demo.complete
    demo.require_exactly_what_was_sent()


def test_rows_of_mastery_that_are_missing_or_too_many_are_told():
    demo = Demo(print)
    demo._worker = type("Worker", (), {"tail": lambda _: ""})()
    demo.mastery.expected |= {"a", "b", "c"}
    demo.mastery.rows |= {"c": {}, "d": {}}
    with pytest.raises(DemoFailed, match="outcome_mastery 2 rows missing, 1 too many"):
        demo.require_exactly_what_was_sent()
