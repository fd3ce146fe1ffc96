"""Events in forms that the strict models refuse, brought into the models' form.

Taken in, as Canvas sent it at some time, or somebody on the way writes it so: `attributes` for `metadata`,
integers for ids, integral floats for integers, "" for null in metadata, null for missing, unknown fields, and
what `app.events.parse` and `app.events.times` add. What is still not right is refused, with its place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.events.errors import ErrorKind, EventRefused
from app.events.values import SCALARS, id_text, is_id
from app.schemas.models import is_own_field
from app.schemas.shape import Kind, Record, ValueType

__all__ = ["TolerantReader", "find_metadata"]

# Values that msgspec takes for a field, or refuses, without our help. They are by far the most.
_LEFT_TO_MSGSPEC: Final[Mapping[Kind, type]] = {
    Kind.STRING: str,
    Kind.LONG: int,
    Kind.DOUBLE: float,
    Kind.BOOLEAN: bool,
    Kind.TIMESTAMP: str,
}


def find_metadata(event: Any) -> tuple[str, dict[str, Any]]:
    """The name that a parsed event's metadata goes by, and the metadata. Raises EventRefused."""
    if type(event) is not dict:
        raise EventRefused(ErrorKind.NOT_AN_OBJECT)
    key = "metadata"
    if (metadata := event.get(key)) is None and (metadata := event.get("attributes")) is not None:
        key = "attributes"
    if metadata is None:
        raise EventRefused(ErrorKind.NO_EVENT_NAME, "metadata")
    if type(metadata) is not dict:
        raise EventRefused(ErrorKind.WRONG_TYPE, "metadata")
    return key, metadata


class TolerantReader:
    """Reads parsed events of one kind.

    `record` is the shape of the event's Avro record, `model` the struct made of it.
    """

    def __init__(self, record: Record, model: type[msgspec.Struct]) -> None:
        self._model = model
        parts = {field.name: field.type.record for field in record.fields if field.type.record is not None}
        self._metadata = _RecordReader(parts["metadata"], keep_empty=False)
        self._body = _RecordReader(parts["body"], keep_empty=True)

    def __call__(self, event: Mapping[str, Any]) -> Any:
        """The model of a parsed event, `event_id` not set. Raises EventRefused."""
        key, metadata = find_metadata(event)
        body = event.get("body")
        if body is None:
            raise EventRefused(ErrorKind.MISSING_FIELD, "body")
        if type(body) is not dict:
            raise EventRefused(ErrorKind.WRONG_TYPE, "body")
        record, metadata_extra, body_extra = self._build(metadata, body)
        if len(event) > 2:
            for name, item in event.items():
                if name not in (key, "metadata", "body"):
                    metadata_extra[f"$envelope.{name}"] = item
        if metadata_extra:
            record.metadata.extra = _json(metadata_extra, "metadata.extra")
        if body_extra:
            record.body.extra = _json(body_extra, "body.extra")
        return record

    def _build(
        self, metadata: dict[str, Any], body: dict[str, Any]
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """The model, and the unknown fields of metadata and of body, by path."""
        for thorough in (False, True):
            for_metadata, for_body = _Run(thorough, {}), _Run(thorough, {})
            values = {
                "metadata": self._metadata.read(metadata, "metadata.", for_metadata),
                "body": self._body.read(body, "body.", for_body),
            }
            try:
                return msgspec.convert(values, self._model), for_metadata.extra, for_body.extra
            except msgspec.ValidationError:
                continue
        raise EventRefused(ErrorKind.WRONG_TYPE)


class _RecordReader:
    """Reads JSON objects that stand for a record."""

    def __init__(self, record: Record, *, keep_empty: bool) -> None:
        types = {field.name: field.type for field in record.fields if not is_own_field(record, field)}
        self._keep_empty = keep_empty
        self._required = [name for name, value_type in types.items() if not value_type.nullable]
        self._plain = {
            name: _LEFT_TO_MSGSPEC[value_type.kind]
            for name, value_type in types.items()
            if value_type.kind in _LEFT_TO_MSGSPEC
        }
        self._readers = {
            name: _reader(value_type, name, keep_empty=keep_empty) for name, value_type in types.items()
        }

    def read(self, values: Mapping[str, Any], where: str, run: "_Run") -> dict[str, Any]:
        """Values that msgspec takes for the record at `where` (a path up to the dot). Raises EventRefused."""
        taken: dict[str, Any] = {}
        keep_empty = self._keep_empty
        plain = {} if run.thorough else self._plain
        for name, item in values.items():
            if type(item) is plain.get(name) and (keep_empty or item != ""):
                taken[name] = item
            elif (read := self._readers.get(name)) is None:
                # Its path begins below metadata or body.
                run.extra[(where + name).partition(".")[2]] = item
            elif item is not None and (keep_empty or item != ""):
                taken[name] = read(item, where + name, run)
        if run.thorough:
            for name in self._required:
                if name not in taken:
                    raise EventRefused(ErrorKind.MISSING_FIELD, where + name)
        return taken


@dataclass(frozen=True, slots=True)
class _Run:
    """One reading of metadata or of a body: `extra` takes the unknown fields.

    A thorough one leaves nothing to msgspec that it might refuse: whatever is wrong is found, with its place.
    """

    thorough: bool
    extra: dict[str, Any]


_Reader = Callable[[Any, str, _Run], Any]


def _reader(value_type: ValueType, name: str, *, keep_empty: bool) -> _Reader:
    """A function that reads a value, not null, of the field `name`."""
    if value_type.record is not None:
        return _record_reader(_RecordReader(value_type.record, keep_empty=keep_empty))
    if value_type.items is not None:
        item_reader = _reader(value_type.items, name, keep_empty=keep_empty)
        return _array_reader(item_reader, nullable=value_type.items.nullable)
    scalar = id_text if value_type.kind is Kind.STRING and is_id(name) else SCALARS[value_type.kind]
    return lambda item, where, _: scalar(item, where)


def _record_reader(reader: _RecordReader) -> _Reader:
    def read(item: Any, where: str, run: _Run) -> dict[str, Any]:
        if type(item) is not dict:
            raise EventRefused(ErrorKind.WRONG_TYPE, where)
        return reader.read(item, where + ".", run)

    return read


def _array_reader(read_item: _Reader, *, nullable: bool) -> _Reader:
    def read(item: Any, where: str, run: _Run) -> list[Any]:
        if type(item) is not list:
            raise EventRefused(ErrorKind.WRONG_TYPE, where)
        taken = []
        for index, inner in enumerate(item):
            place = f"{where}[{index}]"
            if inner is None and not nullable:
                raise EventRefused(ErrorKind.MISSING_FIELD, place)
            taken.append(None if inner is None else read_item(inner, place, run))
        return taken

    return read


def _json(extra: dict[str, Any], where: str) -> str:
    try:
        return msgspec.json.encode(extra).decode()
    except TypeError:  # OUT_OF_RANGE
        raise EventRefused(ErrorKind.OUT_OF_RANGE, where) from None
    except RecursionError:
        raise EventRefused(ErrorKind.NOT_JSON, where) from None
