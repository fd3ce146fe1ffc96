"""A student forgotten: rows, tombstones and marks, whatever the order of results, commands and restarts."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.agents.forgetting import Forgetting
from app.agents.mastery import MasteryProcessor
from app.agents.publication import Publication
from app.agents.rows import MasteryRows
from app.forget.command import CommandUnknown, ForgetCommand
from app.mastery import blob
from app.mastery.forgotten import Forgotten, is_mark
from app.mastery.resolve import resolve
from app.mastery.snapshot import RowKey, read_result
from app.state import table as table_module
from app.state.errors import ChangelogUnusable
from app.state.table import Changelog, StateTable
from app.stream.batch import Assignment, Output, RecordBatch
from app.stream.progress import Progress
from tests.agents.world import CHANGELOG, COURSES, ROWS, Log
from tests.mastery.events import ACCOUNT, USUAL_RULES, result
from tests.stream.fakes import FakeRecord

COMMANDS = "commands"
START = 1_772_438_400_000
"""Milliseconds of the events' second 0."""


class Partition:
    """One partition's worker without Kafka: each batch is a checkpoint of its own."""

    def __init__(self, folder: Path, log: Log | None = None) -> None:
        self.log = log or Log()
        self.events: list[Any] = []
        changelog = Changelog(CHANGELOG, "id", 1, blob.FORMAT, lambda _: True, 1e6)
        self.table = StateTable(folder, changelog, {})
        self.marks: dict[int, Forgotten] = {}
        self.processor = MasteryProcessor(
            lambda value: self.events[int(value)],
            self.table,
            lambda account, outcome: resolve(None, USUAL_RULES),
            Publication(
                row_topic=ROWS,
                course_topic=COURSES,
                encode_row=msgspec.msgpack.encode,
                encode_course=msgspec.msgpack.encode,
            ),
            changelog=CHANGELOG,
            forgotten=self.marks,
        )
        self.forgetting = Forgetting(self.table, self.processor, self.marks)
        self.rows = MasteryRows(self.table, ["created"], lambda _: True, Progress(), self.marks)
        self.assignment = Assignment(1, "member", frozenset({("created", 0)}))
        with mock.patch.object(table_module, "restore", self.log.restore):
            assert self.rows.take_over(self.assignment, lambda: False)

    def results(self, *events: Any) -> Output:
        first = len(self.events)
        self.events += events
        return self.commit(
            self.processor(self.batch("created", [(None, b"%d" % n) for n in range(first, len(self.events))]))
        )

    def forget(self, user: str, second: float, account: str = ACCOUNT) -> Output:
        command = ForgetCommand(account, user, START + int(second * 1000))
        return self.commands((command.key, command.value))

    def commands(self, *records: tuple[bytes | None, bytes | None]) -> Output:
        return self.commit(self.forgetting(self.batch(COMMANDS, records)))

    def batch(self, topic: str, records: Iterable[tuple[bytes | None, bytes | None]]) -> RecordBatch:
        found = [FakeRecord(n, key=key, value=value) for n, (key, value) in enumerate(records)]
        return RecordBatch(topic, 0, 0, len(found), found, self.assignment)

    def commit(self, output: Output) -> Output:
        for topic, value, key, _, delivered, *_ in output.typed:
            records = self.log.records[topic, 0]
            offset = len(records)
            records.append((key, value))
            if delivered is not None:
                delivered(None, SimpleNamespace(offset=lambda offset=offset: offset))
        self.table.write(output.changes)
        self.table.release(output.changes)
        return output

    def held(self) -> dict[bytes, bytes]:
        return self.table.get_many(0, self.table.scan_keys(0))

    def scores(self) -> dict[tuple[str, str], dict[str | None, float | None]]:
        found = {}
        for key, value in self.held().items():
            row = RowKey(*key.decode().split(":"))
            results, _ = blob.decode(row, value)
            found[row.user_uuid, row.learning_outcome_id] = {one.id: one.score for one in results.snapshots}
        return found


