"""Is the worker alive, and is it ready: the two questions an orchestrator asks."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.stream.progress import PartitionProgress, ProgressSnapshot

__all__ = ["RETRY_AFTER_SECONDS", "Looks", "health_routes"]

# Restores and rebalances take seconds: asking more often than this tells nothing new.
RETRY_AFTER_SECONDS = 2

#: Seconds without a word of the worker after which it is taken for dead: it tells twice a second.
_DEAD_AFTER: Final = 30.0


class Looks(Protocol):
    """What a worker's progress is asked of."""

    def snapshot(self) -> ProgressSnapshot:
        """Return one consistent look."""
        ...


def health_routes(progress: Looks) -> list[Route]:
    """Return the routes below `/health`.

    `/health/live` is 200 unless the worker has said nothing for 30 s. `/health/ready` is 200 only while
    partitions are assigned, state is restored and the stream runs; else 503 with `Retry-After`. Both bodies
    are JSON.
    """
    return [
        Route("/live", _live(progress), methods=["GET"]),
        Route("/ready", _ready(progress), methods=["GET"]),
    ]


Endpoint = Callable[[Request], Awaitable[Response]]


def _live(progress: Looks) -> Endpoint:
    async def live(_: Request) -> Response:
        snapshot = progress.snapshot()
        alive = snapshot.age < _DEAD_AFTER
        return _answer(200 if alive else 503, {"live": alive, "phase": snapshot.phase.value})

    return live


def _ready(progress: Looks) -> Endpoint:
    async def ready(_: Request) -> Response:
        snapshot = progress.snapshot()
        return _answer(200 if snapshot.ready else 503, _describe(snapshot))

    return ready


def _answer(status: int, body: dict[str, Any]) -> Response:
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse(body, status_code=status, headers=headers)


def _describe(snapshot: ProgressSnapshot) -> dict[str, Any]:
    return {
        "ready": snapshot.ready,
        "phase": snapshot.phase.value,
        "detail": snapshot.obstacle or snapshot.detail,
        "partitions": [_partition(partition) for partition in snapshot.partitions],
    }


def _partition(partition: PartitionProgress) -> dict[str, Any]:
    return {
        "topic": partition.topic,
        "partition": partition.partition,
        "read": partition.read,
        "committed": partition.committed,
        "end": partition.end,
        "lag": partition.lag,
    }
