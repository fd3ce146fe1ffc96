"""The checker against Avro's rules one by one, and against fastavro reading what was written."""

import copy
import io
from collections.abc import Iterator
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from app.schemas.compatibility import Incompatibility, Problem, Rule, full_incompatibilities, read_problems
from app.schemas.contract import load_contract

CONTRACT = load_contract()


def record(*fields: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": schema, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


TIME = {"type": "long", "logicalType": "timestamp-millis"}
ARRAY = {"type": "array", "items": "long"}
MAP = {"type": "map", "values": "long"}
A = field("a", "long")
LIST = record(field("next", ["null", "R"], default=None))


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        ("long", "long"),
        ("long", "int"),
        ("float", "int"),
        ("double", "int"),
        ("float", "long"),
        ("double", "long"),
        ("double", "float"),
        ("bytes", "string"),
        ("string", "bytes"),
        (TIME, TIME),
        (["null", "long"], "long"),
        (["null", "long"], "null"),
        (["null", "long"], "int"),
        (["null", "double", "long"], ["int", "null"]),
        ("double", ["int", "float"]),
        (ARRAY, {"type": "array", "items": "int"}),
        (MAP, {"type": "map", "values": "int"}),
        (record(A), record(A, field("b", "long"))),
        (record(A, field("b", "long", default=1)), record(A)),
        (record(A, field("b", ["null", "long"], default=None)), record(A)),
        (record(field("b", "string"), A), record(A, field("b", "string"))),
        (record(field("b", "long", aliases=["a"])), record(A)),
        (record(A, namespace="x"), record(A, namespace="y")),
        (record(A, name="S", aliases=["R"]), record(A)),
        (record(A, doc="x", other="y"), record(A)),
        (enum("a", "b"), enum("a")),
        (enum("a", default="a"), enum("a", "b")),
        ({"type": "fixed", "name": "F", "size": 4}, {"type": "fixed", "name": "F", "size": 4}),
        (LIST, LIST),
    ],
    ids=repr,
)
def test_reads(reader: Any, writer: Any) -> None:
    assert read_problems(reader, writer) == []
    assert fastavro_reads(reader, writer)


@pytest.mark.parametrize(
    ("reader", "writer", "path", "rule"),
    [
        ("int", "long", "", Rule.TYPE),
        ("long", "double", "", Rule.TYPE),
        ("string", "long", "", Rule.TYPE),
        ("long", "null", "", Rule.TYPE),
        ("long", ["null", "long"], "", Rule.TYPE),
        (["null", "long"], "string", "", Rule.UNION_BRANCH),
        (["null", "long"], ["null", "long", "string"], "", Rule.UNION_BRANCH),
        (TIME, "long", "", Rule.LOGICAL_TYPE),
        ("long", TIME, "", Rule.LOGICAL_TYPE),
        ("double", TIME, "", Rule.LOGICAL_TYPE),
        ({"type": "long", "logicalType": "timestamp-micros"}, TIME, "", Rule.LOGICAL_TYPE),
        (["null", TIME], ["null", "long"], "", Rule.LOGICAL_TYPE),
        ({"type": "array", "items": "int"}, ARRAY, "[]", Rule.TYPE),
        ({"type": "map", "values": "int"}, MAP, "{}", Rule.TYPE),
        (ARRAY, MAP, "", Rule.TYPE),
        (record(A, field("b", "long")), record(A), "b", Rule.MISSING_FIELD),
        (record(A), record(), "a", Rule.MISSING_FIELD),
        (record(field("a", "string")), record(A), "a", Rule.TYPE),
        (record(A, name="S"), record(A), "", Rule.NAME),
        (["null", record(A, name="S")], record(A), "", Rule.NAME),
        (["null", record(A, field("b", "long"))], ["null", record(A)], "b", Rule.MISSING_FIELD),
        (enum("a"), enum("a", "b"), "", Rule.ENUM_SYMBOL),
        (
            {"type": "fixed", "name": "F", "size": 4},
            {"type": "fixed", "name": "F", "size": 5},
            "",
            Rule.FIXED_SIZE,
        ),
        (
            record(field("x", {"type": "array", "items": record(field("y", "int"), name="S")})),
            record(field("x", {"type": "array", "items": record(field("y", "long"), name="S")})),
            "x[].y",
            Rule.TYPE,
        ),
        (
            record(*LIST["fields"], field("v", "int")),
            record(*LIST["fields"], field("v", "long")),
            "v",
            Rule.TYPE,
        ),
    ],
    ids=repr,
)
def test_does_not_read(reader: Any, writer: Any, path: str, rule: Rule) -> None:
    assert [(problem.path, problem.rule) for problem in read_problems(reader, writer)] == [(path, rule)]
    # fastavro, as the specification, lets a logical type change.
    assert fastavro_reads(reader, writer) == (rule is Rule.LOGICAL_TYPE)