@pytest.fixture
def make(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Partition]:
    def made(folder: str = "state", log: Log | None = None) -> Partition:
        partition = Partition(tmp_path / folder, log)
        request.addfinalizer(partition.table.close)
        return partition

    return made


def test_rows_go_with_tombstones_and_nobody_elses(make):
    partition = make()
    partition.results(
        result(user_uuid="a", sent=1),
        result(user_uuid="a", sent=1, learning_outcome_id="8", result_context_id="9"),
        result(user_uuid="ab", sent=1),
    )
    output = partition.forget("a", 5)
    assert partition.scores() == {("ab", "7"): {"1": 3.0}}
    assert {key for topic, value, key, *_ in output.typed if topic == ROWS and value is None} == {
        f"{ACCOUNT}:a:7".encode(),
        f"{ACCOUNT}:a:8".encode(),
    }
    assert {key for topic, value, key, *_ in output.typed if topic == COURSES and value is None} == {
        f"{ACCOUNT}:a:7:565".encode(),
        f"{ACCOUNT}:a:8:9".encode(),
    }
    assert (output.mastery["forgotten"], output.mastery["deleted"]) == (1, 2)
    assert partition.log.last(ROWS).keys() == {f"{ACCOUNT}:ab:7".encode()}
    kept = partition.log.last(CHANGELOG)
    assert {key for key in kept if not is_mark(key)} == {f"{ACCOUNT}:ab:7".encode()}
    assert sum(map(is_mark, kept)) == 2


def test_older_events_do_not_bring_the_student_back_and_later_ones_begin_anew(make):
    partition = make()
    partition.results(result(user_uuid="a", sent=1))
    partition.forget("a", 5)
    output = partition.results(result(user_uuid="a", id="2", sent=5), result(user_uuid="a", sent=1))
    assert (output.typed, output.changes, output.mastery["passed-over"]) == ([], [], 2)
    partition.results(result(user_uuid="a", id="3", sent=6, score=4.0))
    assert partition.scores() == {("a", "7"): {"3": 4.0}}


def test_in_another_account_the_student_stays(make):
    partition = make()
    partition.results(result(user_uuid="a"), result(user_uuid="a", account="other"))
    partition.forget("a", 5)
    assert list(partition.held()) == [b"other:a:7"]


def test_what_was_sent_after_the_command_stays_though_it_came_before_it(make):
    partition = make()
    partition.results(result(user_uuid="a", id="1", sent=1), result(user_uuid="a", id="2", sent=9, score=1.0))
    partition.forget("a", 5)
    assert partition.scores() == {("a", "7"): {"2": 1.0}}
    (value,) = partition.log.last(ROWS).values()
    assert msgspec.msgpack.decode(value)["results_count"] == 1


def test_the_same_command_again_changes_nothing(make):
    partition = make()
    partition.results(result(user_uuid="a", sent=1), result(user_uuid="a", id="2", sent=9))
    partition.forget("a", 5)
    assert partition.forget("a", 5).changes == []
    assert partition.forget("a", 4).changes == []
    partition.forget("a", 10)
    assert partition.scores() == {}


def test_in_one_checkpoint_with_results_before_and_after(make):
    """Rows that are staged and not yet written are found, too."""
    partition = make()
    partition.events = [result(user_uuid="a", sent=1), result(user_uuid="a", sent=2)]
    command = ForgetCommand(ACCOUNT, "a", START + 5_000)
    outputs = [
        partition.processor(partition.batch("created", [(None, b"0")])),
        partition.forgetting(partition.batch(COMMANDS, [(command.key, command.value)])),
        partition.processor(partition.batch("created", [(None, b"1")])),
    ]
    for output in outputs:
        partition.commit(output)
    assert partition.held() == {}
    assert partition.log.last(ROWS) == {}


