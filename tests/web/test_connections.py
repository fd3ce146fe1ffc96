import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
import uvicorn

from app.web import connections
from app.web.connections import TimedConnection


class Answer:
    """An app that answers when told to."""

    def __init__(self):
        self.may = asyncio.Event()

    async def __call__(self, scope, receive, send):
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


@asynccontextmanager
async def connected():
    """Yield an app and a connection to it."""
    app, listener = Answer(), socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=TimedConnection, lifespan="off", log_config=None))
    task = asyncio.create_task(server._serve([listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        yield app, reader, writer
    finally:
        writer.close()
        app.may.set()
        server.should_exit = True
        await task


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(connections, "_HEAD", 0.2)


HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def closes(reader):
    try:
        return await asyncio.wait_for(reader.read(1), 3) == b""
    except TimeoutError:
        return False


@pytest.mark.parametrize("sent", [b"", HEAD])
def test_who_does_not_ask_is_let_go(sent):
    async def run():
        async with connected() as (_, reader, writer):
            writer.write(sent)
            return await closes(reader)

    assert asyncio.run(run())


def test_who_sends_a_byte_now_and_then_is_let_go():
    async def run():
        async with connected() as (_, reader, writer):
            for byte in HEAD:
                if reader.at_eof():
                    return True
                writer.write(bytes([byte]))
                await asyncio.sleep(0.05)
            return False

    assert asyncio.run(run())


def test_an_answer_may_take_its_time_and_the_next_request_is_waited_for():
    async def run():
        async with connected() as (app, reader, writer):
            for _ in range(2):
                app.may.clear()
                writer.write(HEAD + b"\r\n")
                await asyncio.sleep(0.4)
                app.may.set()
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                await asyncio.sleep(0.4)
            writer.write(HEAD)
            return await closes(reader)

    assert asyncio.run(run())
