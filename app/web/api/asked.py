"""What addresses of the API take. A parameter that is not named here is refused, not overlooked."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from app.web.models.base import LONGEST_CURSOR
from app.web.models.mastery import MasteryQuery

__all__ = [
    "AccountQuery",
    "CourseId",
    "EventsQuery",
    "ListQuery",
    "MasteryRequest",
    "NoQuery",
    "Offset",
    "OutcomeId",
    "Partition",
    "SearchQuery",
    "TopicName",
    "UserUuid",
]

_LONGEST = 255
_ACCOUNT = "Root account uuid."


class NoQuery(BaseModel):
    """An address without parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AccountQuery(NoQuery):
    """Where an id could be of several root accounts."""

    account: str | None = Field(
        default=None, max_length=_LONGEST, description=f"{_ACCOUNT} Needed where several have this id."
    )


class ListQuery(NoQuery):
    """A part of a list."""

    account: str | None = Field(default=None, max_length=_LONGEST, description=_ACCOUNT)
    cursor: str | None = Field(
        default=None, max_length=LONGEST_CURSOR, description="`next` or `previous` of a page."
    )
    limit: int = Field(default=50, ge=1, le=500, description="Most entries of a page.")


class SearchQuery(ListQuery):
    """A part of a list that can be searched."""

    text: str | None = Field(
        default=None, max_length=_LONGEST, description="The id, or a part of the title in any case."
    )


class MasteryRequest(MasteryQuery):
    """The query of rows, and in which form they are wanted."""

    format: Literal["json", "csv"] = Field(
        default="json", description="csv: the same rows and columns for a spreadsheet."
    )

    @property
    def query(self) -> MasteryQuery:
        """The query alone; what is empty is not asked for, as in a form that was sent."""
        given = {name: getattr(self, name) for name in MasteryQuery.model_fields}
        return MasteryQuery.model_validate(
            {name: None if value in ("", ()) else value for name, value in given.items()}
        )


class EventsQuery(NoQuery):
    """Which changes are told; all that is set has to hold."""

    account: str | None = Field(default=None, max_length=_LONGEST, description=_ACCOUNT)
    user: str | None = Field(default=None, max_length=_LONGEST, description="Student uuid.")
    outcome: str | None = Field(default=None, max_length=_LONGEST, description="Outcome id.")
    course: str | None = Field(
        default=None, max_length=_LONGEST, description="Id of a course that results of the row belong to."
    )


UserUuid = Annotated[str, Path(max_length=_LONGEST, description="The student: `user_uuid` of the results.")]
OutcomeId = Annotated[str, Path(max_length=_LONGEST, description="The outcome: `learning_outcome_id`.")]
CourseId = Annotated[str, Path(max_length=_LONGEST, description="The course: `result_context_id`.")]
TopicName = Annotated[str, Path(max_length=_LONGEST, description="The topic, with or without the prefix.")]
Partition = Annotated[int, Path(ge=0, le=2**31 - 1, description="Partition of the dead-letter topic.")]
Offset = Annotated[int, Path(ge=0, le=2**63 - 1, description="Offset in the partition.")]
