import asyncio

import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from app.settings import load_settings
from app.web.security.form import hosts_of
from app.web.security.guard import guard
from app.web.security.headers import CONTENT_SECURITY_POLICY
from app.web.security.rate import Buckets
from tests.web.security.asking import TOKEN, ask, basic, bearer, guarded

EVERYWHERE = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [("/api/x", bearer(TOKEN), 200), ("/api/x", {}, 401), ("/static/x", {}, 200), ("/health/live", {}, 200)],
)
def test_every_answer_carries_the_headers(path, headers, status):
    answer = ask(guarded(web_token=TOKEN), path, headers)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in EVERYWHERE} == EVERYWHERE
    assert "camera=()" in answer.headers["permissions-policy"]


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere():
    parts = dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";"))
    assert parts["default-src"] == "'none'"
    assert parts["script-src"] == parts["style-src"] == parts["connect-src"] == "'self'"
    assert parts["frame-ancestors"] == parts["base-uri"] == "'none'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_what_may_be_personal_is_kept_nowhere_unless_said():
    app = guarded()
    assert ask(app, "/mastery").headers["cache-control"] == "no-store"
    assert ask(app, "/static/x").headers["cache-control"] == "max-age=60"


def test_a_page_for_people_problem_details_for_programs():
    app = guarded(web_token=TOKEN)
    page = ask(app, "/users/1?x=<script>", {"Accept": "text/html,*/*"})
    assert page.headers["content-type"].startswith("text/html")
    assert "<h1>Please log in</h1>" in page.text
    assert "<script>" not in page.text
    for path in ("/api/users/1", "/metrics", "/openapi.json"):
        details = ask(app, path, {"Accept": "text/html,*/*"})
        assert details.json()["title"] == "Please log in"
        assert (details.json()["status"], details.status_code) == (401, 401)


@pytest.mark.parametrize(
    "path", ["/health", "/health/../metrics", "/static/../api/x", "/staticx", "/HEALTH/live", "//health/live"]
)
def test_only_what_is_open_is_open(path):
    # Clients tidy paths up; whoever attacks does not.
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    asyncio.run(guarded(web_token=TOKEN)(scope, asyncio.Event().wait, send))
    assert sent[0]["status"] == 401


# --- a site without logins ---


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:6066", "[::1]", "[::1]:9", "127.8.8.8:1"]
)
def test_this_machines_names_are_answered(host):
    who = ask(guarded(web_host="127.8.8.8"), headers={"Host": host}).json()
    assert (who["name"], who["role"]) == ("local", "admin")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:6066", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]",
     "::1", "localhost@evil.example", "0.0.0.0", "evil.example/localhost"],
)  # fmt: skip
def test_another_sites_name_is_refused_where_nobody_logs_in(host):
    refused = ask(guarded(), headers={"Host": host})
    assert refused.status_code == 421
    assert "localhost" in refused.json()["detail"]
    # A browser sends no login to another site's name: there it does not matter.
    assert ask(guarded(web_token=TOKEN), headers={"Host": host, **bearer(TOKEN)}).status_code == 200


def test_two_hosts_are_refused():
    assert ask(guarded(), headers=[("Host", "localhost"), ("Host", "evil.example")]).status_code == 421


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"X-Forwarded-For": "203.0.113.9"}, 403),
        ({"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}, 403),
        ({"X-Real-IP": "2001:db8::1"}, 403),
        ({"X-Forwarded-For": "unknown"}, 403),
        ({"X-Forwarded-For": "::1, 127.0.0.1"}, 200),
    ],
)
def test_a_proxy_lets_nobody_in_where_nobody_logs_in(told, status):
    assert ask(guarded(), headers={"Host": "localhost", **told}).status_code == status
    assert ask(guarded(web_token=TOKEN), headers={**told, **bearer(TOKEN)}).status_code == 200


def test_the_advertised_name_is_the_sites_own():
    app = guarded(web_advertised_url="http://worker-1.school.example:6066")
    assert ask(app, headers={"Host": "worker-1.school.example:6066"}).status_code == 200
    assert hosts_of(["::1"]) >= {"[::1]", "localhost", "127.0.0.1"}


