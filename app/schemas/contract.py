"""The contract: `avro/*.avsc` read, checked and made self-contained.

A file holds one record. The record of an event carries `"mastery.event"`, that of a derived topic (what the
stream itself makes) `"mastery.derived"`, and its file is named after that; any other record is shared, and
its file is named after the record (`event_metadata.avsc` holds `EventMetadata`). Files name shared records;
the schemas given out here have them inlined at their first use, so each stands alone.

Attributes of our own, kept in the registered schemas:

* `mastery.event` (record): the event name;
* `mastery.derived` (record): the name of the derived topic, without the prefix;
* `mastery.key` (record): templates of the Kafka record key; the first that can be filled counts, and `-`
  stands for a root account that is not named;
* `mastery.pii` (field): personal data, left out when `MASTERY_PII=drop`.

Of Avro's types the contract uses string, long, double, boolean, timestamp-millis, arrays and records, and any
of them nullable: `["null", T]` with default null. A field is nullable or has no default. All that is made
from the contract relies on that.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.errors import MasteryError

__all__ = [
    "NAMESPACE",
    "Contract",
    "ContractError",
    "TopicSchema",
    "canonical_text",
    "contract_root",
    "load_contract",
    "local_schema_id",
]

NAMESPACE = "mastery_stream.canvas"

_EVENT, _DERIVED = "mastery.event", "mastery.derived"
_KINDS = frozenset((_EVENT, _DERIVED))
_PRIMITIVES = ("string", "long", "double", "boolean")
_UNUSED_PRIMITIVES = ("null", "int", "float", "bytes")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ContractError(MasteryError):
    """The contract's files are missing or contradict each other."""


@dataclass(frozen=True, slots=True)
class TopicSchema:
    """The Avro schema of one topic's values; `name` is that of the event, or of the derived topic.

    `schema` is self-contained and of plain JSON types, with docs and `mastery.*` attributes; `text` is the
    same as the JSON that is registered; `local_id` frames the records when there is no schema registry.
    """

    name: str
    record_name: str
    schema: dict[str, Any]
    text: str
    local_id: int


@dataclass(frozen=True, slots=True)
class Contract:
    """The schemas of the events' topics and of the derived ones, by name, in the order of their names."""

    events: Mapping[str, TopicSchema]
    derived: Mapping[str, TopicSchema]

    @property
    def topics(self) -> Mapping[str, TopicSchema]:
        """All of them: the events' first."""
        return {**self.events, **self.derived}


def contract_root() -> Path:
    """The folder that holds `avro/` and `topics/`: inside the installed package, or the checkout itself."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_contract"
    return installed if installed.is_dir() else package.parent


def load_contract(root: Path | None = None) -> Contract:
    """Read `<root>/avro/*.avsc`; `root` is `contract_root()` unless given.

    Raises ContractError, naming the file, when a file is unreadable, misnamed, uses more of Avro than the
    contract does, defines a name twice, or refers to a record that no file defines.
    """
    folder = (contract_root() if root is None else root) / "avro"
    files = {path.name: _read(path) for path in sorted(folder.glob("*.avsc"))}
    owners: dict[str, str] = {}
    for file, record in files.items():
        _check_file_name(file, record)
        for name in _defined_names(record, file):
            if name in owners:
                raise ContractError(f"{file}: the name {name} is taken by {owners[name]}")
            owners[name] = file
    shared = {record["name"]: record for record in files.values() if not record.keys() & _KINDS}
    events = _schemas(_EVENT, files, shared)
    if not events:
        raise ContractError(
            f"no event schema in {folder}", hint="install the package again, or run from a checkout"
        )
    return Contract(events, _schemas(_DERIVED, files, shared))


def canonical_text(schema: Any) -> str:
    """The schema as JSON: keys sorted, no blanks, `doc` attributes left out.

    The whole schema counts, not Avro's Parsing Canonical Form: that drops logical types and defaults, so
    schemas that decode differently would be one.
    """
    return json.dumps(_without_docs(schema), sort_keys=True, separators=(",", ":"))


def local_schema_id(schema: Any) -> int:
    """31 bits of the SHA-256 of the schema's `canonical_text`: clients read a signed integer."""
    return int.from_bytes(hashlib.sha256(canonical_text(schema).encode()).digest()[:4], "big") & 0x7FFF_FFFF


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ContractError(f"{path.name}: not readable as JSON ({error})") from error
    if not isinstance(record, dict) or record.get("type") != "record":
        raise ContractError(f"{path.name}: holds no Avro record")
    return record


