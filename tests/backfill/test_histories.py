"""Schools, exports of them at any moment, and what of the stream is there: the rows are as they must be."""

import random

import msgspec
import pytest

from app.definitions.decoding import DEFINITION_EVENTS
from app.mastery.rules import AccountRules
from tests.backfill.running import run
from tests.backfill.school import School, decoded, happened, made_school
from tests.definitions.support import LocalCopy
from tests.mastery import oracle
from tests.mastery.events import USUAL_RULES, rows_of


def world(seed, number=0, events=900):
    """A school's deliveries from one root account, that account, and the moments of its events."""
    deliveries = made_school(seed, events)
    root = next(event.root for _, event in deliveries if event.root.number == number)
    own = [(raw, event) for raw, event in deliveries if event.root is root]
    return own, root, sorted(happened(event) for _, event in own)


def exported(school, folder, form="jsonl", **institution):
    school.write_tables(folder, form)
    root = school.root
    events, made = run(folder, root_account_id=root.global_id(1), **institution)
    assert made.tally.problems == {}
    assert made.tally.read.total() == sum(map(len, school.tables().values()))
    return [decoded(raw) for raw in events]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_a_backfill_changes_nothing_where_the_stream_is_complete(seed, number, tmp_path):
    own, root, moments = world(seed, number)
    dice = random.Random(seed)
    moment = dice.choice([*moments, None])
    school = School(own, root, moment, seed)
    backfilled = exported(school, tmp_path, dice.choice(["csv", "jsonl"]), result_ids=number == 0)
    assert len(backfilled) > 20
    stream = [decoded(raw) for raw, _ in own]
    mixed = stream + backfilled
    dice.shuffle(mixed)
    for rules in (USUAL_RULES, AccountRules(account_level_scales=True)):
        rows = rows_of(stream, rules)
        for history in (stream + backfilled, backfilled + stream, mixed):
            assert rows_of(history, rules) == rows


def comparable(rows):
    """Without the times of events, which a backfill cannot know to the millisecond."""
    return {
        key: msgspec.structs.replace(row, last_event_time=0, definition_time=0) for key, row in rows.items()
    }


@pytest.mark.parametrize("seed", range(5))
def test_what_was_before_the_stream_comes_from_the_export(seed, tmp_path):
    own, root, moments = world(seed)
    dice = random.Random(seed)
    begin = dice.choice(moments)
    taken = dice.choice([moment for moment in moments if moment >= begin])
    backfilled = exported(School(own, root, taken, seed), tmp_path)
    stream = [decoded(raw) for raw, event in own if happened(event) > begin]
    history = stream + backfilled
    dice.shuffle(history)
    whole = rows_of([decoded(raw) for raw, _ in own])
    assert comparable(rows_of(history)) == comparable(whole)
    # And by the other reading of the rules.
    assert oracle.rows(history).keys() == {tuple(key) for key in whole}


@pytest.mark.parametrize("seed", range(4))
def test_answers_of_the_rest_api_never_beat_the_stream(seed, tmp_path):
    own, root, moments = world(seed)
    dice = random.Random(seed)
    School(own, root, dice.choice(moments), seed).write_rest(tmp_path)
    events, made = run(tmp_path, root_account_id=root.global_id(1))
    assert made.tally.problems == {}
    backfilled = [decoded(raw) for raw in events]
    assert {event["metadata"]["event_name"].rpartition("_")[2] for event in backfilled} == {"created"}
    stream = [decoded(raw) for raw, _ in own]
    history = stream + backfilled
    dice.shuffle(history)
    assert rows_of(history) == rows_of(stream)


@pytest.mark.parametrize("seed", range(3))
def test_the_copy_of_the_definitions_ends_in_what_the_stream_told(seed, tmp_path):
    own, root, moments = world(seed)
    dice = random.Random(seed)
    backfilled = exported(School(own, root, dice.choice(moments), seed), tmp_path / "export")

    def defining(history):
        return [
            on_the_wire(event) for event in history if event["metadata"]["event_name"] in DEFINITION_EVENTS
        ]

    stream = defining(decoded(raw) for raw, _ in own)
    mixed = stream + defining(backfilled)
    dice.shuffle(mixed)
    with LocalCopy(tmp_path / "one") as expected, LocalCopy(tmp_path / "other") as found:
        expected.add(*stream)
        for event in mixed:
            found.add(event)
        assert found.lookup.outcomes() != []
        assert known(found) == known(expected)


def on_the_wire(event):
    """Without what is added when an event is decoded."""
    parts = {
        part: {name: value for name, value in event[part].items() if not name.startswith("$")}
        for part in ("metadata", "body")
    }
    return {"event_id": event["event_id"], **parts}


def known(copy):
    outcomes = sorted(copy.lookup.outcomes(), key=lambda one: one.learning_outcome_id)
    return outcomes, [copy.lookup.scales(account) for account in copy.lookup.accounts()]


def test_alone_it_makes_the_rows_that_canvas_has(tmp_path):
    own, root, _ = world(3)
    whole = rows_of([decoded(raw) for raw, _ in own])
    tables = rows_of(exported(School(own, root), tmp_path / "tables", "parquet"))
    assert comparable(tables) == comparable(whole)
    School(own, root).write_rest(tmp_path / "rest")
    events, _ = run(tmp_path / "rest", root_account_id=root.global_id(1))
    answers = rows_of([decoded(raw) for raw in events])
    # The REST API does not tell of deleted results, and not what a quiz was.
    assert len(answers) > 50
    same = [
        key
        for key, row in answers.items()
        if (row.score, row.results_count) == (whole[key].score, whole[key].results_count)
    ]
    assert len(same) > len(answers) * 0.8
