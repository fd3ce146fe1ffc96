import asyncio
import base64
import gzip
import json
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.receive.delivery import Outcome
from app.receive.door import Door
from tests.receive.fakes import SECRET, Desk, until

EVENT = b'{"metadata": {"event_name": "x"},\n "body": {"a": 1.50}}'


def posted(body, desk=None, **more):
    desk = desk or Desk()
    answer = asyncio.run(desk.post(body, **more))
    return desk, answer


def test_an_event_is_handed_over_as_it_was_sent():
    desk, answer = posted(EVENT)
    assert (answer.status_code, answer.content) == (200, b"")
    assert desk.intake.events == [EVENT]
    assert (desk.metrics.events, desk.metrics.bytes) == (1, len(EVENT))
    assert (desk.budget.requests, desk.budget.bytes) == (0, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"[1]",
        b'"a"',
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b" {} \n",
        '{"a": "\N{SNOWMAN}"}'.encode(),
    ],
)
def test_whatever_the_router_can_parse_is_taken(body):
    desk, answer = posted(body)
    assert answer.status_code == 200
    assert desk.intake.events == [body]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not-json"),
        (b'{"a": 1', "not-json"),
        (b'{"a": "\xff"}', "not-json"),
        (b"{} {}", "not-json"),
        (b"\x00" * 100, "not-json"),
        (b"[" * 9_000, "not-json"),
        (b'{"a":' * 1_500 + b"1" + b"}" * 1_500, "not-json"),
        (gzip.compress(EVENT, mtime=0), "not-json"),
        (b"eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "signed"),
    ],
    ids=lambda one: repr(one)[:30],
)
def test_what_is_no_json_is_refused(body, reason):
    desk, answer = posted(body)
    assert answer.status_code == 400
    assert desk.intake.events == []
    assert desk.refused() == {reason: 1}
    assert (desk.budget.requests, desk.budget.bytes) == (0, 0)


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_no_body_breaks_it(body):
    desk, answer = posted(body)
    assert answer.status_code in {200, 400}
    assert len(desk.intake.events) == (answer.status_code == 200)


def test_the_secret_is_looked_at_before_the_body_is_read():
    async def endless():
        while True:
            yield b"x" * 1_000

    _, answer = posted(endless(), path="/events/not-the-secret")
    assert answer.status_code == 401
    assert "WWW-Authenticate" not in answer.headers


def test_a_login_lets_in():
    door = Door(basic="canvas:pass:wörd")
    login = base64.b64encode("canvas:pass:wörd".encode()).decode()
    _, answer = posted(EVENT, Desk(door=door), path="/events", headers={"Authorization": f"Basic {login}"})
    assert answer.status_code == 200
    _, answer = posted(EVENT, Desk(door=door), path="/events", headers={"Authorization": "Basic !"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/events/{SECRET}", 405),
        ("PUT", f"/events/{SECRET}", 405),
        ("POST", "/", 404),
        ("POST", f"/events/{SECRET}/more", 404),
        ("POST", "/events", 401),
    ],
)
def test_other_addresses_and_methods(method, path, status):
    async def ask():
        async with Desk().client() as client:
            return await client.request(method, path, content=EVENT)

    assert asyncio.run(ask()).status_code == status


