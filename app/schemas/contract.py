"""The contract: `avro/*.avsc` read, checked and made self-contained.

A file holds one record. The record of an event carries `"mastery.event"`, and its file is named after the event; any
other record is shared, and its file is named after the record (`event_metadata.avsc` holds `EventMetadata`). Files
name shared records; the schemas given out here have them inlined at their first use, so each stands alone.

Attributes of our own, kept in the registered schemas:

* `mastery.event` (record): the event name;
* `mastery.key` (record): templates of the Kafka record key, the first that can be filled counts, and `-` stands for a
  root account that is not named;
* `mastery.pii` (field): personal data, left out when `MASTERY_PII=drop`.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from app.errors import MasteryError

__all__ = ["NAMESPACE", "Contract", "ContractError", "EventSchema", "contract_root", "load_contract", "local_schema_id"]

NAMESPACE = "mastery_stream.canvas"

_PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_NAMED = frozenset({"record", "enum", "fixed"})


class ContractError(MasteryError):
    """The contract's files are missing or contradict each other."""


@dataclass(frozen=True, slots=True)
class EventSchema:
    """The Avro schema of one event.

    `schema` is self-contained and of plain JSON types, with docs and `mastery.*` attributes; `text` is the same as the
    JSON that is registered; `local_id` is what frames the records when there is no schema registry.
    """

    event_name: str
    record_name: str
    schema: dict[str, Any]
    text: str
    local_id: int


@dataclass(frozen=True, slots=True)
class Contract:
    """All events, by name, in the order of their names."""

    events: Mapping[str, EventSchema]


def contract_root() -> Path:
    """The folder that holds `avro/` and `topics/`: inside the installed package, or the checkout itself."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_contract"
    return installed if installed.is_dir() else package.parent


def load_contract(root: Path | None = None) -> Contract:
    """Read `<root>/avro/*.avsc`; `root` is `contract_root()` unless given.

    Raises ContractError, naming the file, when a file is unreadable, misnamed, defines a name twice, or refers to a
    record that no file defines.
    """
    folder = (contract_root() if root is None else root) / "avro"
    files = {path: _read(path) for path in sorted(folder.glob("*.avsc"))}
    owners: dict[str, Path] = {}
    for path, record in files.items():
        _check_file(path, record)
        for name in _defined_names(record):
            if (other := owners.setdefault(name, path)) is not path or name in _PRIMITIVES:
                raise ContractError(f"{path.name}: the name {name} is taken by {other.name}")
    shared = {record["name"]: record for record in files.values() if "mastery.event" not in record}
    events = [_event(path, record, shared) for path, record in files.items() if "mastery.event" in record]
    if not events:
        raise ContractError(f"no event schema in {folder}", hint="install the package again, or run from a checkout")
    events.sort(key=lambda event: event.event_name)
    return Contract(MappingProxyType({event.event_name: event for event in events}))


def local_schema_id(schema: Any) -> int:
    """31 bits of the SHA-256 of the schema as JSON: keys sorted, no blanks, `doc` attributes left out.

    The whole schema counts, not Avro's Parsing Canonical Form, which drops logical types and defaults: two schemas
    that decode differently never share an id by construction. 31 bits, because Confluent's framing reads a signed int.
    """
    text = json.dumps(_without_docs(schema), sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFF_FFFF


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ContractError(f"{path.name}: not readable as JSON ({error})") from error
    if not isinstance(record, dict) or record.get("type") != "record" or not isinstance(record.get("name"), str):
        raise ContractError(f"{path.name}: holds no Avro record")
    return record


def _check_file(path: Path, record: dict[str, Any]) -> None:
    if record.get("namespace") != NAMESPACE:
        raise ContractError(f"{path.name}: the namespace must be {NAMESPACE}")
    event = record.get("mastery.event")
    stem, wanted_name = path.name.removesuffix(".avsc"), _camel_case(path.name.removesuffix(".avsc"))
    if event is not None and event != stem:
        raise ContractError(f"{path.name}: the file of the event {event} must be named {event}.avsc")
    if record["name"] != wanted_name:
        raise ContractError(f"{path.name}: the record must be named {wanted_name}")


def _camel_case(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[._]", name))


def _defined_names(schema: Any) -> Iterator[str]:
    """Names that a schema defines, one as often as it is defined."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _defined_names(branch)
    elif isinstance(schema, dict):
        if schema["type"] in _NAMED:
            yield schema["name"]
        for field in schema.get("fields", ()):
            yield from _defined_names(field["type"])
        for part in ("items", "values"):
            yield from _defined_names(schema.get(part))


def _event(path: Path, record: dict[str, Any], shared: Mapping[str, dict[str, Any]]) -> EventSchema:
    schema = _inline(record, shared, set())
    try:
        fastavro.parse_schema(json.loads(json.dumps(schema)))
    except UnknownType as error:
        raise ContractError(f"{path.name}: refers to {error.name}, which no file defines") from error
    except (SchemaParseException, KeyError, TypeError, ValueError) as error:
        raise ContractError(f"{path.name}: not a valid Avro schema ({error})") from error
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return EventSchema(record["mastery.event"], record["name"], schema, text, local_schema_id(schema))


def _inline(schema: Any, shared: Mapping[str, dict[str, Any]], defined: set[str]) -> Any:
    """A deep copy in which the first reference to each shared record is its definition."""
    if isinstance(schema, str):
        name = schema.removeprefix(NAMESPACE + ".")
        if name in shared and name not in defined:
            return _inline(shared[name], shared, defined)
        return schema
    if isinstance(schema, list):
        return [_inline(branch, shared, defined) for branch in schema]
    if schema["type"] in _NAMED:
        defined.add(schema["name"])
    copy = {}
    for key, value in schema.items():
        if key == "fields":
            copy[key] = [field | {"type": _inline(field["type"], shared, defined)} for field in value]
        else:
            copy[key] = _inline(value, shared, defined) if key in ("items", "values") else value
    return copy


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
