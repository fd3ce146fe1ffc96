"""The stream itself: overview, dead letters, topics, workers."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.web.models.base import Answer, Frozen

__all__ = [
    "Change",
    "DeadLetter",
    "DeadLetterAnswer",
    "DeadLetterCount",
    "DeadLetterPage",
    "DeadLetterQuery",
    "EventFlow",
    "LastEvent",
    "Notice",
    "Overview",
    "PartitionLag",
    "SettingValue",
    "Severity",
    "StatusAnswer",
    "TopicAnswer",
    "TopicList",
    "TopicRecord",
    "TopicSummary",
    "WorkerStatus",
]


class Severity(StrEnum):
    """How much a notice matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Notice(Frozen):
    """Something that needs attention. `text` is one sentence; `href` a page of this site that tells more."""

    severity: Severity
    text: str
    hint: str | None = None
    href: str | None = None


class EventFlow(Frozen):
    """One of the twelve: records committed since the workers' start, and the rate of late."""

    event: str
    topic: str
    records: int = Field(description="Committed by the present workers since their start.")
    total: int | None = Field(default=None, description="Records in the topic, by its offsets.")
    per_second: float
    last_event_time: float | None


class LastEvent(Frozen):
    """One of the last events seen."""

    event: str
    event_time: float | None
    key: str | None
    """Pseudonyms stand in for students where that is set."""
    partition: int
    offset: int


class Change(Frozen):
    """A row that changed, as `/api/events` tells it."""

    root_account_uuid: str
    user_uuid: str
    learning_outcome_id: str
    outcome_title: str | None
    score: float | None = Field(description="Over all courses.")
    mastery: bool | None
    changed_at: float
    courses: tuple[str, ...] = Field(default=(), description="Courses that results of the row belong to.")
    deleted: bool = Field(default=False, description="Whether the row is gone; the rest is unknown then.")


class Overview(Answer):
    """What needs attention first, then the flow."""

    notices: tuple[Notice, ...]
    raw_topic: str
    raw_total: int | None
    raw_lag: int | None
    raw_per_second: float
    events: tuple[EventFlow, ...]
    dead_letters: dict[str, int] = Field(description="By kind, since the workers' start.")
    dead_letters_total: int | None
    rows: int | None
    students: int | None
    outcomes: int
    unknown_outcomes: int
    last_events: tuple[LastEvent, ...]
    changes: tuple[Change, ...] = Field(description="Rows that changed last, newest first.")
    examples: dict[str, str] = Field(
        default_factory=dict, description="Addresses worth a first look, by name: user, outcome, course."
    )


class DeadLetterQuery(BaseModel):
    """Which dead letters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str | None = Field(default=None, max_length=100)
    event: str | None = Field(default=None, max_length=100)
    limit: int = Field(default=50, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=1024)


class DeadLetterCount(Frozen):
    """How many of one kind came in one hour (`hour` in seconds since 1970, its beginning)."""

    hour: float
    kind: str
    count: int


class DeadLetter(Frozen):
    """One dead letter. `id` is PARTITION:OFFSET, as the commands take it."""

    id: str
    partition: int
    offset: int
    time: float
    kind: str
    event: str | None
    message: str
    source: str | None = Field(description="TOPIC[PARTITION] OFFSET of the raw record.")
    bytes: int | None
    replayed: int = Field(default=0, description="How often it was replayed.")
    replayed_before: int = Field(
        default=0, description="How often its raw record had been replayed when it failed this time."
    )


class DeadLetterPage(Answer):
    """The newest first."""

    letters: tuple[DeadLetter, ...]
    counts: tuple[DeadLetterCount, ...]
    total: int
    by_kind: dict[str, int]
    next: str | None = None
    previous: str | None = None
    reading: bool = Field(
        default=False, description="Whether the topic is still being read: counts and list grow."
    )
    listed: int | None = Field(
        default=None, description="How many of the newest are in the list; None where all are."
    )


class DeadLetterAnswer(Answer):
    """One dead letter with its bytes (for those who may see them)."""

    letter: DeadLetter
    path: str | None = Field(description="Where in the event the error is.")
    key: str | None
    headers: tuple[tuple[str, str], ...]
    json_text: str | None = Field(description="The bytes as indented JSON, where they are JSON.")
    text: str | None = Field(description="The bytes as text otherwise, what is no UTF-8 escaped.")
    cut: bool = Field(description="Whether only the beginning is shown.")
    hidden: bool = Field(
        default=False, description="Whether key, headers and bytes are kept from the viewer."
    )
    replay_command: str


class TopicSummary(Frozen):
    """One topic of the catalogue."""

    name: str
    title: str
    role: str = Field(description="raw, typed, derived, dead-letter or internal.")
    partitions: int | None
    records: int | None = Field(description="By offsets: transaction markers and compacted ones included.")
    retention: str = Field(description="For a person: '14 days', 'for ever', 'compacted'.")
    key: str = Field(description="Form of the key.")
    missing: bool = False


class TopicList(Answer):
    """All topics."""

    topics: tuple[TopicSummary, ...]


class TopicRecord(Frozen):
    """A record, decoded."""

    partition: int
    offset: int
    time: float
    key: str | None
    schema_id: int | None
    newest_schema: bool = True
    value: Any
    error: str | None = None


class TopicAnswer(Answer):
    """One topic with schema, newest records and how to consume it."""

    topic: TopicSummary
    doc: str | None
    subject: str | None
    schema_id: int | None
    avro_schema: dict[str, Any] | None
    fields: tuple[tuple[str, str, str], ...] = Field(description="Path, type and doc of each field.")
    configs: dict[str, str]
    records: tuple[TopicRecord, ...] = Field(description="Newest first; only for those who may see them.")
    records_hidden: bool = Field(default=False, description="Whether records are kept from the viewer.")
    records_complete: bool = Field(
        default=True, description="Whether every partition gave its newest records in time."
    )
    sample: str = Field(description="Code that consumes it.")


class PartitionLag(Frozen):
    """One input partition of a worker. Offsets are positions."""

    topic: str
    partition: int
    committed: int | None
    end: int | None
    lag: int | None


class WorkerStatus(Frozen):
    """One worker. `rows`: state partition to how far its view is."""

    name: str
    phase: str
    detail: str
    ready: bool
    version: str
    started_at: float
    generation: int
    partitions: tuple[PartitionLag, ...]
    rows: int | None
    restore_read: int | None
    restore_left: int | None
    last_commit_at: float | None
    last_commit_seconds: float | None
    checkpoints: int
    memory_bytes: int | None = None


class SettingValue(Frozen):
    """One setting. Secrets are hidden."""

    name: str
    value: str
    set: bool
    description: str


class StatusAnswer(Answer):
    """Workers, settings, versions."""

    workers: tuple[WorkerStatus, ...]
    settings: tuple[SettingValue, ...] = Field(description="Of the worker that was asked; for admins.")
    versions: dict[str, str]
