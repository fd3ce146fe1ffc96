"""A row as it should be beside what three topics say of it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from app.agents.publication import Publication
from app.mastery import blob
from app.mastery.results import Results
from app.mastery.row import CourseScore, Row
from app.mastery.snapshot import RowKey
from app.partitioner import partition_of
from app.schemas.contract import Contract
from app.schemas.decoder import DecodingError, compile_decoder
from app.schemas.encoder import compile_encoder

__all__ = ["ABSENT", "COURSES", "ROWS", "STATE", "Comparison", "Difference", "FoundRow", "row_key"]

ROWS: Final = "outcome_mastery"
COURSES: Final = "course_outcome_mastery"
STATE: Final = "mastery-changelog"

ABSENT: Final = "(absent)"
"""Stands for a record that is not there, or should not be."""

Decode = Callable[[bytes], Mapping[str, Any]]
_FRAMING: Final = 5


class Difference(NamedTuple):
    """What a topic says of a field, and what it should say. Topics are named without their prefix."""

    topic: str
    key: str
    field: str
    found: Any
    expected: Any


class FoundRow(NamedTuple):
    """What is there of one row: values by partition, those of courses by their key."""

    row: Mapping[int, bytes]
    courses: Mapping[bytes, Mapping[int, bytes]]
    state: Mapping[int, bytes]


class Comparison:
    """Compares rows. `decode` reads framed records of any schema version; all topics have `partitions`."""

    def __init__(self, contract: Contract, decode: Decode, partitions: int) -> None:
        self._decode = decode
        self._partitions = partitions
        encoders = {
            name: compile_encoder(
                contract.derived[name].schema, contract.derived[name].local_id, plain_times=True
            ).encode
            for name in (ROWS, COURSES)
        }
        self._plain = {name: compile_decoder(contract.derived[name].schema) for name in (ROWS, COURSES)}
        self._publication = Publication(
            row_topic=ROWS,
            course_topic=COURSES,
            encode_row=encoders[ROWS],
            encode_course=encoders[COURSES],
        )

    def published(self, key: bytes, row: Row | None) -> dict[tuple[str, bytes], bytes]:
        """Return what the row's records should hold, without framing, by topic and key."""
        if row is None:
            return {}
        records = self._publication.records(key, None, row, 0)
        return {(topic, name): (value or b"")[_FRAMING:] for topic, value, name, *_ in records}

    def with_truth(
        self, key: bytes, expected: tuple[Results, Row] | None, partition: int, found: FoundRow
    ) -> Iterator[Difference]:
        """Yield how the topics differ from the row that should be, None for none.

        `partition` is that of its results.
        """
        row = None if expected is None else expected[1]
        yield from self._published(key, row, found)
        yield from self._state(key, expected, partition, found.state)

    def with_state(self, key: bytes, found: FoundRow) -> Iterator[Difference]:
        """Yield how the published records differ from the row in the changelog, whatever should be there."""
        try:
            states = [blob.decode(row_key(key), value)[1] for value in found.state.values()]
        except blob.BlobError as error:
            yield Difference(STATE, key.decode(errors="replace"), "value", str(error), "a row")
            return
        yield from self._published(key, states[-1] if states else None, found)

    def _published(self, key: bytes, row: Row | None, found: FoundRow) -> Iterator[Difference]:
        wanted = self.published(key, row)
        yield from self._record(ROWS, key, wanted.pop((ROWS, key), None), found.row)
        for course_key in sorted({name for _, name in wanted} | found.courses.keys()):
            yield from self._record(
                COURSES, course_key, wanted.get((COURSES, course_key)), found.courses.get(course_key, {})
            )

    def _record(
        self, topic: str, key: bytes, expected: bytes | None, found: Mapping[int, bytes]
    ) -> Iterator[Difference]:
        text, home = key.decode(errors="replace"), partition_of(key, self._partitions)
        yield from _strays(topic, text, home, found)
        value = found.get(home)
        if value is None or expected is None:
            if value is not expected:
                there = None if value is None else "a record"
                yield Difference(topic, text, "record", there or ABSENT, ABSENT if there else "a record")
            return
        if value[_FRAMING:] == expected:
            return
        try:
            is_, should = _flat(self._decode(value)), _flat(self._plain[topic](expected))
        except DecodingError as error:
            yield Difference(topic, text, "value", str(error), "a record")
            return
        yield from _fields(topic, text, is_, should)

    def _state(
        self,
        key: bytes,
        expected: tuple[Results, Row] | None,
        partition: int,
        found: Mapping[int, bytes],
    ) -> Iterator[Difference]:
        text = key.decode(errors="replace")
        home = partition if partition >= 0 else partition_of(key.rpartition(b":")[0], self._partitions)
        yield from _strays(STATE, text, home, found)
        value = found.get(home)
        if value is None or expected is None:
            if value is not None or expected is not None:
                yield Difference(
                    STATE, text, "record", ABSENT if value is None else "a record",
                    ABSENT if expected is None else "a record",
                )  # fmt: skip
            return
        results, row = expected
        try:
            kept_results, kept_row = blob.decode(row_key(key), value)
        except blob.BlobError as error:
            yield Difference(STATE, text, "value", str(error), "a row")
            return
        if kept_results != results:
            yield Difference(STATE, text, "results", *_told(kept_results, results))
        if kept_row != row:
            is_ = {} if kept_row is None else _flat(msgspec.to_builtins(kept_row))
            yield from _fields(STATE, text, is_, _flat(msgspec.to_builtins(row)))


def row_key(key: bytes) -> RowKey:
    """The parts of a row's key. Accounts and outcomes have no colon."""
    account, _, rest = key.decode(errors="replace").partition(":")
    user, _, outcome = rest.rpartition(":")
    return RowKey(account, user, outcome)


def _strays(topic: str, key: str, home: int, found: Mapping[int, bytes]) -> Iterator[Difference]:
    for partition in sorted(found.keys() - {home}):
        yield Difference(topic, key, "partition", partition, home)


def _fields(
    topic: str, key: str, found: Mapping[str, Any], expected: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in [*expected, *(name for name in found if name not in expected)]:
        is_, should = found.get(name, ABSENT), expected.get(name, ABSENT)
        if is_ != should:
            yield Difference(topic, key, name, is_, should)


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields; those of a course as `courses.<id>.<field>`."""
    flat = {name: value for name, value in record.items() if name != "courses"}
    for course in record.get("courses", ()):
        fields = (
            course
            if isinstance(course, Mapping)
            else dict(zip(CourseScore.__struct_fields__, course, strict=True))
        )
        for name, value in fields.items():
            flat[f"courses.{fields['course_id']}.{name}"] = value
    return flat


def _told(found: Results, expected: Results) -> tuple[str, str]:
    """Say how two sets of results differ, without what is in them."""
    ours = {snapshot.identity: snapshot for snapshot in expected.snapshots}
    theirs = {snapshot.identity: snapshot for snapshot in found.snapshots}
    other = sum(theirs[name] != ours[name] for name in ours.keys() & theirs.keys())
    missing, extra = len(ours.keys() - theirs.keys()), len(theirs.keys() - ours.keys())
    return f"{len(theirs)}: {missing} missing, {extra} too many, {other} other versions", str(len(ours))
