"""Every offset that a group committed, in order, from the broker's own topic of them."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.support.records import Record, end_offsets, read_all

__all__ = ["Commit", "commits_of", "positions", "read_commits", "went_back"]

_TOPIC = "__consumer_offsets"
#: Versions of keys: an offset (0 and 1), and a group's metadata. From version 4 of values texts are compact.
_OFFSET_KEYS, _GROUP_KEY, _COMPACT = (0, 1), 2, 4


@dataclass(frozen=True, slots=True)
class Commit:
    """An offset that took effect, and the generation of the group at that time (-1: unknown)."""

    topic: str
    partition: int
    offset: int
    generation: int


def positions(bootstrap: str) -> dict[int, int]:
    """Return where the broker's topic of offsets ends now, by partition; nothing on a new broker."""
    try:
        ends = end_offsets(bootstrap, [_TOPIC])
    except KeyError:
        return {}
    return {partition: end for (_, partition), end in ends.items()}


def read_commits(bootstrap: str, group: str, since: Mapping[int, int]) -> list[Commit]:
    """Return what the group committed since then. Those of transactions that were aborted do not count."""
    records = read_all(bootstrap, _TOPIC, since=since, timeout=60.0)
    return list(commits_of(records, group))


def commits_of(records: Iterable[Record], group: str) -> Iterator[Commit]:
    """Pick a group's commits from records of the topic, in the order of their offsets."""
    generation = -1
    for record in records:
        if record.key is None or record.value is None:
            continue
        (version,) = struct.unpack_from(">h", record.key)
        name, at = _text(record.key, 2)
        if name != group:
            continue
        if version == _GROUP_KEY:
            generation = _generation(record.value)
        elif version in _OFFSET_KEYS:
            topic, at = _text(record.key, at)
            (partition,) = struct.unpack_from(">i", record.key, at)
            (offset,) = struct.unpack_from(">q", record.value, 2)
            yield Commit(topic, partition, offset, generation)


def went_back(commits: Iterable[Commit]) -> list[str]:
    """Tell the commits that stand below an earlier one of the same generation."""
    last: dict[tuple[str, int], Commit] = {}
    wrong = []
    for commit in commits:
        place = (commit.topic, commit.partition)
        before = last.get(place)
        if before is not None and commit.offset < before.offset and commit.generation == before.generation:
            wrong.append(f"{place} from {before.offset} to {commit.offset} in generation {commit.generation}")
        last[place] = commit
    return wrong


def _generation(value: bytes) -> int:
    """Read the number after the type of protocol in a group's metadata."""
    (version,) = struct.unpack_from(">h", value)
    if version < _COMPACT:
        _, at = _text(value, 2)
    else:
        length, shift, at = 0, 0, 2
        while True:
            byte = value[at]
            length |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        at += max(0, length - 1)
    (generation,) = struct.unpack_from(">i", value, at)
    return int(generation)


def _text(data: bytes, at: int) -> tuple[str, int]:
    """Read a string with two bytes of length; return it and where it ends."""
    (length,) = struct.unpack_from(">h", data, at)
    end = at + 2 + max(0, length)
    return data[at + 2 : end].decode(), end
