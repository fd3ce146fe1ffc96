"""What all answers have in common: how fresh they are, and who answered."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LONGEST_CURSOR", "Answer", "Freshness", "Frozen", "PartitionState", "WorkerAnswer", "WorkerState"]

#: Characters of a cursor: one with a title of 255 characters, of those that JSON escapes by twelve, sealed
#: for pseudonyms. An address with it is still one that the workers take.
LONGEST_CURSOR: Final = 6_144


class Frozen(BaseModel):
    """A part of an answer. Times are seconds since 1970 unless a field says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WorkerState(StrEnum):
    """Whether a worker's part is in an answer."""

    ANSWERED = "answered"
    SILENT = "silent"
    """It did not answer within 2 s, or not at all."""
    RESTORING = "restoring"
    """It has not yet the rows of its partitions."""
    REFUSED = "refused"
    """It did not accept the cluster token."""


class PartitionState(Frozen):
    """How far one worker's partition of rows has come. Offsets are positions in the changelog."""

    partition: int
    applied: int | None = Field(description="Position up to which the view has the changelog.")
    end: int | None = Field(description="End of the changelog as last seen.")
    restoring: bool = False


class WorkerAnswer(Frozen):
    """One worker of the group, and what became of asking it."""

    name: str
    """HOST:PORT of its web server."""
    state: WorkerState
    detail: str | None = None
    """One line for a person, where it did not answer."""
    partitions: tuple[PartitionState, ...] = ()
    progress: float | None = Field(default=None, description="0 to 1, while it restores.")


class Freshness(Frozen):
    """How fresh an answer is and which workers it comes from."""

    as_of: float = Field(description="When the oldest part of the answer was true.")
    behind_seconds: float = Field(description="How far the view may lie behind the committed rows.")
    behind_records: int | None = Field(
        default=None, description="Records of the inputs that are still to be processed."
    )
    workers: tuple[WorkerAnswer, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all workers answered."""
        return all(one.state is WorkerState.ANSWERED for one in self.workers)


class Answer(Frozen):
    """An answer that comes from the state of one worker or several."""

    freshness: Freshness