@pytest.mark.parametrize(
    ("path", "site", "mode", "status"),
    [
        ("/api/mastery", "cross-site", "cors", 403),
        ("/api/mastery", "cross-site", "navigate", 403),
        ("/api/mastery", "same-site", "no-cors", 403),
        ("/api/mastery", "same-origin", "cors", 200),
        ("/api/mastery", "none", "navigate", 200),
        ("/metrics", "cross-site", "no-cors", 403),
        ("/users/1", "cross-site", "navigate", 200),
        ("/users/1", "cross-site", "no-cors", 403),
    ],
)
def test_pages_of_other_sites_may_link_here_and_no_more(path, site, mode, status):
    answer = ask(guarded(), path, {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode})
    assert answer.status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_nothing_can_be_changed(method):
    answer = ask(guarded(web_token=TOKEN), headers=bearer(TOKEN), method=method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


# --- sizes, rates, streams ---


def test_requests_that_are_too_large():
    app = guarded()
    assert ask(app, "/mastery?user=" + "x" * 9_000).status_code == 414
    assert ask(app, headers={"X-Long": "x" * 50_000}).status_code == 431
    for length in ("99999999999", "x", "-1", "9" * 5_000):
        assert ask(app, headers={"Content-Length": length}).status_code == 413


def test_a_body_without_a_length_ends_when_it_is_too_long():
    seen = []

    async def reading(scope, receive, send):
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            seen.append(len(message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["type"].encode()})

    async def endless():
        for _ in range(100):
            yield b"x" * 100_000

    answer = ask(guard(reading, load_settings()), "/registry/x", method="POST", content=endless())
    assert answer.text == "http.disconnect"
    assert sum(seen) <= 4_194_304


def test_who_asks_too_often_waits_and_nobody_else():
    app = guarded(web_token=TOKEN, web_rate_limit=0.5)
    statuses = [ask(app, headers=bearer(TOKEN), client=f"203.0.113.{n}").status_code for n in range(4)]
    assert statuses == [200, 200, 429, 429], "a login counts, from wherever it comes"
    refused = ask(app, headers=bearer(TOKEN))
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["title"] == "Too many requests"
    assert ask(app, headers={}).status_code == 401
    assert ask(app, "/health/live").status_code == 200


def test_without_logins_an_address_is_a_client():
    app = guarded(web_rate_limit=0.5)
    first = [ask(app, client="127.0.0.1").status_code for _ in range(3)]
    assert first == [200, 200, 429]
    assert ask(app, client="::1").status_code == 200
    assert [ask(guarded(web_rate_limit=0)).status_code for _ in range(5)] == [200] * 5


def test_buckets_fill_again_and_are_bounded():
    now = [0.0]
    buckets = Buckets(2, 4, most=100, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    now[0] += 1
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0.5]
    for number in range(1000):
        buckets.take(str(number))
    assert len(buckets) == 100


def test_a_stream_passes_part_by_part():
    sent, release = [], asyncio.Event()

    async def parts():
        yield b"data: 1\n\n"
        await release.wait()
        yield b"data: 2\n\n"

    async def stream(request):
        return StreamingResponse(parts(), media_type="text/event-stream")

    async def run():
        app = guard(Starlette(routes=[Route("/api/events", stream)]), load_settings())
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
            "method": "GET", "path": "/api/events", "raw_path": b"/api/events", "query_string": b"",
            "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
            "scheme": "http", "root_path": "",
        }  # fmt: skip
        begun = asyncio.Event()

        async def send(message):
            sent.append(message)
            if message.get("body"):
                begun.set()

        asking = asyncio.create_task(app(scope, asyncio.Event().wait, send))
        await asyncio.wait_for(begun.wait(), 5)
        assert [message.get("body") for message in sent] == [None, b"data: 1\n\n"]
        release.set()
        await asyncio.wait_for(asking, 5)

    asyncio.run(run())
    names = [name for name, _ in sent[0]["headers"]]
    assert b"content-security-policy" in names
    assert [message["body"] for message in sent[1:]] == [b"data: 1\n\n", b"data: 2\n\n", b""]


def test_the_logins_name_is_all_that_a_download_adds_to_the_path():
    who = ask(guarded(), "/api/mastery?user=someone&format=csv").json()
    assert who["path"] == "/api/mastery?format=csv"


def test_nothing_but_http_passes():
    sent = []

    async def run():
        async def send(message):
            sent.append(message)

        await guarded()({"type": "websocket", "path": "/", "headers": []}, asyncio.Event().wait, send)

    asyncio.run(run())
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_basic_of_the_token_is_kept_for_registry_clients():
    assert ask(guarded(web_token=TOKEN), "/registry/subjects", basic("x", TOKEN)).status_code == 200
