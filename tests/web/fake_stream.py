"""The stream's side of the made-up school: flow, dead letters, topics, workers."""

from app.web.models.base import Freshness
from app.web.models.stream import (
    Change,
    DeadLetter,
    EventFlow,
    LastEvent,
    Notice,
    Overview,
    PartitionLag,
    SettingValue,
    Severity,
    StatusAnswer,
    TopicAnswer,
    TopicRecord,
    TopicSummary,
    WorkerStatus,
)
from tests.web.fake_school import HOSTILE, FakeSchool

__all__ = ["EVENTS", "dead_letters", "overview", "status", "topic_answer", "topics"]

EVENTS = (
    "learning_outcome_created",
    "learning_outcome_updated",
    "learning_outcome_group_created",
    "learning_outcome_group_updated",
    "learning_outcome_link_created",
    "learning_outcome_link_updated",
    "learning_outcome_result_created",
    "learning_outcome_result_updated",
    "outcome_proficiency_created",
    "outcome_proficiency_updated",
    "outcomes.retry_outcome_alignment_clone",
    "rubric_assessed",
)
_KINDS = (
    ("not-json", None, "not JSON: expecting a value at byte 41"),
    ("schema", "learning_outcome_result_created", "body.score: not a number"),
    ("unknown-event", "course_created", "not one of the twelve events"),
    ("missing-field", "learning_outcome_updated", f"body.title missing {HOSTILE}"),
)


def overview(school: FakeSchool, fresh: Freshness, now: float, *, empty: bool) -> Overview:
    """What needs attention, and the flow."""
    flows = tuple(
        EventFlow(
            event=event,
            topic=f"canvas.{event}",
            records=0 if empty else (place * 137) % 1900,
            total=0 if empty else (place * 137) % 1900 + place * 10_400,
            per_second=0.0 if empty or place % 4 == 2 else place * 1.75,
            last_event_time=None if empty or place == 10 else now - place * 371,
        )
        for place, event in enumerate(EVENTS)
    )
    changed = list(school.rows.items())[:12]
    return Overview(
        freshness=fresh,
        notices=()
        if empty
        else (
            Notice(
                severity=Severity.ERROR,
                text="worker-2 has not committed since 14:02, and 1,204 records wait for it",
                hint="Look whether it runs; another worker takes over when it is gone.",
                href="/status",
            ),
            Notice(
                severity=Severity.WARNING, text="61 dead letters came in the last hour", href="/dead-letters"
            ),
            Notice(
                severity=Severity.WARNING,
                text="1 outcome is unknown: 42 results have no score",
                hint="Send Canvas's outcomes once, or set MASTERY_UNKNOWN_DEFINITION=canvas-default.",
                href="/outcomes/574",
            ),
            Notice(severity=Severity.NOTE, text="No roster is set: students are shown by their ids"),
        ),
        raw_topic="canvas.live-events",
        raw_total=0 if empty else 148_211,
        raw_lag=0 if empty else 12,
        raw_per_second=0.0 if empty else 41.25,
        events=flows,
        dead_letters={} if empty else {"not-json": 3, "schema": 41, "unknown-event": 15, "missing-field": 2},
        dead_letters_total=0 if empty else 61,
        rows=len(school.rows),
        students=len(school.students),
        outcomes=0 if empty else 12,
        unknown_outcomes=0 if empty else 1,
        last_events=()
        if empty
        else tuple(
            LastEvent(
                event=EVENTS[(place * 5) % 12],
                event_time=now - place * 3 if place else None,
                key=f"{user}:565" if place % 2 else None,
                partition=place % 6,
                offset=4000 + place,
            )
            for place, user in enumerate(list(school.students)[:8])
        ),
        changes=tuple(
            Change(
                root_account_uuid=row.root_account_uuid,
                user_uuid=user,
                learning_outcome_id=outcome,
                outcome_title=row.outcome_title,
                score=row.score,
                mastery=row.mastery,
                changed_at=now - place * 17,
            )
            for place, ((user, outcome), row) in enumerate(changed)
        ),
        examples={}
        if empty
        else {
            "user": f"/users/{next(iter(school.students))}",
            "outcome": "/outcomes/565",
            "course": "/courses/101",
        },
    )


def dead_letters(now: float) -> list[DeadLetter]:
    """61 of them, the newest first."""
    found = []
    for place in range(61):
        kind, event, message = _KINDS[place % 4 if place % 3 else 1]
        found.append(
            DeadLetter(
                id=f"{place % 3}:{200 - place}",
                partition=place % 3,
                offset=200 - place,
                time=now - place * 1811,
                kind=kind,
                event=event,
                message=message,
                source=f"canvas.live-events[{place % 6}] {9000 - place}",
                bytes=412 + place,
                replayed=int(place == 5),
            )
        )
    return found


