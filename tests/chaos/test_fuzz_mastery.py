"""Hostile input on the way to mastery: what the router let through, and what somebody else wrote."""

import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any, Self

import fastavro
import pytest
from hypothesis import strategies as st

from app.agents.mastery import MasteryProcessor, ResultUnreadable
from app.agents.publication import Publication
from app.definitions.copy import DefinitionRecord
from app.definitions.decoding import DEFINITION_EVENTS
from app.definitions.errors import DefinitionUnreadable
from app.embedded.samples import sample_events
from app.errors import MasteryError
from app.mastery import blob
from app.mastery.snapshot import RowKey
from app.mastery_part import typed_results
from app.schemas.encoder import compile_encoder
from app.settings import load_settings
from app.stream.batch import Output, RecordBatch
from tests.agents.world import CHANGELOG, COURSES, ROWS, World
from tests.chaos.fuzz_inputs import hostile_events
from tests.chaos.fuzz_rounds import fuzz
from tests.chaos.test_fuzz_router import route
from tests.definitions.support import WITH_SCALES, schema_by_id
from tests.stream.fakes import FakeRecord, assignment_of
from tests.support.events import CONTRACT

RESULTS = ("learning_outcome_result_created", "learning_outcome_result_updated")
LIMIT = load_settings().max_message_bytes
DERIVED = {
    ROWS: CONTRACT.derived["outcome_mastery"].schema,
    COURSES: CONTRACT.derived["course_outcome_mastery"].schema,
}
PARSED = {topic: fastavro.parse_schema(schema) for topic, schema in DERIVED.items()}
SECRET = "Jane-Doe"


def together(raw: bytes) -> bytes:
    """An example about the one outcome that all of them are about here, of the one account and student."""
    event = json.loads(raw)
    event["metadata"] |= {"root_account_uuid": "account", "root_account_id": "21070000000000001"}
    if "learning_outcome_id" in event["body"]:
        event["body"]["learning_outcome_id"] = "1"
    if "user_uuid" in event["body"]:
        event["body"]["user_uuid"] = SECRET
    return json.dumps(event).encode()


BASES = [
    together(sample.raw) for sample in sample_events() if sample.event_name in (*RESULTS, *DEFINITION_EVENTS)
]


class Mastery:
    """What follows the typed topics: definitions and rows, on files of their own."""

    def __init__(self, folder: str) -> None:
        self.world = World(Path(folder), WITH_SCALES)
        self.worker = self.world.worker()
        self.worker.take_over()
        encoders = {topic: compile_encoder(schema, 1, plain_times=True) for topic, schema in DERIVED.items()}
        self.processor = MasteryProcessor(
            typed_results(schema_by_id),
            self.worker.table,
            self.world.definitions.lookup.resolve,
            Publication(
                row_topic=ROWS,
                course_topic=COURSES,
                encode_row=encoders[ROWS].encode,
                encode_course=encoders[COURSES].encode,
            ),
            changelog=CHANGELOG,
        )
        self._offset = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.checkpointer.close()
        self.worker.table.close()
        self.world.close()

    def results(self, *values: bytes | None) -> Output:
        records = [FakeRecord(number, value=value) for number, value in enumerate(values)]
        return self.processor(RecordBatch("created", 0, 0, len(values), records, assignment_of(1)))

    def definition(self, topic: str, value: bytes | None) -> None:
        self._offset += 1
        record = DefinitionRecord(topic, 0, self._offset, value)
        self.world.definitions.copy.apply([record], {(topic, 0): self._offset + 1})

    def forget(self) -> None:
        self.worker.rows.give_up()


@pytest.fixture
def mastery():
    with tempfile.TemporaryDirectory() as folder, Mastery(folder) as made:
        yield made


