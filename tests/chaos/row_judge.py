"""The judge of rows: what the oracle makes of a whole history, against topics and state files."""

import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from app.mastery import blob
from app.mastery.snapshot import RowKey
from tests.mastery import oracle
from tests.support.records import Record

__all__ = ["RowJudge", "last_values"]

_AVRO = Path(__file__).parents[2] / "avro"
_KEY = ("root_account_uuid", "user_uuid", "learning_outcome_id")
_FRAMING = 5
_SHOWN = 5


class RowJudge:
    """Holds what the rows must be; each `check_...` notes what is wrong, `problems` tells it."""

    def __init__(self, history: Sequence[Mapping[str, Any]], *, scales: bool = False) -> None:
        #: By the key of the row.
        self.rows: dict[bytes, dict[str, Any]] = {}
        #: By the key of the row and the course.
        self.courses: dict[bytes, dict[str, Any]] = {}
        for key, row in oracle.rows(history, scales_flag=scales).items():
            name = ":".join(key).encode()
            self.rows[name] = dict(zip(_KEY, key, strict=True)) | row
            for course in row["courses"]:
                self.courses[name + b":" + course["course_id"].encode()] = self._course(name, course)
        self._problems: dict[str, list[str]] = defaultdict(list)

    def differences(self, rows: Iterable[Record], courses: Iterable[Record]) -> int:
        """Return how many published rows, and rows of courses, are not what they must be."""
        return sum(
            found.get(key) != expected.get(key)
            for found, expected in (
                (_decoded("outcome_mastery", last_values(rows)), self.rows),
                (_decoded("course_outcome_mastery", last_values(courses)), self.courses),
            )
            for key in found.keys() | expected.keys()
        )

    def check_published(
        self, rows: Sequence[Record], courses: Sequence[Record], *, rebuilt: bool = False
    ) -> None:
        """Check the two topics, all of their records in the order of offsets; of `rebuilt` ones the last."""
        for what, records, expected in (
            ("outcome_mastery", rows, self.rows),
            ("course_outcome_mastery", courses, self.courses),
        ):
            self._compare(what, _decoded(what, last_values(records)), expected)
            self.check_partitions(what, records)
            if not rebuilt:
                self._check_changes(what, records)
                self._check_versions(what, records)

    def check_state(self, what: str, values: Mapping[bytes, bytes]) -> None:
        """Check the content of state files or of the changelog: the row in each value."""
        self._compare(what, {key: _row(key, value) for key, value in values.items()}, self.rows)

    def check_same(self, what: str, values: Mapping[bytes, bytes], others: Mapping[bytes, bytes]) -> None:
        """Check that two copies of the state hold the same bytes."""
        for key in values.keys() | others.keys():
            if values.get(key) != others.get(key):
                self._problems[f"{what}: not the same"].append(_short(key))

    def check_partitions(self, what: str, records: Iterable[Record]) -> dict[bytes, int]:
        """Check that no key is in two partitions; return where each is."""
        places: dict[bytes, int] = {}
        for record in records:
            key = record.key or b""
            if places.setdefault(key, record.partition) != record.partition:
                self._problems[f"{what}: in two partitions"].append(_short(key))
        return places

    def check_together(self, changelog: Mapping[bytes, int], results: Mapping[bytes, int]) -> None:
        """Check that each row's changelog is in the partition of the student's results."""
        for key, partition in changelog.items():
            if results.get(key.rpartition(b":")[0]) != partition:
                self._problems["changelog: not in the partition of the results"].append(_short(key))

    def note(self, what: str, where: str) -> None:
        """Note something else that is wrong."""
        self._problems[what].append(where)

    def problems(self) -> dict[str, list[str]]:
        """Return everything that is wrong, by kind."""
        return dict(self._problems)

    def __str__(self) -> str:
        lines = [f"{len(self.rows)} rows, {len(self.courses)} of courses"]
        for kind, found in self._problems.items():
            lines.append(f"{len(found)} {kind}:")
            lines += [f"    {line}" for line in found[:_SHOWN]]
        return "\n".join(lines)

    def _course(self, name: bytes, course: Mapping[str, Any]) -> dict[str, Any]:
        row = self.rows[name]
        taken = (*_KEY, "definition_state", "outcome_title", "last_event_time")
        return {**{field: row[field] for field in taken}, **course}

    def _compare(
        self, what: str, found: Mapping[bytes, Mapping[str, Any]], expected: Mapping[bytes, Mapping[str, Any]]
    ) -> None:
        for key in expected.keys() - found.keys():
            self._problems[f"{what}: missing"].append(_short(key))
        for key in found.keys() - expected.keys():
            self._problems[f"{what}: made up"].append(_short(key))
        for key in found.keys() & expected.keys():
            if found[key] != expected[key]:
                differing = {
                    name: (found[key].get(name), wanted)
                    for name, wanted in expected[key].items()
                    if found[key].get(name) != wanted
                }
                self._problems[f"{what}: different"].append(f"{_short(key)}: {differing}")

    def _check_changes(self, what: str, records: Iterable[Record]) -> None:
        """A record is published when the content changed, and only then."""
        before: dict[bytes, bytes | None] = {}
        for record in records:
            key = record.key or b""
            if key in before and before[key] == record.value:
                self._problems[f"{what}: published though nothing changed"].append(
                    f"{_short(key)} at {record.partition}:{record.offset}"
                )
            before[key] = record.value

    def _check_versions(self, what: str, records: Iterable[Record]) -> None:
        """A row never goes back to an older definition while the same courses count.

        With another course, another course's scale counts, which may be older.
        """
        if what != "outcome_mastery":
            return
        before: dict[tuple[bytes, frozenset[str]], int] = {}
        for record in records:
            if record.value is None:
                continue
            row = _decode(what, record.value)
            counting = frozenset(one["course_id"] for one in row["courses"] if one["results_count"])
            key, time = (record.key or b"", counting), row["definition_time"]
            if time is not None and before.get(key, time) > time:
                self._problems[f"{what}: back to an older definition"].append(
                    f"{_short(key[0])} at {record.partition}:{record.offset}"
                )
            if time is not None:
                before[key] = time


