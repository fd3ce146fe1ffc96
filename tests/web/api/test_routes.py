import csv
import io
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.web.api.application import ApiRoute
from app.web.models.base import WorkerState
from app.web.models.mastery import MasteryPage, MasteryRow, Sort
from app.web.problems import NotReady, TooSlow
from app.web.security.viewer import LOCAL, Role, Viewer
from tests.web.api.support import LoggedIn
from tests.web.fakes import FakeAnswers

LISTS = ("/api/mastery", "/api/outcomes", "/api/courses", "/api/dead-letters")
SINGLE = ("/api/overview", "/api/topics", "/api/status")


@pytest.mark.parametrize("path", [*LISTS, *SINGLE])
def test_every_answer_says_how_fresh_it_is(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json()["freshness"]["workers"]
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["mastery-as-of"] == "2026-09-21T14:13:18.600Z"
    assert response.headers["mastery-complete"] == "true"


def test_a_worker_that_did_not_answer_is_told(client, answers):
    answers.states = (WorkerState.ANSWERED, WorkerState.SILENT)
    response = client.get("/api/overview")
    assert response.headers["mastery-complete"] == "false"
    assert [one["state"] for one in response.json()["freshness"]["workers"]] == ["answered", "silent"]


def test_a_query_comes_to_the_answers_as_it_was_asked(client, answers):
    query = "account=a&user=u&outcome=o&course=c&mastered=false&score_from=1.5&score_to=3&sort=-score&limit=7"
    client.get(f"/api/mastery?{query}")
    (_, asked) = answers.asked[-1]
    assert asked.model_dump(exclude={"cursor", "users"}) == {
        "account": "a",
        "user": "u",
        "outcome": "o",
        "course": "c",
        "mastered": False,
        "score_from": 1.5,
        "score_to": 3.0,
        "sort": Sort.SCORE_DOWN,
        "limit": 7,
    }
    assert asked.model_dump(mode="json", exclude_defaults=True)["sort"] == "-score"


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/api/mastery?limt=3", "limt"),
        ("/api/mastery?limit=0", "limit"),
        ("/api/mastery?limit=" + "9" * 5000, "limit"),
        ("/api/mastery?score_from=nan", "score_from"),
        ("/api/mastery?score_to=-inf", "score_to"),
        ("/api/mastery?sort=name", "sort"),
        ("/api/mastery?mastered=perhaps", "mastered"),
        ("/api/mastery?format=xml", "format"),
        ("/api/mastery?cursor=no", "cursor"),
        ("/api/outcomes?text=" + "a" * 256, "text"),
        ("/api/outcomes/1?x=1", "x"),
        ("/api/users/" + "a" * 256, "uuid"),
        ("/api/dead-letters/-1/0", "partition"),
        ("/api/dead-letters/0/9999999999999999999", "offset"),
        ("/api/dead-letters/a/0", "partition"),
        ("/api/overview?account=a", "account"),
        ("/api/outcomes?text=a&text=b", "text"),
        ("/api/events?user=a&user=b", "user"),
    ],
)
def test_what_cannot_be_understood_is_named(client, path, parameter):
    response = client.get(path)
    problem = response.json()
    assert (response.status_code, problem["status"], problem["parameter"]) == (400, 400, parameter)
    assert response.headers["content-type"] == "application/problem+json"
    assert parameter in problem["detail"]


def test_unknown_things_addresses_and_methods(client):
    for path in (
        "/api/users/nobody",
        "/api/outcomes/0",
        "/api/topics/none",
        "/api/nothing",
        "/api/overview/",
    ):
        problem = client.get(path).json()
        assert problem["status"] == 404
        assert problem["title"] == "There is no such thing here"
    refused = client.post("/api/overview")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    assert refused.json()["status"] == 405


@pytest.mark.parametrize("problem", [NotReady, TooSlow])
def test_what_is_not_ready_says_when_to_ask_again(client, answers, problem):
    answers.problem = problem("not now", headers={"Retry-After": "2"}, progress=0.25)
    response = client.get(f"/api/users/{answers.first_student()}")
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert response.json()["progress"] == 0.25


def test_nothing_to_answer_from_yet(app, held):
    held.answers = None
    with TestClient(LoggedIn(app)) as client:
        response = client.get("/api/overview")
        assert (response.status_code, response.headers["retry-after"]) == (503, "2")
        assert client.get("/api/events").status_code == 503