@pytest.mark.parametrize("folder", ["state", "lost"])
def test_who_takes_over_knows_who_was_forgotten(make, folder):
    first = make()
    first.results(result(user_uuid="a", sent=1))
    first.forget("a", 5)
    first.table.close()
    second = make(folder, first.log)
    second.results(result(user_uuid="a", sent=3))
    assert second.scores() == {}
    second.forget("b", 5)
    assert sum(map(is_mark, second.log.last(CHANGELOG))) == 3


def test_what_was_not_committed_is_not_remembered(make):
    partition = make()
    command = ForgetCommand(ACCOUNT, "a", START)
    partition.forgetting(partition.batch(COMMANDS, [(command.key, command.value)]))
    assert partition.marks[0]
    partition.rows.give_up()
    with mock.patch.object(table_module, "restore", partition.log.restore):
        partition.rows.take_over(partition.assignment, lambda: False)
    assert not partition.marks[0]


def test_marks_that_cannot_be_read_stop_the_take_over(make):
    log = Log()
    log.records[CHANGELOG, 0] = [(b"forgotten/00", b"\xf1 damaged")]
    with pytest.raises(ChangelogUnusable, match="partition 0"):
        make(log=log)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b'{"command": "forget", "at": 5}'),
        (b"account:", b'{"command": "forget", "at": 5}'),
        (b"\xff:a", b'{"command": "forget", "at": 5}'),
        (b"account:a", None),
        (b"account:a", b"secret"),
        (b"account:a", b'{"command": "forget"}'),
        (b"account:a", b'{"command": "forget", "at": -1}'),
        (b"account:a", b'{"command": "forget", "at": 1e30}'),
    ],
)
def test_what_is_no_command_is_passed_over_and_said(make, caplog, key, value):
    partition = make()
    output = partition.commands((key, value), (f"{ACCOUNT}:a".encode(), ForgetCommand("", "", 9).value))
    assert (output.mastery["no-command"], output.mastery["forgotten"]) == (1, 1)
    assert "commands partition 0 offset 0" in caplog.text
    assert "secret" not in caplog.text


def test_a_command_of_a_newer_version_stops_the_worker(make):
    with pytest.raises(CommandUnknown, match="offset 0") as unknown:
        make().commands((b"account:a", json.dumps({"command": "merge", "into": "b"}).encode()))
    assert "run that version" in unknown.value.hint


history = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["7", "8"]),
        st.sampled_from(["1", "2"]),
        st.integers(0, 12),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(
    events=history,
    at=st.integers(0, 12),
    place=st.integers(0, 12),
    restart=st.booleans(),
    random=st.randoms(),
)
def test_any_order_ends_as_if_only_later_events_had_come(
    tmp_path_factory, events, at, place, restart, random
):
    """Events in any order, twice; the command anywhere among them; a new worker without files after it."""
    told = [
        result(updated=second, sent=second, user_uuid=user, learning_outcome_id=outcome, id=id_)
        for user, outcome, id_, second in events
    ]
    expected: dict[Any, Any] = {}
    for event in told:
        key, snapshot = read_result(event)
        if key.user_uuid != "a" or snapshot.version.event_time > START + at * 1000:
            best = expected.setdefault(key[1:], {})
            if snapshot.id not in best or best[snapshot.id] < snapshot.version:
                best[snapshot.id] = snapshot.version
    order = told * 2
    random.shuffle(order)
    folder = tmp_path_factory.mktemp("state")
    partition = Partition(folder / "1")
    partition.results(*order[:place])
    partition.forget("a", at)
    if restart:
        partition.table.close()
        partition = Partition(folder / "2", partition.log)
    partition.results(*order[place:])
    found = {}
    for key, value in partition.held().items():
        row = RowKey(*key.decode().split(":"))
        found[row[1:]] = {one.id: one.version for one in blob.decode(row, value)[0].snapshots}
    partition.table.close()
    assert found == expected
    assert partition.log.last(ROWS).keys() == {
        f"{ACCOUNT}:{user}:{outcome}".encode() for user, outcome in found
    }
