"""Why an event is not published: refused for good, or none of this project's business."""

from enum import StrEnum

from app.errors import MasteryError

__all__ = ["ErrorKind", "EventIgnored", "EventRefused"]


class ErrorKind(StrEnum):
    """What is wrong with an event; the value of a dead letter's header `mastery.error.kind`."""

    NULL_VALUE = "null-value"
    NOT_UTF8 = "not-utf8"
    NOT_JSON = "not-json"
    NOT_AN_OBJECT = "not-an-object"
    IN_ENVELOPE = "in-envelope"
    NO_EVENT_NAME = "no-event-name"
    UNKNOWN_EVENT = "unknown-event"
    IGNORED_EVENT = "ignored-event"
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    INVALID_TIME = "invalid-time"
    OUT_OF_RANGE = "out-of-range"
    TOO_LARGE = "too-large"


class EventRefused(MasteryError):
    """An event that can not be published, now or later.

    `kind` says what is wrong and `path` where: names of the contract joined by dots, such as
    `body.rubric_criterion.ratings[2].points`, or "" for the event as a whole; one of several events in one
    record has its number before that, as `[3].body.score`. `advice` says more where kind and place do not
    say it all. None of them holds anything of the event's content, nor does the message.
    """

    def __init__(self, kind: ErrorKind, path: str = "", *, advice: str | None = None) -> None:
        message = f"{kind} at {path}" if path else str(kind)
        super().__init__(message if advice is None else f"{message}: {advice}")
        self.kind = kind
        self.path = path

    def within(self, place: str) -> "EventRefused":
        """Return this refusal as that of the part at `place` of a record."""
        if not place:
            return self
        return EventRefused(self.kind, f"{place}.{self.path}" if self.path else place)


class EventIgnored(Exception):
    """An event that Canvas documents and this project does not publish, such as `logged_in`."""

    def __init__(self, event_name: str) -> None:
        super().__init__(event_name)
        self.event_name = event_name
