"""Streams of changes that many clients hold open, through one worker from another."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp

from app.web.api.application import api_app
from app.web.api.events import EventStreams
from app.web.cluster.changes import ClusterChanges
from app.web.cluster.members import Member, Membership
from app.web.cluster.peers import Peers
from app.web.models.mastery import MasteryPage, MasteryQuery
from app.web.models.stream import Change
from app.web.security.viewer import LOCAL, Viewer
from tests.web.api.support import LoggedIn
from tests.web.fakes import FakeAnswers

#: More than connections that an HTTP client keeps by itself.
CLIENTS = 105


async def silence(_: Viewer) -> AsyncIterator[Change]:
    await asyncio.Event().wait()
    yield


def site(changes: Callable[[Viewer], AsyncIterator[Change]], streams: EventStreams) -> ASGIApp:
    def follow(viewer: Viewer, *, local: bool) -> AsyncIterator[Change]:
        assert local is False
        return changes(viewer)

    return LoggedIn(api_app(FakeAnswers, lambda: follow, streams=streams))


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    server.capture_signals = lambda: asyncio.timeout(None)  # type: ignore[assignment]
    task = asyncio.create_task(server._serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.02)


def test_many_open_streams_hold_up_no_question_and_all_end_with_their_clients() -> None:
    async def run() -> None:
        theirs, ours = (EventStreams(most=CLIENTS, each=CLIENTS) for _ in range(2))
        peers = Peers(lambda _: {})
        async with serving(site(silence, theirs)) as other:
            group = Membership("http://me:1", {"http://me:1": (0,), other: (1,)})
            everywhere = ClusterChanges(silence, lambda: group, peers)
            through = site(everywhere.changes, ours)
            async with serving(through) as me:
                clients = [await _follow(me) for _ in range(CLIENTS)]
                await until(lambda: theirs.open == CLIENTS)
                page = await peers.get(
                    Member(other, (1,)),
                    "/api/mastery",
                    MasteryQuery().model_dump(exclude_defaults=True),
                    LOCAL,
                    MasteryPage,
                )
                assert page.rows
                for writer in clients:
                    writer.close()
                await until(lambda: ours.open == 0)
                await until(lambda: theirs.open == 0)
        await peers.close()

    asyncio.run(run())


async def _follow(url: str) -> asyncio.StreamWriter:
    address = httpx.URL(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in await reader.readline()
    return writer
