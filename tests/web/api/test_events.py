import asyncio
import json

import pytest

from app.web.api.application import api_app
from app.web.api.events import EventStreams
from app.web.models.stream import Change
from app.web.security.viewer import Role, Viewer
from tests.web.api.support import LoggedIn
from tests.web.fakes import FakeAnswers


def change(number, **fields):
    return Change(
        **{
            "root_account_uuid": "a",
            "user_uuid": f"u{number % 2}",
            "learning_outcome_id": "7",
            "outcome_title": "Writes",
            "score": float(number),
            "mastery": True,
            "changed_at": 1_790_000_000.5 + number,
            "courses": ("565",),
            **fields,
        }
    )


class Source:
    """Changes by hand."""

    def __init__(self):
        self.queue = asyncio.Queue()
        self.asked = []
        self.closed = 0

    async def __call__(self, viewer, *, local):
        self.asked.append((viewer, local))
        try:
            while (found := await self.queue.get()) is not None:
                yield found
        finally:
            self.closed += 1


class Reader:
    """A client of the ASGI app that reads at its own pace."""

    def __init__(self, app, query=""):
        self._parts = asyncio.Queue()
        self._gone = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.status = self.headers = None
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/api/events",
            "raw_path": b"/api/events",
            "query_string": query.encode(),
            "headers": [],
            "server": ("testserver", 80),
            "client": ("127.0.0.1", 1),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self):
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        await self.may_read.wait()
        if self._gone.is_set():
            raise OSError
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            await self._parts.put(message.get("body", b"").decode())

    async def read(self):
        return await asyncio.wait_for(self._parts.get(), 5)

    async def leave(self):
        self._gone.set()
        await asyncio.wait_for(asyncio.gather(self.task, return_exceptions=True), 5)


def served(**options):
    source, streams = Source(), EventStreams(**options)
    return source, streams, LoggedIn(api_app(FakeAnswers, lambda: source, streams=streams))


def test_changes_come_as_events():
    async def run():
        source, streams, app = served()
        reader = Reader(app)
        assert await reader.read() == "retry: 3000\n\n"
        assert (reader.status, reader.headers[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")
        await source.queue.put(change(1))
        event, number, data, *_ = (await reader.read()).split("\n")
        assert (event, number) == ("event: change", "id: 1790000001500-1")
        assert Change.model_validate_json(data.removeprefix("data: ")) == change(1)
        assert streams.open == 1
        await reader.leave()
        assert (streams.open, source.closed) == (0, 1)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("user=u1", [1, 3]),
        ("outcome=8", [4]),
        ("course=99", [3]),
        ("account=b", [2]),
        ("account=a&user=u0", [0, 4]),
    ],
)
def test_only_what_was_asked_for(query, seen):
    changes = [
        change(0),
        change(1),
        change(2, root_account_uuid="b"),
        change(3, courses=("565", "99")),
        change(4, learning_outcome_id="8"),
    ]

    async def run():
        source, _, app = served()
        reader = Reader(app, query)
        await reader.read()
        for one in [*changes, None]:
            await source.queue.put(one)
        found = []
        while part := await reader.read():
            found.append(json.loads(part.split("\n")[2].removeprefix("data: "))["score"])
        assert found == seen
        await asyncio.wait_for(reader.task, 5)

    asyncio.run(run())


def test_a_comment_comes_when_nothing_changes():
    async def run():
        source, _, app = served(keepalive=0.01)
        reader = Reader(app)
        await reader.read()
        assert (await reader.read()).startswith(": ")
        # What comes after it is not lost.
        await source.queue.put(change(1))
        while (part := await reader.read()).startswith(": "):
            pass
        assert part.startswith("event: change")
        await reader.leave()

    asyncio.run(run())


def test_a_reader_that_takes_nothing_is_dropped():
    async def run():
        source, streams, app = served(slowest=0.02)
        reader = Reader(app)
        await reader.read()
        reader.may_read.clear()
        for number in range(3):
            await source.queue.put(change(number))
        await asyncio.wait_for(reader.task, 5)
        assert (streams.open, source.closed) == (0, 1)

    asyncio.run(run())


def test_so_many_clients_and_no_more():
    async def run():
        _, streams, app = served(most=1)
        first = Reader(app)
        await first.read()
        second = Reader(app)
        problem = json.loads(await second.read())
        assert (second.status, problem["status"]) == (503, 503)
        assert second.headers[b"retry-after"] == b"30"
        await first.leave()
        third = Reader(app)
        assert await third.read() == "retry: 3000\n\n"
        await third.leave()
        assert streams.open == 0

    asyncio.run(run())


def test_one_login_leaves_streams_for_others():
    async def run():
        _, streams, app = served(each=1)
        first = Reader(app)
        await first.read()
        second = Reader(app)
        assert "already" in await second.read()
        assert second.status == 429
        app.viewer = Viewer("ann", Role.VIEWER)
        other = Reader(app)
        await other.read()
        app.local = True
        workers = [Reader(app) for _ in range(2)]
        for worker in workers:
            assert await worker.read() == "retry: 3000\n\n"
        assert streams.open == 4
        for reader in (first, other, *workers):
            await reader.leave()
        assert streams.open == 0

    asyncio.run(run())


def test_a_stream_ends_so_that_the_client_logs_in_again():
    async def run():
        source, streams, app = served(longest=0.1, keepalive=0.05)
        reader = Reader(app)
        await reader.read()
        while await reader.read():
            pass
        await asyncio.wait_for(reader.task, 5)
        assert (streams.open, source.closed) == (0, 1)

    asyncio.run(run())
