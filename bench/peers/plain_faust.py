"""Peer: faust-streaming as its user guide shows it. One agent, one `send` for each event, the stock delivery.

At-least-once is what Faust does by itself: it flushes its producer before it commits. Bytes go in and out (no
Faust records). With FAUST_PRODUCER=tuned the settings are those that make it fastest on this job, big
compressed batches; without, its producer is as it comes.
"""

import os
from typing import Any

import faust
from faust.types import StreamT

from bench.peers.job import FanOut, Task

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
typed = app.topic(task.typed_topic, key_serializer="raw", value_serializer="raw")


@app.agent(raw)
async def route(stream: StreamT[bytes]) -> None:
    """Write the typed record of each raw record."""
    async for event in stream.events():
        key, value = fan_out(event.value)
        await typed.send(key=key, value=value, timestamp=event.message.timestamp)


if __name__ == "__main__":
    app.main()
