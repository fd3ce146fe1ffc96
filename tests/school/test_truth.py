"""The generator's truth against what the project makes of the same records. Neither knows of the other."""

import ast
import json
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from app.deadletter import parse_headers
from app.events.errors import ErrorKind
from app.schemas.decoder import compile_decoder
from app.school.broken import BREAKAGES
from app.school.stream import Plan, school_records
from app.school.truth import Totals, record_line, stream_line
from app.settings import load_settings
from app.stream.batch import RecordBatch
from app.worker import build_router
from tests.school.conftest import PLAN
from tests.stream.fakes import FakeRecord, assignment_of
from tests.support.events import CONTRACT

IDS = SimpleNamespace(by_name={name: event.local_id for name, event in CONTRACT.events.items()})
DECODE = {name: compile_decoder(event.schema) for name, event in CONTRACT.events.items()}


def plain(value: Any) -> Any:
    """A decoded record in the words of the truth: JSON types, without nulls, `extra` taken apart."""
    if isinstance(value, dict):
        return {
            name: json.loads(item) if name == "extra" else plain(item)
            for name, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def came_out(router, raw):
    batch = RecordBatch("raw", 0, 0, 1, [FakeRecord(offset=0, value=raw, timestamp=1)], assignment_of(1))
    output = router(batch)
    assert len(output.typed) + len(output.dead) + output.ignored.total() == 1
    if output.typed:
        topic, value, key = output.typed[0][:3]
        name = topic.removeprefix("canvas.")
        return {"to": "typed", "event": name, "key": key.decode(), **plain(DECODE[name](value[5:]))}
    if output.dead:
        assert output.dead[0][1] == raw
        why = parse_headers(output.dead[0][7])
        _, _, path = why.message.partition(" at ")
        return {"to": "dead-letter", "kind": why.kind, "path": path}
    return {"to": "ignored", "event": next(iter(output.ignored))}


def test_the_school_asks_nothing_of_the_code_that_it_is_to_check():
    for file in (Path(__file__).parents[2] / "app" / "school").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            ours = [name for name in names if name.partition(".")[0] == "app"]
            assert all(name.startswith("app.school.") for name in ours), file


def test_every_record_becomes_what_the_truth_says(told):
    router = build_router(load_settings(), CONTRACT, IDS)
    for one in told:
        expected = dict(one.truth)
        expected.pop("repeated", None)
        if expected["to"] != "typed":
            del expected["event_id"]
        came = came_out(router, one.record.raw)
        assert came == expected
        # 5 and 5.0 are equal to Python, and True is 1; they are not the same.
        assert json.dumps(came, sort_keys=True) == json.dumps(expected, sort_keys=True)


def test_other_events_are_refused_where_they_shall_be(told):
    router = build_router(load_settings(other_events="dead-letter"), CONTRACT, IDS)
    (raw, *_) = [one.record.raw for one in told if one.truth["to"] == "ignored"]
    assert came_out(router, raw)["kind"] == ErrorKind.IGNORED_EVENT


def test_the_stream_has_every_breakage(told):
    wanted = {(breakage.kind, breakage.path) for breakage in BREAKAGES}
    found = {(one.truth["kind"], one.truth["path"]) for one in told if one.truth["to"] == "dead-letter"}
    assert found == wanted
    assert {kind for kind, _ in wanted} == set(ErrorKind) - {ErrorKind.IGNORED_EVENT}
    assert any(one.record.raw is None for one in told)


def test_lines(told):
    first = msgspec.json.decode(stream_line(PLAN, 7))
    assert (first["type"], first["records"]) == ("stream", 7)
    assert Plan(**first["plan"] | {"start": PLAN.start}) == PLAN
    line = msgspec.json.decode(record_line(3, told[3].record))
    assert line == {"type": "record", "n": 3, **told[3].truth}
    assert (
        msgspec.json.decode(record_line(0, next(one.record for one in told if one.record.raw is None)))[
            "event_id"
        ]
        is None
    )


def test_totals(told):
    totals = Totals()
    for one in told:
        totals.count(one.record)
    last = msgspec.json.decode(totals.line())
    assert last["type"] == "totals"
    assert (
        last["records"]
        == len(told)
        == sum(sum(last[name].values()) for name in ("typed", "dead_letters", "ignored"))
    )
    assert last["repeated"] == sum(one.truth.get("repeated", False) for one in told)
    assert last["typed"].keys() == CONTRACT.events.keys()


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_share_of_broken_records(share):
    totals = Totals()
    for record in islice(school_records(Plan(events=2000, bad_share=share, students=30)), 2000):
        totals.count(record)
    assert totals.dead.total() / 2000 == pytest.approx(share, abs=0.03)