def test_all_problems_are_found() -> None:
    reader = record(field("a", "int"), field("b", "long"), field("c", "long"))
    writer = record(A, field("b", "string"))
    assert read_problems(reader, writer) == [
        Problem("a", Rule.TYPE, "long is not int"),
        Problem("b", Rule.TYPE, "string is not long"),
        Problem("c", Rule.MISSING_FIELD, "not written, and without default"),
    ]


def test_full_means_every_pair_both_ways() -> None:
    grown = record(A, field("b", ["null", "long"], default=None))
    changed = record(A, field("b", ["null", "string"], default=None))
    versions = {"version 1": record(A), "version 2": grown, "version 3": record(A), "current": changed}
    found = full_incompatibilities("events-value", versions)
    # Each neighbour reads the other; only a check of all pairs sees that a name was used again.
    assert [(one.reader, one.writer, one.path, one.rule) for one in found] == [
        ("version 2", "current", "b", Rule.UNION_BRANCH),
        ("current", "version 2", "b", Rule.UNION_BRANCH),
    ]
    assert str(found[0]) == (
        "events-value: version 2 cannot read current at b: string is not in the union [union-branch]"
    )


def test_message_without_a_path() -> None:
    found = Incompatibility("s", "1", "2", "", Rule.NAME, "A is not B")
    assert str(found) == "s: 1 cannot read 2: A is not B [name]"


# --- changes to the events themselves


def fields_at(schema: Any) -> Iterator[tuple[list[Any], int]]:
    """Every place of a field in a self-contained schema: the list it is in and its index."""
    if isinstance(schema, list):
        for branch in schema:
            yield from fields_at(branch)
    elif isinstance(schema, dict):
        for index, one in enumerate(schema.get("fields", ())):
            yield schema["fields"], index
            yield from fields_at(one["type"])
        yield from fields_at(schema.get("items"))


EVENTS = st.sampled_from(list(CONTRACT.events.values()))


@given(EVENTS, st.data())
def test_a_new_nullable_field_anywhere_is_compatible(one: Any, data: st.DataObject) -> None:
    changed = copy.deepcopy(one.schema)
    fields, index = data.draw(st.sampled_from(list(fields_at(changed))))
    fields.insert(index, field("brand_new", ["null", "string"], default=None))
    assert full_incompatibilities("x", {"1": one.schema, "2": changed}) == []


@given(EVENTS, st.data())
def test_a_new_required_field_anywhere_breaks_readers_of_old_data(one: Any, data: st.DataObject) -> None:
    changed = copy.deepcopy(one.schema)
    fields, index = data.draw(st.sampled_from(list(fields_at(changed))))
    fields.insert(index, field("brand_new", "string"))
    found = full_incompatibilities("x", {"1": one.schema, "2": changed})
    assert {(each.reader, each.path.rpartition(".")[2], each.rule) for each in found} == {
        ("2", "brand_new", Rule.MISSING_FIELD)
    }


@given(EVENTS, st.data())
def test_a_removed_or_renamed_field_breaks_unless_it_is_nullable(one: Any, data: st.DataObject) -> None:
    changed = copy.deepcopy(one.schema)
    fields, index = data.draw(st.sampled_from([at for at in fields_at(changed) if len(at[0]) > 1]))
    nullable = "default" in fields[index]
    del fields[index]
    found = full_incompatibilities("x", {"1": one.schema, "2": changed})
    assert (found == []) == nullable
    assert {each.rule for each in found} <= {Rule.MISSING_FIELD}


@given(EVENTS, st.data())
def test_a_changed_type_breaks(one: Any, data: st.DataObject) -> None:
    changed = copy.deepcopy(one.schema)
    fields, index = data.draw(st.sampled_from(list(fields_at(changed))))
    old = fields[index]["type"]
    new = data.draw(st.sampled_from(["string", "long", "double", "boolean", TIME, ARRAY]))
    if isinstance(old, list):
        new = ["null", new]
    fields[index]["type"] = new
    found = full_incompatibilities("x", {"1": one.schema, "2": changed})
    assert (found == []) == (new == old)


