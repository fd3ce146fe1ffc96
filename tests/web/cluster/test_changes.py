"""Changes of all workers in one stream."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.web.cluster import changes as module
from app.web.cluster.changes import ClusterChanges
from app.web.cluster.members import Membership
from app.web.cluster.peers import Peers
from app.web.models.stream import Change
from app.web.security.viewer import LOCAL, Viewer


def change(user: str) -> Change:
    return Change(
        root_account_uuid="r",
        user_uuid=user,
        learning_outcome_id="1",
        outcome_title="t",
        score=3.0,
        mastery=True,
        changed_at=1.0,
    )


def event(user: str) -> bytes:
    return f"id: 1\nevent: change\ndata: {change(user).model_dump_json()}\n\n".encode()


async def own(_: Viewer) -> AsyncIterator[Change]:
    yield change("own")
    await asyncio.Event().wait()


async def take(
    streams: dict[str, list[list[bytes]]], group: dict[str, tuple[int, ...]], count: int
) -> list[str]:
    """Users of the first changes; each stream of a worker sends its chunks, and then breaks off."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/events"
        left = streams[request.url.netloc.decode()]
        if not left:
            raise httpx.ConnectError("gone")
        chunks = left.pop(0)

        async def body() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        return httpx.Response(200, content=body())

    peers = Peers(lambda _: {}, httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    cluster = ClusterChanges(own, lambda: Membership("http://me:1", group), peers)
    stream = cluster.changes(LOCAL)
    async with asyncio.timeout(10):
        async for one in stream:
            seen.append(one.user_uuid)
            if len(seen) == count:
                break
    await stream.aclose()
    await peers.close()
    assert len(asyncio.all_tasks()) == 1, "nothing goes on when nobody listens"
    return seen


def test_changes_of_all_workers() -> None:
    streams = {"b:1": [[b": keepalive\n\n", event("b1"), event("b2")]], "c:1": [[event("c1")]]}
    group = {"http://me:1": (0,), "http://b:1": (1,), "http://c:1": (2,)}
    assert sorted(asyncio.run(take(streams, group, 4))) == ["b1", "b2", "c1", "own"]


def test_a_worker_that_broke_off_is_followed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.02)
    streams = {"b:1": [[event("b1")], [b"data: no json\n\n"], [event("b2")]]}
    assert asyncio.run(take(streams, {"http://b:1": (1,)}, 3)) == ["own", "b1", "b2"]


def test_what_ends_the_own_changes_ends_all() -> None:
    async def failing(_: Viewer) -> AsyncIterator[Change]:
        yield change("own")
        raise RuntimeError("too slow")

    async def run() -> None:
        cluster = ClusterChanges(failing, lambda: Membership("http://me:1"), Peers(lambda _: {}))
        async for _ in cluster.changes(LOCAL):
            pass

    with pytest.raises(RuntimeError, match="too slow"):
        asyncio.run(run())
