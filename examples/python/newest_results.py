"""Keep the newest version of every learning outcome result in an SQLite file.

    pip install -r requirements.txt
    python newest_results.py results.db
    sqlite3 results.db 'SELECT user_uuid, outcome_id, score FROM results WHERE state = "active"'

It may be killed at any time and goes on where it was. What every consumer of rows should do, it does:

1. It reads only what is committed.
2. Canvas delivers out of order and twice, so it compares versions: an older one never overwrites a newer one.
3. It commits its position after the rows are safe. What is read again after a crash changes nothing.

With a database server in place of SQLite, several may share the work, with one --group.
"""

import argparse
import sqlite3
from datetime import UTC, datetime

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

EVENTS = ("learning_outcome_result_created", "learning_outcome_result_updated")

TABLE = """
CREATE TABLE IF NOT EXISTS results (
    root_account TEXT, id TEXT,                        -- local ids are unique within a root account
    user_uuid TEXT, outcome_id TEXT, course_id TEXT,
    state TEXT, score REAL, possible REAL, percent REAL, mastery INTEGER, assessed_at TEXT,
    is_update INTEGER, updated_at TEXT, event_time TEXT, event_id TEXT,      -- the version, in this order
    PRIMARY KEY (root_account, id)
)"""

# An event is the whole row as it was then, so every column is replaced: a score that is null now was cleared.
# Deleted rows stay, as "deleted": Canvas can bring them back, and an older version may still arrive.
UPSERT = """
INSERT INTO results VALUES (
    :root_account, :id, :user_uuid, :outcome_id, :course_id,
    :state, :score, :possible, :percent, :mastery, :assessed_at,
    :is_update, :updated_at, :event_time, :event_id
)
ON CONFLICT (root_account, id) DO UPDATE SET
    user_uuid = excluded.user_uuid, outcome_id = excluded.outcome_id, course_id = excluded.course_id,
    state = excluded.state, score = excluded.score, possible = excluded.possible, percent = excluded.percent,
    mastery = excluded.mastery, assessed_at = excluded.assessed_at,
    is_update = excluded.is_update, updated_at = excluded.updated_at,
    event_time = excluded.event_time, event_id = excluded.event_id
WHERE (excluded.is_update, excluded.updated_at, excluded.event_time, excluded.event_id)
    > (results.is_update, results.updated_at, results.event_time, results.event_id)"""


def row(event: dict) -> dict:
    """The columns of a decoded record."""
    metadata, body = event["metadata"], event["body"]
    return {
        "root_account": metadata["root_account_uuid"] or "-",
        "id": body["id"],
        "user_uuid": body["user_uuid"],
        "outcome_id": body["learning_outcome_id"],
        "course_id": body["result_context_id"],
        "state": body["workflow_state"] or "active",
        "score": body["score"],
        "possible": body["possible"],
        "percent": body["percent"],
        "mastery": body["mastery"],
        "assessed_at": text(body["assessed_at"]),
        "is_update": metadata["event_name"].endswith("_updated"),
        "updated_at": text(body.get("updated_at")) or "",
        "event_time": text(metadata["event_time"]),
        "event_id": event["event_id"],
    }


def text(time: datetime | None) -> str | None:
    """A time in UTC, always of one length: as text it sorts as it does as a time."""
    return time and time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def main() -> None:
    """Run until Ctrl-C, or with --exit to the end of what is there."""
    parser = argparse.ArgumentParser(description="Keep the newest version of every learning outcome result.")
    parser.add_argument("database", help="SQLite file, made if need be")
    parser.add_argument("--broker", default="127.0.0.1:9092")
    parser.add_argument(
        "--registry",
        default="http://127.0.0.1:6066/registry",
        help="a schema registry, or /registry of any worker (default: %(default)s)",
    )
    parser.add_argument("--prefix", default="canvas.", help="what the topics' names begin with")
    parser.add_argument("--group", default="newest-results", help="who keeps the position")
    parser.add_argument("--exit", action="store_true", help="end when everything that is there has been read")
    arguments = parser.parse_args()

    decode = AvroDeserializer(SchemaRegistryClient({"url": arguments.registry}))
    database = sqlite3.connect(arguments.database)
    database.execute(TABLE)
    consumer = Consumer(
        {
            "bootstrap.servers": arguments.broker,
            "group.id": arguments.group,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": arguments.exit,
            # How soon a dead one is noticed. Joining a group of the embedded broker takes half of it.
            "session.timeout.ms": 6000,
        }
    )
    consumer.subscribe([arguments.prefix + name for name in EVENTS])
    try:
        run(consumer, database, decode, until_end=arguments.exit)
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()
        database.close()


def run(
    consumer: Consumer, database: sqlite3.Connection, decode: AvroDeserializer, *, until_end: bool
) -> None:
    """Take batch after batch; with `until_end`, until every assigned partition was read to its end."""
    unread: set[tuple[str, int]] | None = None
    while unread is None or unread:
        messages: list[Message] = []
        for message in consumer.consume(500, timeout=1.0):
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # comes with --exit alone
                if unread is None:
                    unread = {(place.topic, place.partition) for place in consumer.assignment()}
                unread.discard((message.topic(), message.partition()))
            elif error.fatal() or not error.retriable():
                raise KafkaException(error)
        if messages:
            store(messages, database, decode)
            # Only now. Killed in between, this process would read and store the batch again, as it was.
            consumer.commit(asynchronous=False)
        if not until_end:
            unread = None


def store(messages: list[Message], database: sqlite3.Connection, decode: AvroDeserializer) -> None:
    """Bring the rows of a batch up to date, in one transaction."""
    without_id = changed = 0
    with database:
        for message in messages:
            event = decode(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
            if event["body"]["id"] is None:
                without_id += 1  # from an older Canvas: docs/topics.md says what stands for it
            else:
                changed += database.execute(UPSERT, row(event)).rowcount
    print(f"{len(messages)} records: {changed} rows changed, {without_id} records without an id", flush=True)


if __name__ == "__main__":
    main()