@given(EVENTS, st.data())
def test_a_field_cannot_become_nullable_or_required(one: Any, data: st.DataObject) -> None:
    changed = copy.deepcopy(one.schema)
    fields, index = data.draw(st.sampled_from(list(fields_at(changed))))
    if "default" in fields[index]:
        del fields[index]["default"]
        fields[index]["type"] = fields[index]["type"][1]
        direction = "2"
    else:
        fields[index] |= {"type": ["null", fields[index]["type"]], "default": None}
        direction = "1"
    found = full_incompatibilities("x", {"1": one.schema, "2": changed})
    assert {each.reader for each in found} == {direction}


# --- the oracle


@st.composite
def schemas(draw: st.DrawFn, depth: int = 3, path: str = "R") -> Any:
    """A schema of few names, so that two of them often match in part. A name is used once: it is the path."""
    kinds = ["int", "long", "float", "double", "string", "bytes", "boolean", "null", "enum"]
    if depth:
        kinds += ["record"] * 4 + ["array", "map", "union", "union"]
    kind = draw(st.sampled_from(kinds))
    match kind:
        case "enum":
            symbols = draw(st.lists(st.sampled_from("xyz"), min_size=1, unique=True))
            more = {"default": symbols[0]} if draw(st.booleans()) else {}
            return {"type": "enum", "name": f"{path}_E", "symbols": symbols, **more}
        case "record":
            return draw(records(depth, path))
        case "array":
            return {"type": "array", "items": draw(schemas(depth - 1, path + "_i"))}
        case "map":
            return {"type": "map", "values": draw(schemas(depth - 1, path + "_v"))}
        case "union":
            branches: dict[str, Any] = {}
            for index in range(draw(st.integers(1, 3))):
                branch = draw(schemas(depth - 1, f"{path}_u{index}"))
                if not isinstance(branch, list):
                    branches[branch["type"] if isinstance(branch, dict) else branch] = branch
            return list(branches.values()) or ["null"]
    return kind


@st.composite
def records(draw: st.DrawFn, depth: int, path: str) -> Any:
    fields = []
    for name in draw(st.lists(st.sampled_from("abc"), max_size=3, unique=True)):
        schema = draw(schemas(depth - 1, f"{path}_{name}"))
        more = {"default": zero(schema)} if draw(st.booleans()) else {}
        fields.append(field(name, schema, **more))
    return record(*fields, name=path)


def zero(schema: Any) -> Any:
    """A default for a schema, as JSON."""
    match schema:
        case list():
            return zero(schema[0])
        case {"type": "record"}:
            return {one["name"]: zero(one["type"]) for one in schema["fields"]}
        case {"type": "enum"}:
            return schema["symbols"][0]
        case {"type": "array"}:
            return []
        case {"type": "map"}:
            return {}
    values = {"null": None, "boolean": False, "string": "", "bytes": "", "int": 0, "long": 0}
    return values.get(schema, 0.0)


def examples(schema: Any) -> list[Any]:
    """Data that between them use every branch and symbol of a schema."""
    found: list[Any]
    match schema:
        case list():
            found = [value for branch in schema if branch != LIST["name"] for value in examples(branch)]
        case {"type": "record"}:
            options = {one["name"]: examples(one["type"]) for one in schema["fields"]}
            first = {name: values[0] for name, values in options.items()}
            found = [first | {name: value} for name, values in options.items() for value in values[1:]]
            found.append(first)
        case {"type": "enum"}:
            found = list(schema["symbols"])
        case {"type": "fixed"}:
            found = [b"." * schema["size"]]
        case {"type": "array"}:
            found = [examples(schema["items"])]
        case {"type": "map"}:
            found = [{str(index): value for index, value in enumerate(examples(schema["values"]))}]
        case {"type": str(kind)}:
            found = examples(kind)
        case _:
            values = {"null": None, "boolean": True, "string": "s", "bytes": b"b", "int": 1, "long": 2**40}
            found = [values.get(schema, 0.5)]
    return found


def fastavro_reads(reader: Any, writer: Any) -> bool:
    parsed_writer, parsed_reader = (fastavro.parse_schema(copy.deepcopy(one)) for one in (writer, reader))
    for value in examples(writer):
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, parsed_writer, value)
        buffer.seek(0)
        try:
            fastavro.schemaless_reader(buffer, parsed_writer, parsed_reader)
        except Exception:  # noqa: BLE001 - fastavro refuses in many ways
            return False
    return True


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(records(3, "R"), records(3, "R"))
def test_agrees_with_fastavro(reader: Any, writer: Any) -> None:
    problems = read_problems(reader, writer)
    event(f"readable: {not problems}")
    assert fastavro_reads(reader, writer) == (not problems), problems