def assert_publishable(output: Output) -> None:
    for topic, value, key, *_ in output.typed:
        assert len(key) + len(value or b"") < LIMIT - 200, topic
        if topic == CHANGELOG:
            assert value is not None
            blob.decode(RowKey(*key.decode().split(":")), value)
        elif value is not None:
            body = io.BytesIO(value[5:])
            record = fastavro.schemaless_reader(body, PARSED[topic], None)
            assert not body.read()
            assert key.decode().startswith(f"{record['root_account_uuid']}:{record['user_uuid']}:")


@fuzz(st.lists(hostile_events(st.sampled_from(BASES)), min_size=1, max_size=6), examples=40)
def test_what_the_router_lets_through_stops_nobody(raws: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder, Mastery(folder) as mastery:
        for raw in raws:
            for topic, value, *_ in route(FakeRecord(0, value=raw)).typed:
                name = topic.removeprefix("canvas.")
                if name in DEFINITION_EVENTS:
                    mastery.definition(name, value)
                elif name in RESULTS:
                    assert_publishable(mastery.results(value))
        keys = [RowKey(*key.decode().split(":")) for key in mastery.worker.table.staged_keys(0)]
        assert_publishable(mastery.processor.recompute(0, keys))


def typed(event_name: str, **changes: Any) -> bytes:
    """The router's record of an example whose body (or, of `metadata__` names, metadata) is changed."""
    (raw, *_) = [base for base in BASES if json.loads(base)["metadata"]["event_name"] == event_name]
    event = json.loads(raw)
    for name, item in changes.items():
        part, _, field = name.rpartition("__")
        event[part or "body"][field] = item
    ((_, value, *_),) = route(FakeRecord(0, value=json.dumps(event).encode())).typed
    return value


LONG = "x" * 900_000


@pytest.mark.parametrize(
    "field",
    [
        "user_uuid",
        "learning_outcome_id",
        "id",
        "artifact_id",
        "artifact_type",
        "associated_asset_id",
        "associated_asset_type",
        "result_context_id",
        "result_context_uuid",
        "metadata__root_account_uuid",
    ],
)
def test_ids_that_canvas_cannot_hold_make_no_row(mastery: Mastery, field: str) -> None:
    value = typed(RESULTS[0], result_context_type="Course", result_context_id="7")
    assert mastery.results(value).mastery["changed"] == 1
    mastery.forget()
    text = (
        LONG
        if field not in ("user_uuid", "learning_outcome_id", "metadata__root_account_uuid")
        else LONG[:400_000]
    )
    output = mastery.results(typed(RESULTS[0], **({"result_context_type": "Course"} | {field: text})))
    assert +output.mastery == {"unfit-id": 1, "results": 1}
    assert not output.typed


def test_texts_of_a_definition_never_make_a_row_too_large(mastery: Mastery) -> None:
    for name in ("learning_outcome_created", "learning_outcome_updated"):
        value = typed(name, title="t" * 450_000, short_description="", description="")
        mastery.definition(name, value)
    levels = [
        {"outcome_proficiency_rating_id": "1", "points": 0.0, "description": "d" * 900_000, "mastery": True,
         "color": "000000", "workflow_state": "active"},
        {"outcome_proficiency_rating_id": "1", "points": 9.0, "description": "d", "mastery": False,
         "color": "000000", "workflow_state": "active"},
    ]  # fmt: skip
    mastery.definition(
        "outcome_proficiency_created",
        typed(
            "outcome_proficiency_created",
            context_type="Account",
            context_id="1",
            workflow_state="active",
            outcome_proficiency_ratings=levels,
        ),
    )
    output = mastery.results(typed(RESULTS[0], score=4, possible=5, percent=0.8))
    assert output.mastery["published"] == 1
    assert_publishable(output)


def test_an_id_of_thousands_of_digits_is_no_number(mastery: Mastery) -> None:
    nowhere = {"context_id": None, "context_type": None, "context_uuid": None}
    for changes in (
        {"learning_outcome_id": "9" * 5_000},
        {"learning_outcome_id": "9", "metadata__root_account_id": "9" * 5_000},
        {"learning_outcome_id": "\u0663" * 20},
    ):
        mastery.definition(
            "learning_outcome_created", typed("learning_outcome_created", **nowhere, **changes)
        )


# What somebody else wrote into a typed topic.


def plain(schema: Any) -> Any:
    """The schema with timestamps as the longs that they are, so that any can be written."""
    if isinstance(schema, dict):
        return {key: plain(item) for key, item in schema.items() if key != "logicalType"}
    return [plain(item) for item in schema] if isinstance(schema, list) else schema


WRITERS = {
    name: fastavro.parse_schema(plain(CONTRACT.events[name].schema))
    for name in (*RESULTS, *DEFINITION_EVENTS)
}
LONGS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, -62_135_596_800_001, 253_402_300_800_000])
DOUBLES = st.floats()


