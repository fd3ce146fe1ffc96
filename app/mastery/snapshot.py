"""One result as one event told it, and the row it belongs to."""

from collections.abc import Mapping
from enum import StrEnum
from math import isfinite
from typing import Any, Final, NamedTuple

import msgspec

from app.mastery.ids import local_id
from app.mastery.versions import Version, milliseconds, read_version

__all__ = ["RESULT_FIELDS", "Identity", "ResultSnapshot", "RowKey", "Unplaced", "Work", "read_result"]


#: Characters of all ids and types of one result together; Canvas's columns have room for 255 in each of ten.
_LONGEST: Final = 2_550


class RowKey(NamedTuple):
    """Whose mastery of what. `str(key)` is the key of the published record."""

    root_account_uuid: str
    """`-` where the event named no account, as in the keys of the typed topics."""
    user_uuid: str
    learning_outcome_id: str

    def __str__(self) -> str:
        return f"{self.root_account_uuid}:{self.user_uuid}:{self.learning_outcome_id}"


class Work(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """What was assessed: the artifact (the student's) and what it was made for. "" where an event names none.

    Events of the middle generation carry no id; this is the best they have in its stead.
    """

    artifact_type: str
    artifact_id: str
    asset_type: str
    asset_id: str

    @property
    def named(self) -> bool:
        """Whether it says anything at all."""
        return any(msgspec.structs.astuple(self))

    def may_be(self, other: "Work") -> bool:
        """Whether both can be one and the same work.

        Deleted results name no asset any more, so an asset that one of them does not name is no difference
        as long as the artifacts are the same.
        """
        if self.artifact_type != other.artifact_type or self.artifact_id != other.artifact_id:
            return False
        if self.asset_type == other.asset_type and self.asset_id == other.asset_id:
            return True
        return bool(self.artifact_id) and not (self.asset_id and other.asset_id)


Identity = str | Work
"""What tells the results of a row apart: the id, or for events without one the work."""


class ResultSnapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The fields of a result that matter, as one event told them. A missing score is a cleared score."""

    id: str | None
    work: Work
    active: bool
    score: float | None
    possible: float | None
    percent: float | None
    """1 for all of the possible points; above 1 is possible."""
    assessed_at: int | None
    course_id: str | None
    course_uuid: str | None
    version: Version

    @property
    def identity(self) -> Identity:
        """See Identity."""
        return self.work if self.id is None else self.id

    @property
    def counts(self) -> bool:
        """Whether the result takes part in a score: neither deleted nor without a score."""
        return self.active and self.score is not None

    @property
    def stillborn(self) -> bool:
        """Created as deleted: Canvas does so with a second result of the same work, and updates the first."""
        return not (self.active or self.version.updated)


class Unplaced(StrEnum):
    """Why a result belongs to no row."""

    NO_STUDENT = "no-student"
    """An event of the oldest generation: it does not say whose result it is."""
    NO_IDENTITY = "no-identity"
    """It has neither an id nor names any work, so nothing tells it from another result of the student."""
    UNFIT_ID = "unfit-id"
    """A colon in the id of account, student or outcome: keys of rows would not tell any more whose they are.
    Canvas's ids are digits, its uuids letters and digits. Or ids and types that are too long together: rows
    might not fit into their topics. Canvas has room for 255 characters in each."""


RESULT_FIELDS: Final = frozenset(
    {
        "event_id",
        "metadata.event_time",
        "metadata.root_account_id",
        "metadata.root_account_uuid",
        "body.artifact_id",
        "body.artifact_type",
        "body.assessed_at",
        "body.associated_asset_id",
        "body.associated_asset_type",
        "body.id",
        "body.learning_outcome_id",
        "body.percent",
        "body.possible",
        "body.result_context_id",
        "body.result_context_type",
        "body.result_context_uuid",
        "body.score",
        "body.updated_at",
        "body.user_uuid",
        "body.workflow_state",
    }
)
"""What `read_result` looks at; `updated_at` where there is one."""


def read_result(record: Mapping[str, Any]) -> tuple[RowKey, ResultSnapshot] | Unplaced:
    """The row and the snapshot of a decoded `learning_outcome_result_*` record of any generation.

    `record` is a dict as `app.schemas.decoder` makes it, with RESULT_FIELDS at least; times are aware
    datetimes or milliseconds since 1970.
    """
    metadata, body = record["metadata"], record["body"]
    user = body["user_uuid"]
    if not user:
        return Unplaced.NO_STUDENT
    root_account_id = metadata["root_account_id"]
    result_id = body["id"]
    work = Work(
        body["artifact_type"] or "",
        local_id(body["artifact_id"] or "", root_account_id),
        body["associated_asset_type"] or "",
        local_id(body["associated_asset_id"] or "", root_account_id),
    )
    if not result_id and not work.named:
        return Unplaced.NO_IDENTITY
    assessed_at = body["assessed_at"]
    course_id = body["result_context_id"] if body["result_context_type"] in (None, "Course") else None
    key = RowKey(
        metadata["root_account_uuid"] or "-",
        user,
        local_id(body["learning_outcome_id"], root_account_id),
    )
    course_uuid = body["result_context_uuid"] if course_id else None
    if ":" in key[0] or ":" in key[1] or ":" in key[2]:
        return Unplaced.UNFIT_ID
    texts = (*key, result_id or "", course_id or "", course_uuid or "")
    if len("".join(texts)) + len("".join(msgspec.structs.astuple(work))) > _LONGEST:
        return Unplaced.UNFIT_ID
    return key, ResultSnapshot(
        local_id(result_id, root_account_id) if result_id else None,
        work,
        body["workflow_state"] in (None, "active"),
        _number(body["score"]),
        _number(body["possible"]),
        _number(body["percent"]),
        None if assessed_at is None else milliseconds(assessed_at),
        local_id(course_id, root_account_id) if course_id else None,
        course_uuid,
        read_version(record),
    )


def _number(value: float | None) -> float | None:
    """The value, None for what is no number: Canvas has NaN where it divided by nothing."""
    return value if value is not None and isfinite(value) else None