def test_a_compressed_body_is_refused():
    desk, answer = posted(gzip.compress(EVENT), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert desk.refused() == {"encoded": 1}


@pytest.mark.parametrize("declared", [True, False])
def test_what_is_too_large_is_refused(declared):
    async def parts():
        for _ in range(11):
            yield b" " * 1_000

    desk, answer = posted(b" " * 11_000 if declared else parts())
    assert answer.status_code == 413
    assert answer.headers["Connection"] == "close"
    assert desk.refused() == {"too-large": 1}
    assert desk.budget.bytes == 0


def test_a_topic_that_takes_less_is_told_as_such():
    desk = Desk()
    desk.intake.outcome = Outcome(delivered=False, too_large=True)
    assert posted(EVENT, desk)[1].status_code == 413


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda intake: setattr(intake, "open", False), "kafka-away"),
        (lambda intake: setattr(intake, "outcome", Outcome(delivered=False)), "kafka-away"),
        (lambda intake: setattr(intake, "full", True), "overloaded"),
        (lambda intake: setattr(intake, "stopping", True), "stopping"),
    ],
)
def test_canvas_is_told_to_come_again(prepare, reason):
    desk = Desk()
    prepare(desk.intake)
    _, answer = posted(EVENT, desk)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert desk.refused() == {reason: 1}
    assert (desk.budget.requests, desk.budget.bytes) == (0, 0)


def test_no_acknowledgement_in_time_is_no_200_and_its_memory_counts_until_there_is_a_report():
    async def scene():
        desk = Desk(timeout=0.05)
        desk.intake.outcome = None
        answer = await desk.post(EVENT)
        assert answer.status_code == 503
        assert desk.budget.bytes == len(EVENT)
        desk.intake.answer()
        assert desk.budget.bytes == 0
        assert desk.metrics.events == 0

    asyncio.run(scene())


def test_a_body_that_does_not_come_is_not_waited_for():
    async def slow():
        yield b"{"
        await asyncio.sleep(60)

    desk, answer = posted(slow(), Desk(timeout=0.05))
    assert answer.status_code == 408
    assert desk.budget.bytes == 0


@pytest.mark.parametrize("limit", [{"requests": 3}, {"size": 3 * len(EVENT)}])
def test_more_than_can_be_held_is_sent_away_at_once(limit):
    async def scene():
        desk = Desk(**limit)
        desk.intake.outcome = None
        waiting = [asyncio.create_task(desk.post(EVENT)) for _ in range(3)]
        await until(lambda: len(desk.intake.events) == 3)
        refused = await desk.post(EVENT)
        assert refused.status_code == 503
        desk.intake.answer()
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}
        desk.intake.outcome = Outcome(delivered=True)
        assert (await desk.post(EVENT)).status_code == 200
        assert desk.budget.requests == 0

    asyncio.run(scene())


def test_an_error_of_ours_tells_nothing_of_the_request(caplog):
    desk = Desk()

    def fail(*_):
        raise RuntimeError(EVENT.decode())

    desk.intake.send = fail
    with caplog.at_level(logging.DEBUG):
        _, answer = posted(EVENT, desk)
    assert answer.status_code == 500
    assert "unexpected RuntimeError" in caplog.text
    assert "metadata" not in caplog.text + answer.text


def test_no_line_and_no_answer_shows_a_secret_or_an_event(caplog):
    event = json.dumps({"name": "Ada Lovelace"}).encode()
    with caplog.at_level(logging.DEBUG, logger="app"):
        for body, path in ((event[:-1], f"/events/{SECRET}"), (event, "/events/some-other-secret-here")):
            _, answer = posted(body, path=path)
            assert "Ada" not in answer.text
            assert "secret-" not in answer.text
    assert "answered" in caplog.text
    for text in (SECRET, "some-other", "Ada"):
        assert text not in caplog.text


def test_a_request_that_is_given_up_is_counted():
    async def scene():
        desk = Desk()
        sent = []

        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": f"/events/{SECRET}", "headers": []}
        await desk.app(scope, receive, send)
        assert sent == []
        assert desk.refused() == {"incomplete": 1}
        assert desk.budget.requests == 0

    asyncio.run(scene())


def test_metrics_name_every_reason_from_the_beginning():
    desk = Desk()
    desk.app.router.routes.append(desk.metrics.route())

    async def scrape():
        async with desk.client() as client:
            return (await client.get("/metrics")).text

    text = asyncio.run(scrape())
    assert 'mastery_receive_refused_total{reason="overloaded",status="503"} 0.0' in text
    assert "_created" not in text
