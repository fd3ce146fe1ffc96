"""Dead letters as workers write them, without a broker."""

from app.deadletter import dead_letter_headers
from app.reader import Record
from app.replay.letters import Letter

TOPIC = "canvas.dead-letter"


def why(kind="missing-field", original=(), *, offset=0):
    """Headers of a dead letter whose raw record had the headers `original`."""
    return dead_letter_headers(
        original,
        kind=kind,
        exception="EventRefused",
        message=f"{kind} at body.id",
        topic="canvas.live-events",
        partition=3,
        offset=offset,
    )


def letter(place=(0, 0), value=b"{}", headers=None, *, key=None, timestamp=1_700_000_000_000):
    """A letter at a place; `headers` None are those of `why()`."""
    found = tuple(why() if headers is None else headers)
    return Letter.of(Record(TOPIC, *place, timestamp, key, value, found))