def last_values(records: Iterable[Record]) -> dict[bytes, bytes]:
    """Return what a compacted topic comes to: the last value of each key, without tombstones."""
    values: dict[bytes, bytes] = {}
    for record in records:
        if record.value is None:
            values.pop(record.key or b"", None)
        else:
            values[record.key or b""] = record.value
    return values


@cache
def _schema(name: str) -> Any:
    # Without logical types, so that times stay milliseconds.
    text = (_AVRO / f"{name}.avsc").read_text().replace('"logicalType": "timestamp-millis"', '"x": 0')
    return fastavro.parse_schema(json.loads(text))


def _decode(name: str, value: bytes) -> Any:
    record = fastavro.schemaless_reader(io.BytesIO(value[_FRAMING:]), _schema(name), None)
    # A hash, which only the project knows.
    record.pop("definition_version", None)
    return record


def _decoded(name: str, values: Mapping[bytes, bytes]) -> dict[bytes, Any]:
    return {key: _decode(name, value) for key, value in values.items()}


def _row(key: bytes, value: bytes) -> dict[str, Any]:
    _, row = blob.decode(RowKey(*key.decode().split(":")), value)
    assert row is not None
    fields: dict[str, Any] = msgspec.to_builtins(row)
    del fields["definition_version"]
    names = ("course_id", "course_uuid", "score", "mastery", "results_count", "last_assessed_at")
    fields["courses"] = [
        dict(zip(names, msgspec.structs.astuple(course), strict=True)) for course in row.courses
    ]
    return fields


def _short(key: bytes) -> str:
    """Enough of a key to find it again."""
    return ":".join(part[:6] for part in key.decode().split(":"))
