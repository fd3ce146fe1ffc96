"""What is wrong with a file or a row of an export."""

from enum import StrEnum
from typing import Final

from app.errors import MasteryError

__all__ = ["EXPLAINED", "BackfillError", "Problem", "RowRefused", "Skipped"]


class BackfillError(MasteryError):
    """The backfill cannot begin, or not go on."""


class Problem(StrEnum):
    """Why a row is not sent although it should be. Each is told with file and line."""

    BROKEN_FILE = "broken-file"
    BROKEN_ROW = "broken-row"
    OTHER_ROW = "other-row"
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    INVALID_TIME = "invalid-time"
    NO_STUDENT = "no-student"
    NO_ROOT_ACCOUNT = "no-root-account"
    NO_COURSE = "no-course"
    NO_WORK = "no-work"
    NO_SCALE = "no-scale"
    NO_PROFICIENCY_ID = "no-proficiency-id"
    REFUSED = "refused"
    TOO_LARGE = "too-large"


class Skipped(StrEnum):
    """Why a row is not sent, rightly."""

    NO_LINK = "not-an-outcome-link"
    DELETED_FOR_GOOD = "deleted-for-good"
    LINK_WITHOUT_ID = "link-without-id"
    ABBREVIATED = "abbreviated"
    REPEATED = "repeated"


EXPLAINED: Final[dict[Problem | Skipped, str]] = {
    Problem.BROKEN_FILE: "the file cannot be read from here on; nothing behind this place was",
    Problem.BROKEN_ROW: "this line cannot be read",
    Problem.OTHER_ROW: "this is not what the rest of the file is",
    Problem.MISSING_FIELD: "a field is missing that every event needs",
    Problem.WRONG_TYPE: "a field holds something of another type",
    Problem.INVALID_TIME: "a field does not hold a time",
    Problem.NO_STUDENT: "the uuid of the student is not known: add the users table, or a list of id and uuid",
    Problem.NO_ROOT_ACCOUNT: "the root account is not known: give --root-account, or the accounts table",
    Problem.NO_COURSE: "answers of the REST API do not name the course of a result: see docs/backfill.md",
    Problem.NO_WORK: "with --no-result-ids, a result needs its artifact, which the REST API does not tell",
    Problem.NO_SCALE: "an outcome without its scale: add it as the REST API gives it",
    Problem.NO_PROFICIENCY_ID: "the REST API does not tell the id of a scale: see docs/backfill.md",
    Problem.REFUSED: "the stream would not take the event",
    Problem.TOO_LARGE: "the event is larger than the raw topic takes",
    Skipped.NO_LINK: "content tags of other kinds",
    Skipped.DELETED_FOR_GOOD: "rows that Canvas does not have any more (an incremental export tells so)",
    Skipped.LINK_WITHOUT_ID: "links of the REST API, which have no id: content_tags of Canvas Data 2 have",
    Skipped.ABBREVIATED: "abbreviated ones: ask for outcome_style=full and outcome_group_style=full",
    Skipped.REPEATED: "the same outcome or group once more",
}
"""A sentence for each. None shows anything of a row."""


class RowRefused(Exception):
    """A row that no event can be made of. `field` names the field, never its value."""

    def __init__(self, problem: Problem, field: str = "") -> None:
        super().__init__(f"{problem} {field}".strip())
        self.problem = problem
        self.field = field