def _check_file_name(file: str, record: dict[str, Any]) -> None:
    if record.get("namespace") != NAMESPACE:
        raise ContractError(f"{file}: the namespace must be {NAMESPACE}")
    for kind in _KINDS & record.keys():
        if file != f"{record[kind]}.avsc":
            raise ContractError(f"{file}: the file of {record[kind]} must be named {record[kind]}.avsc")
    name = _camel_case(file.removesuffix(".avsc"))
    if record.get("name") != name:
        raise ContractError(f"{file}: the record must be named {name}")


def _camel_case(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[._]", name))


def _defined_names(schema: Any, path: str) -> Iterator[str]:
    """Names that a schema defines, one as often as it is defined; refuses what the contract does not use."""
    match schema:
        case str() if schema not in _UNUSED_PRIMITIVES:
            return
        case {"type": "long", "logicalType": "timestamp-millis"}:
            return
        case {"type": "array", "items": items}:
            yield from _defined_names(items, path + "[]")
        case {"type": "record", "name": str(name), "fields": list(fields)} if _NAME.fullmatch(name):
            yield name
            for field in fields:
                yield from _names_in_field(field, path)
            if len({field["name"] for field in fields}) < len(fields):
                raise ContractError(f"{path}: {name} has two fields of one name")
        case _:
            raise ContractError(f"{path}: a type that the contract does not use")


def _names_in_field(field: Any, path: str) -> Iterator[str]:
    match field:
        case {"name": str(name)} if not _NAME.fullmatch(name):
            raise ContractError(f"{path}: {name} is not a field name in Avro")
        case {"name": str(name), "type": ["null", schema], "default": None}:
            yield from _defined_names(schema, f"{path}: {name}")
        case {"name": str(name), "type": str() | dict() as schema} if "default" not in field:
            yield from _defined_names(schema, f"{path}: {name}")
        case _:
            raise ContractError(f"{path}: a field must be nullable with default null, or have no default")


def _schemas(
    kind: str, files: Mapping[str, dict[str, Any]], shared: Mapping[str, dict[str, Any]]
) -> Mapping[str, TopicSchema]:
    found = [_schema(kind, file, record, shared) for file, record in files.items() if kind in record]
    return MappingProxyType({one.name: one for one in sorted(found, key=lambda one: one.name)})


def _schema(
    kind: str, file: str, record: dict[str, Any], shared: Mapping[str, dict[str, Any]]
) -> TopicSchema:
    schema = _Inliner(file, shared).inline(record)
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return TopicSchema(record[kind], record["name"], schema, text, local_schema_id(schema))


class _Inliner:
    """Makes one schema self-contained: the first reference to a shared record becomes its definition."""

    def __init__(self, file: str, shared: Mapping[str, dict[str, Any]]) -> None:
        self._file = file
        self._shared = shared
        self._defined: set[str] = set()

    def inline(self, schema: Any) -> Any:
        """A copy of `schema`, deep as far as types go."""
        if isinstance(schema, str):
            return self._inline_name(schema)
        if isinstance(schema, list):
            return [self.inline(branch) for branch in schema]
        if schema["type"] == "record":
            self._defined.add(schema["name"])
            fields = [field | {"type": self.inline(field["type"])} for field in schema["fields"]]
            return schema | {"fields": fields}
        if schema["type"] == "array":
            return schema | {"items": self.inline(schema["items"])}
        return dict(schema)

    def _inline_name(self, reference: str) -> Any:
        name = reference.removeprefix(NAMESPACE + ".")
        if name in _PRIMITIVES or name == "null" or name in self._defined:
            return reference
        if name not in self._shared:
            raise ContractError(f"{self._file}: refers to {reference}, which no file defines")
        return self.inline(self._shared[name])


def _without_docs(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_docs(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    # Only where Avro has a schema or a field: a default may be an object with a key "doc" of its own.
    return {
        key: _without_docs(value) if key in ("type", "fields", "items", "values") else value
        for key, value in schema.items()
        if key != "doc"
    }
