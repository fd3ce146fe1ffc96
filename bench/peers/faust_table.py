"""Peer: faust-streaming with a table of the last results of each user and outcome, and its changelog.

The raw events are partitioned by user here, so one agent does it all: it writes the typed record and changes
the table, without reading the typed topic again. The table is in memory, the fastest of Faust's stores.
Otherwise as bench/peers/plain_faust.py.
"""

import os
from typing import Any

import faust
from faust.types import StreamT

from bench.peers.job import FanOut, Task, remembered

task = Task.from_environment()
fan_out = FanOut(task.schema, task.schema_id)

TUNED: dict[str, Any] = {
    "producer_linger": 0.02,
    "producer_max_batch_size": 1 << 20,
    "producer_compression_type": "lz4",
}

app = faust.App(
    task.group,
    broker=f"kafka://{task.broker}",
    store="memory://",
    web_enabled=False,
    topic_allow_declare=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    consumer_max_fetch_size=4 << 20,
    producer_acks=-1,
    **(TUNED if os.environ.get("FAUST_PRODUCER") == "tuned" else {}),
)
raw = app.topic(task.raw_topic, key_serializer="raw", value_serializer="raw")
last_results = app.Table("last_results", default=list, partitions=task.partitions)
typed = app.topic(task.typed_topic, key_serializer="raw", value_serializer="raw")


@app.agent(raw)
async def route(stream: StreamT[bytes]) -> None:
    """Write the typed record of each raw record, and remember the result."""
    async for event in stream.events():
        record = fan_out.decode(event.value)
        await typed.send(
            key=fan_out.key(record), value=fan_out.encode(record), timestamp=event.message.timestamp
        )
        body = record["body"]
        place = f"{body['user_uuid']}:{body['learning_outcome_id']}"
        last_results[place] = remembered(last_results[place], record)


if __name__ == "__main__":
    app.main()
