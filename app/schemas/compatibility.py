"""Can one schema read what another wrote? Avro's schema resolution, without data and without a registry.

Source: Avro 1.12 specification, "Schema Resolution"; where it is silent (which branch of a reader's union),
the way of Avro's Java library, which registries use: any branch that can read it. One rule is ours: a changed
logical type counts as unreadable, because the bytes stay and their meaning changes.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations
from typing import Any

import fastavro

__all__ = ["Incompatibility", "Problem", "Rule", "full_incompatibilities", "read_problems"]


class Rule(StrEnum):
    """What a reader trips over."""

    TYPE = "type"
    """The types differ and the writer's cannot be promoted to the reader's."""
    NAME = "name"
    """Two records, enums or fixed have different names."""
    MISSING_FIELD = "missing-field"
    """The reader wants a field that the writer does not have, and has no default for it."""
    UNION_BRANCH = "union-branch"
    """The writer may write a branch of its union that the reader does not have."""
    ENUM_SYMBOL = "enum-symbol"
    """The writer has a symbol that the reader does not have, and the reader has no default symbol."""
    FIXED_SIZE = "fixed-size"
    """Two fixed differ in size."""
    LOGICAL_TYPE = "logical-type"
    """The logical types differ."""
    RECORD_KEY = "record-key"
    """The Kafka key of the records changed, so records of one thing land in other partitions than before."""
    EVENT_REMOVED = "event-removed"
    """An event that was released is gone."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Where and why a reader fails: `path` is like `body.ratings[].points`, empty for the whole record."""

    path: str
    rule: Rule
    detail: str


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """A problem between two versions of one subject (or event); `reader` and `writer` say which versions."""

    subject: str
    reader: str
    writer: str
    path: str
    rule: Rule
    detail: str

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        return f"{self.subject}: {self.reader} cannot read {self.writer}{where}: {self.detail} [{self.rule}]"


def full_incompatibilities(subject: str, versions: Mapping[str, Any]) -> list[Incompatibility]:
    """FULL_TRANSITIVE: what keeps any version (label -> schema) from reading any other."""
    return [
        Incompatibility(subject, reader, writer, problem.path, problem.rule, problem.detail)
        for reader, writer in permutations(versions, 2)
        for problem in read_problems(versions[reader], versions[writer])
    ]


def read_problems(reader: Any, writer: Any) -> list[Problem]:
    """What keeps `reader` from reading data written with `writer`; empty when it reads all of it.

    Both are self-contained Avro schemas as JSON types.
    """
    return list(_Resolution(_Schema(reader), _Schema(writer)).problems())


# What the type on the left may be read as, besides itself.
_PROMOTIONS: Mapping[str, frozenset[str]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}
_NAMED = frozenset({"record", "error", "enum", "fixed"})
_LOGICAL = ("logicalType", "precision", "scale")


class _Schema:
    """A schema with its names in full and looked up."""

    def __init__(self, schema: Any) -> None:
        self._named: dict[str, Any] = {}
        self.root = fastavro.parse_schema(json.loads(json.dumps(schema)), named_schemas=self._named)

    def resolve(self, schema: Any) -> Any:
        """A union as list, anything else as object with `type`."""
        if isinstance(schema, str):
            return self._named.get(schema, {"type": schema})
        return schema


class _Resolution:
    """Walks a reader's and a writer's schema side by side."""

    def __init__(self, reader: _Schema, writer: _Schema) -> None:
        self._reader = reader
        self._writer = writer
        # Pairs of named types on the way from the root, so that a type that holds itself ends.
        self._open: set[tuple[str, str]] = set()

    def problems(self) -> Iterator[Problem]:
        return self._compare(self._reader.root, self._writer.root, "")

    def _compare(self, reader: Any, writer: Any, path: str) -> Iterator[Problem]:
        reader, writer = self._reader.resolve(reader), self._writer.resolve(writer)
        if isinstance(writer, list):
            for branch in writer:
                yield from self._compare(reader, branch, path)
        elif isinstance(reader, list):
            yield from self._compare_with_union(reader, writer, path)
        elif reader["type"] != writer["type"]:
            if reader["type"] in _PROMOTIONS.get(writer["type"], ()):
                yield from _compare_logical_types(reader, writer, path)
            else:
                detail = f"{writer['type']} is not {reader['type']}"
                yield Problem(path, Rule.TYPE, detail)
        elif reader["type"] in _NAMED:
            yield from self._compare_named(reader, writer, path)
        elif reader["type"] == "array":
            yield from self._compare(reader["items"], writer["items"], path + "[]")
        elif reader["type"] == "map":
            yield from self._compare(reader["values"], writer["values"], path + "{}")
        else:
            yield from _compare_logical_types(reader, writer, path)

    def _compare_with_union(self, reader: list[Any], writer: Any, path: str) -> Iterator[Problem]:
        first: list[Problem] | None = None
        for branch in map(self._reader.resolve, reader):
            if branch["type"] != writer["type"] and branch["type"] not in _PROMOTIONS.get(writer["type"], ()):
                continue
            problems = list(self._compare(branch, writer, path))
            if not problems:
                return
            first = first or problems
        yield from first or [Problem(path, Rule.UNION_BRANCH, f"{writer['type']} is not in the union")]

    def _compare_named(self, reader: Any, writer: Any, path: str) -> Iterator[Problem]:
        pair = (reader["name"], writer["name"])
        if pair in self._open:
            return
        if not _same_name(reader, writer):
            yield Problem(path, Rule.NAME, f"{_short(writer['name'])} is not {_short(reader['name'])}")
            return
        self._open.add(pair)
        if reader["type"] == "enum":
            missing = set(writer["symbols"]) - set(reader["symbols"])
            if missing and "default" not in reader:
                yield Problem(path, Rule.ENUM_SYMBOL, f"no symbol {', '.join(sorted(missing))}")
        elif reader["type"] == "fixed":
            if reader["size"] != writer["size"]:
                yield Problem(path, Rule.FIXED_SIZE, f"{writer['size']} bytes are not {reader['size']}")
            yield from _compare_logical_types(reader, writer, path)
        else:
            yield from self._compare_fields(reader, writer, path)
        self._open.remove(pair)

    def _compare_fields(self, reader: Any, writer: Any, path: str) -> Iterator[Problem]:
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            place = f"{path}.{field['name']}" if path else field["name"]
            names = [field["name"], *field.get("aliases", ())]
            source = next((written[name] for name in names if name in written), None)
            if source is not None:
                yield from self._compare(field["type"], source["type"], place)
            elif "default" not in field:
                yield Problem(place, Rule.MISSING_FIELD, "not written, and without default")


def _compare_logical_types(reader: Any, writer: Any, path: str) -> Iterator[Problem]:
    wanted, given = ([schema.get(key) for key in _LOGICAL] for schema in (reader, writer))
    if wanted != given:
        detail = f"{given[0] or 'no logical type'} is not {wanted[0] or 'no logical type'}"
        yield Problem(path, Rule.LOGICAL_TYPE, detail)


def _same_name(reader: Any, writer: Any) -> bool:
    """Names are compared without namespace; the reader may know the writer's by an alias."""
    aliases = {_short(alias) for alias in reader.get("aliases", ())}
    return _short(writer["name"]) in {_short(reader["name"]), *aliases}


def _short(name: str) -> str:
    return name.rpartition(".")[2]
