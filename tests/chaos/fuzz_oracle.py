"""What a raw event says, read once more: with Python's `json`, and the Avro schema as it is written."""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.support.events import CONTRACT

__all__ = ["TOO_DEEP", "assert_same_event", "expected_key", "parse"]

TOO_DEEP: Final = object()
_NO_NUMBER: Final = object()
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d))?(?:[.,](\d+))? ?([Zz]|UTC|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse(raw: bytes) -> Any:
    """The value of a JSON text; TOO_DEEP if this cannot tell. NaN is null, what no double holds no number.

    Raises ValueError.
    """
    try:
        return json.loads(raw.decode(), parse_constant=_constant, parse_float=_float, parse_int=_int)
    except RecursionError:
        return TOO_DEEP


def _constant(name: str) -> Any:
    return None if name == "NaN" else _NO_NUMBER


def _float(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else _NO_NUMBER


def _int(text: str) -> Any:
    return int(text) if len(text) < 4_300 else _NO_NUMBER


def assert_same_event(typed: dict[str, Any], name: str, event: Any) -> None:
    """Every field of a decoded record is what the parsed event says, and nothing of the event is missing."""
    envelope = {field["name"]: field["type"] for field in CONTRACT.events[name].schema["fields"]}
    at = "attributes" if event.get("metadata") is None else "metadata"
    metadata, body = event[at], event["body"]
    unknown: dict[str, Any] = {}
    known: dict[str, Any] = {}
    _same_record(typed["metadata"], metadata, envelope["metadata"], "", "", unknown, known, empty=None)
    unknown |= {
        f"$envelope.{key}": item for key, item in event.items() if key not in (at, "metadata", "body")
    }
    _same_extra(typed["metadata"]["extra"], unknown)
    unknown = {}
    _same_record(typed["body"], body, envelope["body"], "", "", unknown, known, empty="")
    _same_extra(typed["body"]["extra"], unknown)


def expected_key(typed: dict[str, Any], name: str) -> bytes:
    """The key by the first template of the schema that can be filled, else by the last."""
    fields = {
        f"{part}.{key}": value for part in ("metadata", "body") for key, value in typed[part].items()
    } | {"event_id": typed["event_id"]}
    fields["metadata.root_account_uuid"] = fields["metadata.root_account_uuid"] or "-"
    templates = CONTRACT.events[name].schema["mastery.key"]
    filled = [re.sub(r"{([^}]+)}", lambda place: str(fields[place[1]] or ""), one) for one in templates]
    whole = [
        text
        for text, one in zip(filled, templates, strict=True)
        if all(fields[place] for place in re.findall(r"{([^}]+)}", one))
    ]
    return (whole[0] if whole else filled[-1]).encode()


def _same_extra(extra: str | None, unknown: dict[str, Any]) -> None:
    assert (None if extra is None else json.loads(extra)) == (unknown or None)


def _same_record(typed, source, schema, path, name, unknown, known, *, empty):
    assert isinstance(source, dict), path
    if isinstance(schema, str):
        schema = known[schema.rpartition(".")[2]]
    known[schema["name"].rpartition(".")[2]] = schema
    fields = {field["name"]: field["type"] for field in schema["fields"]}
    if not path:
        fields = {key: value for key, value in fields.items() if key != "extra"}
    for key, item in source.items():
        if key not in fields:
            unknown[path + key] = item
    for key, avro in fields.items():
        item = source.get(key)
        item = None if item == "" and empty is None else item
        _same(typed[key], item, avro, path + key, key, unknown, known, empty=empty)


def _same(typed, item, avro, path, name, unknown, known, *, empty):  # noqa: C901 - a case a type
    if isinstance(avro, list):
        if item is None:
            assert typed is None, path
            return
        avro = avro[1]
    assert item is not None, path
    kind = avro.get("logicalType", avro["type"]) if isinstance(avro, dict) else avro
    match kind:
        case "string":
            if type(item) is int and (name in ("id", "ids") or name.endswith(("_id", "_ids"))):
                item = str(item)
            assert type(item) is str, path
            assert typed == item, path
        case "long":
            assert type(item) in (int, float), path
            assert typed == item, path
        case "double":
            assert type(item) in (int, float), path
            assert typed == float(item), path
        case "boolean":
            assert typed is item, path
        case "timestamp-millis":
            # A reader that rounds to microseconds, or one that cuts off: both are right.
            assert (typed - _EPOCH) / timedelta(milliseconds=1) in _milliseconds(item), path
        case "array":
            assert type(item) is list, path
            assert len(typed) == len(item), path
            for number, inner in enumerate(item):
                place = f"{path}[{number}]"
                _same(typed[number], inner, avro["items"], place, name, unknown, known, empty=empty)
        case _:
            _same_record(typed, item, avro, f"{path}.", name, unknown, known, empty=empty)


def _milliseconds(text: Any) -> set[float]:
    assert type(text) is str
    match = _TIME.fullmatch(text)
    assert match is not None
    year, month, day, hour, minute, second, fraction, _, sign, hours, rest = match.groups()
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC)
    offset = 60 * int(hours or 0) + int(rest or 0)
    whole = (moment - _EPOCH) // timedelta(milliseconds=1) - (-offset if sign == "-" else offset) * 60_000
    part = (fraction or "").ljust(7, "0")
    microseconds = int(part[:6])
    return {whole + microseconds // 1000, whole + (microseconds + (part[6] >= "5")) // 1000}