@st.composite
def foreign_records(draw: st.DrawFn, names: tuple[str, ...]) -> bytes:
    """Bytes in a typed topic: of the event's schema but with any values, damaged, or anything at all."""
    name = draw(st.sampled_from(names))
    value = typed(name)
    body = io.BytesIO(value[5:])
    record = fastavro.schemaless_reader(body, WRITERS[name], None)
    for _ in range(draw(st.integers(0, 3))):
        part = record[draw(st.sampled_from(["metadata", "body"]))]
        field = draw(st.sampled_from([key for key, item in part.items() if type(item) in (int, float, str)]))
        other = {int: LONGS, float: DOUBLES, str: st.sampled_from([SECRET, "", "\0", "a:b", "9" * 5_000])}
        part[field] = draw(other[type(part[field])])
    if draw(st.booleans()):
        record["event_id"] = draw(st.sampled_from([SECRET, "", "0", "00", "ab" * 40]))
    written = io.BytesIO()
    fastavro.schemaless_writer(written, WRITERS[name], record)
    made = bytearray(value[:5] + written.getvalue())
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(made) - 1))
        made[place : place + draw(st.integers(0, 12))] = draw(st.binary(max_size=12) | st.just(b"\xff" * 11))
    return bytes(made) if made and draw(st.integers(0, 9)) else draw(st.binary(max_size=40))


UNREADABLE = re.compile(
    r"created partition 0 holds no result at offset 0: (not an event of this topic \((\w+)\)"
    r"|not framed: a record begins with a zero byte and four of schema id|no schema is known by the id \d+"
    r"|not a record of the schema that its framing names)"
)
NO_DEFINITION = re.compile(
    UNREADABLE.pattern.replace("holds no result at offset 0", r"offset \d+ holds no definition").replace(
        "created", r"\w+"
    )
)


def assert_tells_nothing(error: MasteryError, line: re.Pattern[str]) -> None:
    assert line.fullmatch(str(error))
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert SECRET not in error.report


@fuzz(st.lists(foreign_records(RESULTS), min_size=1, max_size=5), examples=40)
def test_a_foreign_record_among_the_results_is_a_row_or_a_clear_end(values: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder, Mastery(folder) as mastery:
        for value in values:
            try:
                output = mastery.results(value)
            except ResultUnreadable as error:
                assert_tells_nothing(error, UNREADABLE)
            else:
                assert_publishable(output)


@fuzz(st.lists(foreign_records(DEFINITION_EVENTS), min_size=1, max_size=5), examples=40)
def test_a_foreign_record_among_the_definitions_is_one_or_a_clear_end(values: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder, Mastery(folder) as mastery:
        mastery.results(typed(RESULTS[0]))
        keys = [RowKey(*key.decode().split(":")) for key in mastery.worker.table.staged_keys(0)]
        for value in values:
            for topic in DEFINITION_EVENTS:
                try:
                    mastery.definition(topic, value)
                except DefinitionUnreadable as error:
                    assert_tells_nothing(error, NO_DEFINITION)
        assert_publishable(mastery.processor.recompute(0, keys))
