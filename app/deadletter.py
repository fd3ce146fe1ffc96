"""The headers of a dead letter: what was wrong, and where the record stood.

The names are those of KIP-1034, which Kafka Streams writes, so that tools made for those read these as well;
the kind of error is ours. A dead letter keeps the raw record's bytes, key, timestamp and headers.
"""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ERROR_KIND", "DeadLetter", "Headers", "dead_letter_headers", "parse_headers"]

Headers = list[tuple[str, str | bytes | None]]

_PREFIX = "__streams.errors."
_EXCEPTION = _PREFIX + "exception"
_MESSAGE = _PREFIX + "message"
_TOPIC = _PREFIX + "topic"
_PARTITION = _PREFIX + "partition"
_OFFSET = _PREFIX + "offset"
ERROR_KIND = "mastery.error.kind"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What the headers of a dead letter say. `original` are the raw record's own headers."""

    kind: str
    exception: str
    message: str
    topic: str
    partition: int
    offset: int
    original: list[tuple[str, bytes | None]]


def dead_letter_headers(
    original: Iterable[tuple[str, bytes | None]],
    *,
    kind: str,
    exception: str,
    message: str,
    topic: str,
    partition: int,
    offset: int,
) -> Headers:
    r"""Return the original headers, then ours. Numbers are decimal text, as KIP-1034 has them.

    librdkafka ends a name at its first zero byte, so that is written as `\x00`: cut off, the name could be
    that of another header.
    """
    return [
        *((name.replace("\0", r"\x00"), value) for name, value in original),
        (_EXCEPTION, exception.encode()),
        (_MESSAGE, message.encode()),
        (_TOPIC, topic.encode()),
        (_PARTITION, b"%d" % partition),
        (_OFFSET, b"%d" % offset),
        (ERROR_KIND, kind.encode()),
    ]


def parse_headers(headers: Iterable[tuple[str, bytes | None]]) -> DeadLetter | None:
    """Read what `dead_letter_headers` wrote; None when the record is no dead letter of this project.

    The last of several equal names counts: a record that was sent again and failed again carries both.
    """
    ours = {_EXCEPTION, _MESSAGE, _TOPIC, _PARTITION, _OFFSET, ERROR_KIND}
    found: dict[str, str] = {}
    original: list[tuple[str, bytes | None]] = []
    for name, value in headers:
        if name in ours:
            found[name] = (value or b"").decode("utf-8", "replace")
        else:
            original.append((name, value))
    try:
        return DeadLetter(
            kind=found[ERROR_KIND],
            exception=found[_EXCEPTION],
            message=found[_MESSAGE],
            topic=found[_TOPIC],
            partition=int(found[_PARTITION]),
            offset=int(found[_OFFSET]),
            original=original,
        )
    except (KeyError, ValueError):
        return None