def topics() -> tuple[TopicSummary, ...]:
    """The catalogue."""

    def topic(
        name: str, title: str, role: str, records: int | None, retention: str, key: str
    ) -> TopicSummary:
        return TopicSummary(
            name=f"canvas.{name}",
            title=title,
            role=role,
            partitions=6 if records is not None else None,
            records=records,
            retention=retention,
            key=key,
            missing=records is None,
        )

    return (
        topic("live-events", "Canvas Live Events as they came", "raw", 148_211, "7 days", "none"),
        *(
            topic(event, event.replace("_", " "), "typed", 1000 * place, "14 days", "ROOT_ACCOUNT:ID")
            for place, event in enumerate(EVENTS)
        ),
        topic(
            "outcome_mastery",
            "Mastery of each student",
            "derived",
            509,
            "compacted",
            "ROOT_ACCOUNT:USER:OUTCOME",
        ),
        topic(
            "course_outcome_mastery",
            "Mastery in each course",
            "derived",
            702,
            "compacted",
            "ROOT_ACCOUNT:USER:OUTCOME:COURSE",
        ),
        topic("dead-letters", "Events that could not be read", "dead-letter", 61, "30 days", "as it came"),
        topic("commands", "What workers are told", "internal", None, "1 day", "none"),
    )


def topic_answer(topic: TopicSummary, fresh: Freshness, now: float) -> TopicAnswer:
    """One of them with a schema of three fields."""
    return TopicAnswer(
        freshness=fresh,
        topic=topic,
        doc=f"One record for each of them. {HOSTILE}",
        subject=f"{topic.name}-value",
        schema_id=17,
        avro_schema={"type": "record", "name": "Example", "fields": [{"name": "body", "type": "string"}]},
        fields=(
            ("metadata.event_time", "timestamp-millis", "When Canvas sent it."),
            ("body.learning_outcome_id", "string", ""),
            ("body.score", "union of null and double", f"Missing: cleared. {HOSTILE}"),
        ),
        configs={
            "cleanup.policy": "compact" if topic.retention == "compacted" else "delete",
            "retention.ms": "-1",
        },
        records=tuple(
            TopicRecord(
                partition=place % 6,
                offset=900 - place,
                time=now - place * 60,
                key=f"acct:user-{place}",
                schema_id=17 if place < 4 else 12,
                newest_schema=place < 4,
                value={"body": {"title": HOSTILE, "score": 3.25, "rating": None}} if place != 2 else None,
                error="the bytes are no record of schema 17" if place == 2 else None,
            )
            for place in range(6)
        ),
        sample='from confluent_kafka import Consumer\n\nconsumer = Consumer({"group.id": "mine"})\n',
    )


def status(fresh: Freshness, now: float) -> StatusAnswer:
    """Two workers, one of which restores."""
    return StatusAnswer(
        freshness=fresh,
        workers=tuple(
            WorkerStatus(
                name=worker.name,
                phase="restoring" if place else "running",
                detail="reads its rows back" if place else "",
                ready=not place,
                version="0.6.0",
                started_at=now - 9000 - place * 400,
                generation=4,
                partitions=tuple(
                    PartitionLag(
                        topic="canvas.live-events",
                        partition=each,
                        committed=24_000 + each if each != 5 else None,
                        end=24_004 + each if each != 5 else None,
                        lag=4 if each != 5 else None,
                    )
                    for each in range(place, 6, 2)
                ),
                rows=250 + place,
                restore_read=1200 if place else None,
                restore_left=800 if place else None,
                last_commit_at=now - 3 if not place else None,
                last_commit_seconds=0.041 if not place else None,
                checkpoints=311,
                memory_bytes=182_000_000 if not place else None,
            )
            for place, worker in enumerate(fresh.workers)
        ),
        settings=(
            SettingValue(name="MASTERY_BROKER", value="kafka-1:9092", set=True, description="Kafka brokers."),
            SettingValue(
                name="MASTERY_WEB_TOKEN", value="(hidden)", set=True, description="Token of the server."
            ),
            SettingValue(name="MASTERY_WEB_PORT", value="6066", set=False, description=f"Port. {HOSTILE}"),
        ),
        versions={"mastery-stream": "0.6.0", "Python": "3.11.2", "Faust": "0.11"},
    )
