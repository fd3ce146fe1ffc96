"""A worker that copies a topic, on the stream core or on stock Faust, and fails where it is told to.

Run as `python -m tests.stream.copying_worker JSON`, see `Job`. What comes out is what came in.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faust

from app.stream.application import StreamApp
from app.stream.batch import Output, RawRecord, RecordBatch
from app.stream.offsets import StableOffsets
from app.stream.producer import TransactionalProducer
from app.stream.progress import Progress

__all__ = ["Job", "fault_happened"]


@dataclass(frozen=True)
class Job:
    """What one copying worker does. A fault happens once: it leaves a marker in `folder`.

    `fault`, at the record whose value is `fault_value`: "raise" an exception in the agent; "hang" the agent
    waits for ever in mid-work; "large" the record is written 4 kB larger than it came; "" none.
    `workers` is the number of records (stock Faust) or batches (core) that are in hand at a time.
    """

    core: bool
    bootstrap: str
    group: str
    source: str
    target: str
    folder: str
    name: str = "worker"
    fault: str = ""
    fault_value: str = ""
    workers: int = 1
    pause: float = 0.0
    session: float = 2.0
    max_records: int = 10
    commit_interval: float = 0.05

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def fault_happened(folder: Path | str) -> Path:
    """Return the file that is there as soon as the fault of a job happened."""
    return Path(folder) / "fault-happened"


class Copier:
    """The work itself, the same for both kinds of worker: a value in, a value out, or the fault."""

    def __init__(self, job: Job) -> None:
        self._job = job

    async def wait(self, *values: bytes | None) -> None:
        """Take the time that the job says for these values, or for ever."""
        if self._job.fault == "hang" and any(self._now(value) for value in values):
            await asyncio.Event().wait()
        await asyncio.sleep(self._job.pause * len(values))

    def copy(self, value: bytes | None) -> bytes | None:
        if self._job.fault in {"raise", "large"} and self._now(value):
            if self._job.fault == "raise":
                raise ValueError("made up")
            return (value or b"") + os.urandom(4096)
        return value

    def _now(self, value: bytes | None) -> bool:
        marker = fault_happened(self._job.folder)
        if value != self._job.fault_value.encode() or marker.exists():
            return False
        marker.touch()
        return True


def options(job: Job) -> dict[str, Any]:
    return {
        "broker": f"kafka://{job.bootstrap}",
        "broker_session_timeout": job.session,
        "broker_heartbeat_interval": job.session / 5,
        "broker_max_poll_records": job.max_records,
        "datadir": str(Path(job.folder) / f"{job.name}-faust"),
        "canonical_url": f"http://{job.name}",
    }


def stock_app(job: Job) -> faust.App:
    """Return Faust as it comes. What is set beside the defaults is for speed alone."""
    app = faust.App(
        job.group,
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_commit_interval=job.commit_interval,
        **options(job),
    )
    source = app.topic(job.source, key_serializer="raw", value_serializer="raw")
    target = app.topic(job.target, key_serializer="raw", value_serializer="raw")
    copier = Copier(job)

    @app.agent(source, concurrency=job.workers)
    async def copy(stream: Any) -> None:
        async for event in stream.events():
            await copier.wait(event.value)
            await target.send(key=event.key, value=copier.copy(event.value))

    return app


@dataclass(frozen=True)
class Delivery:
    producer: TransactionalProducer
    stable_offsets: StableOffsets
    state: None = None


def core_app(job: Job) -> StreamApp:
    """Return the same app on the stream core."""
    config = {"bootstrap.servers": job.bootstrap, "log_level": 0}

    def prepare() -> Delivery:
        producer = TransactionalProducer(config, f"{job.group}.{job.name}", max_message_bytes=1 << 21)
        producer.init()
        return Delivery(producer, StableOffsets(config, job.group))

    app = StreamApp(
        job.group,
        progress=Progress(),
        prepare=prepare,
        checkpoint_interval=job.commit_interval,
        options=options(job),
    )
    source = app.topic(job.source, key_serializer="raw", value_serializer="raw")
    copier = Copier(job)

    @app.agent(source, concurrency=job.workers)
    async def copy(stream: Any) -> None:
        async for event in stream.noack().events():
            batch: RecordBatch = event.value
            if app.checkpointer.is_current(batch.assignment):
                await copier.wait(*(record.value for record in batch.records))
                await app.checkpointer.write(
                    batch, Output(typed=[copied(record) for record in batch.records])
                )

    def copied(record: RawRecord) -> Any:
        return (job.target, copier.copy(record.value), record.key, -1, None, None, 0)

    return app


class Runner(faust.Worker):
    """Faust's worker without its logging set-up and its spinner."""

    def _setup_logging(self) -> None:
        self.spinner = None


def main(argument: str) -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    job = Job(**json.loads(argument))
    build: Callable[[Job], faust.App] = core_app if job.core else stock_app
    Runner(build(job), redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1])
