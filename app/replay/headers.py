"""The headers of a replayed record: which dead letter it was, and how often it has been replayed."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Replay", "replay_headers", "replay_of"]

_PREFIX = "mastery.replay."
_TOPIC = _PREFIX + "topic"
_PARTITION = _PREFIX + "partition"
_OFFSET = _PREFIX + "offset"
_COUNT = _PREFIX + "count"
_OURS = frozenset({_TOPIC, _PARTITION, _OFFSET, _COUNT})


@dataclass(frozen=True, slots=True)
class Replay:
    """The dead letter that a record was made from (`topic`, `partition`, `offset`); `count` begins at 1."""

    topic: str
    partition: int
    offset: int
    count: int


def replay_headers(
    original: Iterable[tuple[str, bytes | None]], replay: Replay
) -> list[tuple[str, str | bytes | None]]:
    """Return the original headers, then ours, which replace those of an earlier replay. Numbers are text."""
    return [
        *((name, value) for name, value in original if name not in _OURS),
        (_TOPIC, replay.topic.encode()),
        (_PARTITION, b"%d" % replay.partition),
        (_OFFSET, b"%d" % replay.offset),
        (_COUNT, b"%d" % replay.count),
    ]


def replay_of(headers: Iterable[tuple[str, bytes | None]]) -> Replay | None:
    """Read what `replay_headers` wrote, None for a record never replayed. The last of a name counts."""
    found = {name: value or b"" for name, value in headers if name in _OURS}
    try:
        return Replay(
            topic=found[_TOPIC].decode(),
            partition=int(found[_PARTITION]),
            offset=int(found[_OFFSET]),
            count=int(found[_COUNT]),
        )
    except (KeyError, ValueError):
        return None
