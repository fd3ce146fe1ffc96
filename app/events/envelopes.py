"""Events that arrive in something else: what relays, queues, converters and editors put around them.

An envelope is recognised by what is in it: layers are opened one by one, and only where an event comes to
light, an object with `metadata` and an `event_name`, was it one. There are few layers, and a layer holds no
more than what it was in (but for UTF-16: half as much again), so a record costs in proportion to its size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.events.errors import ErrorKind, EventRefused
from app.events.layers import Envelope, is_event, open_layer

__all__ = ["AUTO", "NONE", "Contents", "Envelope", "Unwrapper", "check_envelopes", "look_into"]

#: Words of the setting beside the names of envelopes.
AUTO: Final = "auto"
NONE: Final = "none"

#: An SQS message with a notification of SNS with a JSON string has three.
_MOST_LAYERS: Final = 6

#: A second's work for a worker, which does nothing else meanwhile; a megabyte of results holds some 1,500.
_MOST_EVENTS: Final = 100_000

#: A token says who wrote it, and nothing here checks that: whoever wants it must say so.
_IN_AUTO: Final = frozenset(Envelope) - {Envelope.JWT}

#: What the decoder says of an event in an envelope.
_LIKELY: Final = frozenset(
    {ErrorKind.NOT_UTF8, ErrorKind.NOT_JSON, ErrorKind.NOT_AN_OBJECT, ErrorKind.NO_EVENT_NAME}
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a raw value holds: `parts` are places in it, "" or such as `[3]`, and the bytes that stand there.

    `envelopes` are those that were opened, outermost first.
    """

    envelopes: list[Envelope] = field(default_factory=list)
    parts: list[tuple[str, bytes]] = field(default_factory=list)


def look_into(raw: bytes) -> Contents | None:
    """What is in the envelopes of a raw value; None where it has none, or no event is in any of them.

    Raises nothing, whatever comes.
    """
    contents = Contents()
    _open(raw, "", _MOST_LAYERS, contents)
    if not contents.envelopes or not any(is_event(part) for _, part in contents.parts):
        return None
    return contents


def _open(raw: bytes, place: str, layers: int, contents: Contents) -> None:
    opened = open_layer(raw) if layers else None
    if opened is None:
        contents.parts.append((place, raw))
        return
    if opened.envelope not in contents.envelopes:
        contents.envelopes.append(opened.envelope)
    for below, part in opened.parts:
        _open(part, place + below, layers - 1, contents)


def check_envelopes(text: str) -> str:
    """Check and tidy `none`, `auto`, or names of envelopes with commas between them. Raises ValueError."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    known = {AUTO, *Envelope}
    if names == [NONE] or (names and known.issuperset(names)):
        return ",".join(dict.fromkeys(names))
    message = f"must be {NONE}, or of {', '.join(sorted(known))} one or several with commas between them"
    raise ValueError(message)


class Unwrapper:
    """Takes events out of the envelopes that a setting names: `check_envelopes` says how."""

    def __init__(self, setting: str = NONE) -> None:
        names = set(setting.split(","))
        self._allowed = {name for name in Envelope if name in names} | (_IN_AUTO if AUTO in names else set())

    def __call__(self, raw: bytes | None, kind: ErrorKind) -> Sequence[tuple[str, bytes]] | None:
        """Return what a value holds that the decoder refused: the place and the bytes of each part.

        None where it is in no envelope. Parts need not be events; whoever decodes them finds out. Raises
        EventRefused: `in-envelope` where there is one that is not to be opened, `too-large` for more events
        in one record than a worker takes at once.
        """
        if raw is None or kind not in _LIKELY or (contents := look_into(raw)) is None:
            return None
        if self._allowed.issuperset(contents.envelopes):
            if len(contents.parts) > _MOST_EVENTS:
                raise EventRefused(ErrorKind.TOO_LARGE)
            return contents.parts
        raise _in_envelope(contents.envelopes)


def _in_envelope(envelopes: Sequence[Envelope]) -> EventRefused:
    """Say in which, and how to get the event out."""
    names = ",".join(envelopes)
    advice = f"MASTERY_RAW_ENVELOPE={names} takes it out"
    if Envelope.JWT in envelopes:
        advice += " without checking who signed it"
    return EventRefused(ErrorKind.IN_ENVELOPE, advice=f"{names} ({advice})")
