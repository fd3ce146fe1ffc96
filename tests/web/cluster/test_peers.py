"""Asking another worker, and what can come of it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from app.web.cluster.members import Member
from app.web.cluster.peers import PeerRefused, Peers, PeerSilent
from app.web.models.base import Freshness
from app.web.models.mastery import MasteryPage
from app.web.problems import BadParameter, Forbidden, NotFound, NotReady, TooSlow
from app.web.security.viewer import LOCAL, Viewer

MEMBER = Member("http://worker-2:6066", (1,))
PAGE = MasteryPage(freshness=Freshness(as_of=1.5, behind_seconds=0.0), rows=(), next="abc")

Handler = Callable[[httpx.Request], httpx.Response | Coroutine[Any, Any, httpx.Response]]


def ask(handler: Handler, **parameters: Any) -> MasteryPage:
    def headers(viewer: Viewer) -> dict[str, str]:
        return {"Authorization": "Bearer secret", "X-Viewer": viewer.name}

    async def run() -> MasteryPage:
        peers = Peers(headers, httpx.AsyncClient(transport=httpx.MockTransport(handler)))
        try:
            return await peers.get(MEMBER, "/api/mastery", parameters, LOCAL, MasteryPage)
        finally:
            await peers.close()

    return asyncio.run(run())


def test_the_part_of_another_worker() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=PAGE.model_dump_json())

    assert ask(answer, user="a b&c", mastered=True, course=None, limit=5, users=["x", "y"]) == PAGE
    [request] = seen
    assert (
        str(request.url)
        == "http://worker-2:6066/api/mastery?user=a+b%26c&mastered=true&limit=5&users=x&users=y"
    )
    assert request.headers["x-viewer"] == "local"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadParameter),
        (403, Forbidden),
        (404, NotFound),
        (503, NotReady),
        (401, PeerRefused),
        (500, PeerSilent),
        (302, PeerSilent),
    ],
)
def test_its_problems_are_problems_here(status: int, kind: type[Exception]) -> None:
    body = {"title": "t", "detail": "so it is", "hint": "wait", "progress": 0.5}
    headers = {"Location": "http://elsewhere/", "Retry-After": "7"}
    with pytest.raises(kind) as caught:
        ask(lambda _: httpx.Response(status, json=body, headers=headers))
    if isinstance(caught.value, NotReady):
        assert (str(caught.value), caught.value.hint) == ("so it is", "wait")
        assert caught.value.more == {"progress": 0.5}
        assert caught.value.headers == {"Retry-After": "7"}


def test_too_slow_is_told_from_not_ready() -> None:
    body = {"title": TooSlow.title, "detail": "2 s are over"}
    with pytest.raises(TooSlow, match="2 s are over"):
        ask(lambda _: httpx.Response(503, json=body))


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"rows": 3}', b'"text"'])
@pytest.mark.parametrize("status", [200, 404, 503])
def test_what_is_no_answer_is_silence(status: int, content: bytes) -> None:
    with pytest.raises(PeerSilent):
        ask(lambda _: httpx.Response(status, content=content))


def test_silence() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    def hang(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("long")

    with pytest.raises(PeerSilent, match="cannot be reached"):
        ask(refuse)
    with pytest.raises(PeerSilent, match="within 2 s"):
        ask(hang)
