"""What can be wrong with a request, each with its HTTP status: problem details (RFC 9457) and error pages."""

from collections.abc import Mapping
from typing import Any

from app.errors import MasteryError

__all__ = [
    "BadParameter",
    "BrokerAway",
    "BrokerRefuses",
    "Forbidden",
    "NotFound",
    "NotReady",
    "Problem",
    "TooManyRequests",
    "TooSlow",
    "Unauthorized",
]


class Problem(MasteryError):
    """A request that gets no answer. The message and the hint are shown to whoever asked."""

    status = 500
    title = "Something went wrong"

    def __init__(
        self, message: str, *, hint: str | None = None, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(message, hint=hint)
        self.headers = dict(headers or {})
        self.more = more
        """Further members of the problem details, such as `progress` or `parameter`."""


class BadParameter(Problem):
    """A parameter cannot be understood; `parameter` names it."""

    status, title = 400, "This address cannot be understood"


class Unauthorized(Problem):
    """Nobody knows who asks."""

    status, title = 401, "Please log in"


class Forbidden(Problem):
    """Whoever asks may not see it."""

    status, title = 403, "Not for this login"


class NotFound(Problem):
    """There is no such thing, or not for whoever asks."""

    status, title = 404, "There is no such thing here"


class TooManyRequests(Problem):
    """One client asks too much."""

    status, title = 429, "Too many requests"


class NotReady(Problem):
    """The rows asked for are being restored, or move between workers."""

    status, title = 503, "Not ready yet"


class BrokerAway(Problem):
    """What stands in Kafka alone cannot be read now. State that the workers hold can."""

    status, title = 503, "Kafka does not answer"


class BrokerRefuses(Problem):
    """The user that this worker logs in as at Kafka lacks a permission."""

    status, title = 503, "Kafka does not let this worker read it"


class TooSlow(Problem):
    """The answer would take longer than its time limit."""

    status, title = 503, "This takes too long"
