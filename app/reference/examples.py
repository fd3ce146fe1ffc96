"""Examples of records: Canvas's own examples, sent through the decoder and encoder that a worker uses."""

import json
from typing import Any

from app.deadletter import dead_letter_headers
from app.embedded.samples import sample_events
from app.events.decode import EventDecoder
from app.events.errors import EventRefused
from app.events.keys import key_function
from app.schemas.contract import Contract
from app.schemas.encoder import compile_encoder
from app.schemas.models import build_models
from app.settings import Settings
from app.values import ValueReader

__all__ = ["dead_letter_example", "examples", "laid_out"]

# Columns of a line, and of an object or array that is left on one: with its name before it, it still fits.
_WIDTH = 110
_LONGEST = 102


def examples(contract: Contract, settings: Settings) -> dict[str, dict[str, Any]]:
    """Key and value of one record of each event, by event name, as `mastery tail` shows them.

    Of several examples of an event the first by name is taken, which is of the newest form.
    """
    decode = EventDecoder(contract, build_models(contract))
    values = ValueReader(settings)
    found: dict[str, dict[str, Any]] = {}
    for sample in sample_events():
        if sample.event_name not in found:
            event = contract.events[sample.event_name]
            record = decode(sample.raw)
            framed = compile_encoder(event.schema, event.local_id).encode(record)
            key = key_function(event)(record).decode()
            found[sample.event_name] = {"key": key, "value": values.value(framed)}
    return found


def dead_letter_example(contract: Contract, settings: Settings) -> list[tuple[str, str]]:
    """Names and values of the headers of a dead letter: an event whose time is none."""
    event = json.loads(sample_events()[0].raw)
    event["metadata"]["event_time"] = "yesterday"
    try:
        EventDecoder(contract, build_models(contract))(json.dumps(event).encode())
    except EventRefused as refusal:
        headers = dead_letter_headers(
            (),
            kind=refusal.kind,
            exception=type(refusal).__name__,
            message=str(refusal),
            topic=settings.raw_topic_name,
            partition=3,
            offset=1234,
        )
        return [(name, _text(value)) for name, value in headers]
    raise AssertionError("no event takes place at `yesterday`")


def laid_out(value: Any, indent: str = "") -> str:
    """JSON for people: what fits a line is on one, an object's simple members fill lines."""
    inner = indent + "  "
    whole = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(whole) <= _LONGEST:
        return whole
    match value:
        case dict() if value:
            return f"{{\n{_members(value, inner)}\n{indent}}}"
        case list() if value:
            return "[\n" + ",\n".join(inner + laid_out(item, inner) for item in value) + f"\n{indent}]"
    return whole


def _members(value: dict[str, Any], indent: str) -> str:
    lines: list[str] = []
    line = ""
    for number, (name, member) in enumerate(value.items(), start=1):
        comma = "" if number == len(value) else ","
        text = f"{json.dumps(name)}: {laid_out(member, indent)}{comma}"
        if isinstance(member, dict | list) or len(indent) + len(line) + 1 + len(text) > _WIDTH:
            lines.append(line)
            line = text
        else:
            line = f"{line} {text}" if line else text
        if isinstance(member, dict | list):
            lines.append(line)
            line = ""
    lines.append(line)
    return "\n".join(indent + line for line in lines if line)


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
