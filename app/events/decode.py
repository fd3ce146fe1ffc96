"""Raw values from Canvas into records that can be encoded.

Most events are of a form that a strict msgspec decoder takes at once. The rest goes the long way: parsed into
plain values, brought into that form, converted. What both ways take, they make the same record of.
"""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Literal

import msgspec

from app.events.errors import ErrorKind, EventIgnored, EventRefused
from app.events.names import DOCUMENTED_EVENTS
from app.events.parse import parse_json
from app.events.tolerant import TolerantReader, find_metadata
from app.schemas.contract import Contract
from app.schemas.shape import read_record

__all__ = ["EventDecoder"]

# The first thing that looks like the event's name. Whether it is, is seen when the event is decoded.
_EVENT_NAME = re.compile(rb'"event_name"\s*:\s*"([a-z_.]+)"')


class EventDecoder:
    """Decodes the raw value of an event: `record = decoder(raw)`."""

    def __init__(
        self,
        contract: Contract,
        models: Mapping[str, type[msgspec.Struct]],
        other_events: Literal["ignore", "dead-letter"] = "ignore",
    ) -> None:
        self._strict: dict[bytes, tuple[str, Callable[[bytes], Any]]] = {}
        self._readers: dict[str, TolerantReader] = {}
        for name, event in contract.events.items():
            self._strict[name.encode()] = name, msgspec.json.Decoder(models[name]).decode
            self._readers[name] = TolerantReader(read_record(event.schema), models[name])
        # For events that are none of ours, no more than the name is read.
        self._names = msgspec.json.Decoder(_NameOnly).decode
        self._strict |= {
            name.encode(): (name, self._names) for name in DOCUMENTED_EVENTS - contract.events.keys()
        }
        self._refuse_others = other_events == "dead-letter"

    def __call__(self, raw: bytes | None) -> Any:
        """The record of a raw value, of the event's model, all fields set.

        `event_id` is hex of the first 16 bytes of the SHA-256 of the value.

        Raises EventRefused for what can not be published; EventIgnored for events that Canvas documents and
        this project does not publish (with `other_events="dead-letter"` they are refused); nothing else,
        whatever came.
        """
        if raw is None:
            raise EventRefused(ErrorKind.NULL_VALUE)
        guess = _EVENT_NAME.search(raw)
        if guess is not None and (known := self._strict.get(guess[1])) is not None:
            name, decode = known
            try:
                record = decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass  # the long way finds out whether it matters
            else:
                if record.metadata.event_name == name:
                    if decode is self._names:
                        raise self._other(name)
                    record.event_id = sha256(raw).hexdigest()[:32]
                    return record
        record = self._decode_tolerantly(raw)
        record.event_id = sha256(raw).hexdigest()[:32]
        return record

    def _decode_tolerantly(self, raw: bytes) -> Any:
        event = parse_json(raw)
        _, metadata = find_metadata(event)
        name = metadata.get("event_name")
        if name is None or name == "":
            raise EventRefused(ErrorKind.NO_EVENT_NAME, "metadata.event_name")
        if type(name) is not str:
            raise EventRefused(ErrorKind.WRONG_TYPE, "metadata.event_name")
        if (reader := self._readers.get(name)) is not None:
            return reader(event)
        if name in DOCUMENTED_EVENTS:
            raise self._other(name)
        raise EventRefused(ErrorKind.UNKNOWN_EVENT, "metadata.event_name")

    def _other(self, name: str) -> EventIgnored | EventRefused:
        if self._refuse_others:
            return EventRefused(ErrorKind.IGNORED_EVENT, "metadata.event_name")
        return EventIgnored(name)


class _MetadataNameOnly(msgspec.Struct, gc=False):
    event_name: str


class _NameOnly(msgspec.Struct, gc=False):
    metadata: _MetadataNameOnly
