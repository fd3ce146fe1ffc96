"""The demo's book-keeping; the demo itself is in tests/commands/test_demo.py."""

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from app.embedded.demo import Arrival, Demo, DemoFailed, TopicView, _environment, _settings
from app.embedded.events import MAIN_ACCOUNT, demo_events, first_events
from app.settings import load_settings, variable


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


def test_the_worker_gets_the_settings_of_the_demo_and_none_of_another_broker(monkeypatch, tmp_path):
    demo = _settings("127.0.0.1:9", tmp_path)
    monkeypatch.setenv("MASTERY_TOPIC_PREFIX", "other.")
    environment = _environment(demo)
    assert "MASTERY_TOPIC_PREFIX" not in environment
    monkeypatch.delenv("MASTERY_TOPIC_PREFIX")
    for name in demo.model_fields_set:
        monkeypatch.setenv(variable(name), environment[variable(name)])
    assert load_settings() == demo


def test_scales_of_one_root_account_are_in_use_and_those_of_others_are_not():
    settings = _settings("127.0.0.1:9", Path())
    scales = [
        json.loads(one.raw or b"")
        for one in first_events(demo_events(date(2026, 3, 5)))
        if one.event_name == "outcome_proficiency_created"
    ]
    with_scales = {one["metadata"]["root_account_uuid"] for one in scales if "metadata" in one}
    in_use = {one for one in with_scales if settings.mastery_rules.of(one).account_level_scales}
    assert in_use == {MAIN_ACCOUNT}
    assert len(with_scales) > 1