def test_who_is_not_known_gets_no_answer(app, answers):
    assert TestClient(LoggedIn(app, None)).get("/api/overview").status_code == 401
    assert TestClient(app).get("/api/mastery").status_code == 401
    assert not answers.asked


def test_our_own_mistakes_tell_nothing_of_what_was_asked(client, answers, caplog):
    answers.problem = KeyError("a student's name")
    response = client.get("/api/overview")
    assert (response.status_code, response.json()["status"]) == (500, 500)
    assert "a student's name" not in response.text + caplog.text
    assert "KeyError" in caplog.text


# --- tags ---


def test_who_has_the_answer_hears_that_nothing_changed(client, answers):
    first = client.get("/api/mastery?limit=3")
    tag = first.headers["etag"]
    answers.now += 5
    again = client.get("/api/mastery?limit=3", headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert again.headers["mastery-as-of"] > first.headers["mastery-as-of"]
    assert client.get("/api/mastery?limit=3", headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get("/api/mastery?limit=4", headers={"If-None-Match": tag}).status_code == 200
    answers.states = (WorkerState.ANSWERED, WorkerState.SILENT)
    assert client.get("/api/mastery?limit=3", headers={"If-None-Match": tag}).status_code == 200


# --- CSV ---


def test_a_table_has_what_the_json_has(client):
    page = client.get("/api/mastery?limit=40").json()
    response = client.get("/api/mastery?limit=40&format=csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="mastery.csv"'
    lines = list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))
    assert [line["user_uuid"] for line in lines] == [row["user_uuid"] for row in page["rows"]]
    assert list(lines[0]) == list(MasteryRow.model_fields)
    for line, row in zip(lines, page["rows"], strict=True):
        assert line["score"] == ("" if row["score"] is None else str(row["score"]))
        assert line["mastery"] == {None: "", True: "true", False: "false"}[row["mastery"]]
    assert 'rel="next"' in response.headers["link"]
    assert "format=csv" in response.headers["link"]


@dataclass
class _One(FakeAnswers):
    row: Any = None

    async def mastery(self, viewer, query, *, local=False):
        return MasteryPage(freshness=self._ask("mastery"), rows=(self.row,))


@pytest.mark.parametrize("title", ['=1+1";x', "+cmd", "-2", "@A1", "\tx", "\r=1"])
def test_a_title_is_no_formula(client, held, answers, title):
    row = answers.rows()[0].model_copy(
        update={"outcome_title": title, "score": -1.0, "root_account_uuid": "-"}
    )
    held.answers = _One(row=row)
    text = client.get("/api/mastery?format=csv").content.decode()
    (line,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (line["outcome_title"], line["score"], line["root_account_uuid"]) == (f"'{title}", "-1.0", "-")


def test_pages_follow_each_other_by_link(client):
    path, seen = "/api/mastery?limit=50", 0
    while path:
        response = client.get(path)
        seen += len(response.json()["rows"])
        path = response.links.get("next", {}).get("url")
    assert seen == len(FakeAnswers().rows())
    assert "prev" in response.links


# --- other workers ---


def test_only_who_the_guard_believes_asks_for_a_part(app, held):
    heard = []

    class Hearing(FakeAnswers):
        async def overview(self, viewer, *, local=False):
            heard.append(local)
            return await super().overview(viewer, local=local)

    held.answers = Hearing()
    TestClient(LoggedIn(app), headers={"Mastery-Local": "1"}).get("/api/overview")
    TestClient(LoggedIn(app, local=True)).get("/api/overview")
    assert heard == [False, True]


def test_whoever_may_see_no_student_cannot_follow_changes(app, answers):
    viewer = Viewer("numbers", Role.AGGREGATE)
    assert TestClient(LoggedIn(app, viewer)).get("/api/events").status_code == 403


def test_the_api_beside_other_routes(app, answers):
    async def page(_):
        return PlainTextResponse("page")

    site = Starlette(routes=[ApiRoute(app), Route("/{rest:path}", page)])
    client = TestClient(LoggedIn(site, LOCAL))
    assert client.get("/api/overview").status_code == 200
    assert client.get("/openapi.json").json()["openapi"].startswith("3.")
    assert client.get("/api").status_code == 404
    assert client.get("/apis").text == "page"
