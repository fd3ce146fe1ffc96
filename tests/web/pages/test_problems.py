"""Pages that tell of a problem help: what it is, what to do, where to go on."""

import pytest
from starlette.testclient import TestClient

from app.web.problems import (
    BadParameter,
    Forbidden,
    NotFound,
    NotReady,
    TooManyRequests,
    TooSlow,
    Unauthorized,
)
from tests.web.fake_school import HOSTILE
from tests.web.fakes import FakeAnswers
from tests.web.pages.html import Page
from tests.web.serve_fake import fake_site

PATHS = ["/", "/mastery", "/users/1", "/outcomes", "/courses/1", "/dead-letters", "/topics", "/status"]


def _get(problem, path="/mastery"):
    with TestClient(fake_site(FakeAnswers(count=1, problem=problem))) as client:
        return client.get(path)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "kind", [BadParameter, Unauthorized, Forbidden, NotFound, TooManyRequests, NotReady, TooSlow]
)
def test_each_problem_is_a_page_with_its_status(kind, path):
    response = _get(kind(f"this: {HOSTILE}", hint=f"do {HOSTILE}"), path)
    page = Page(response.text)
    assert response.status_code == kind.status
    assert page.all("h1")[0].text == kind.title
    assert HOSTILE in next(one.text for one in page.all("p") if one.attributes.get("class") == "lead")
    assert "<script>alert" not in response.text
    assert "/" in page.links()


def test_not_ready_says_when_to_come_again_and_how_far_it_is():
    response = _get(NotReady("partition 3 is being restored", headers={"Retry-After": "2"}, progress=0.4))
    page = Page(response.text)
    assert response.headers["Retry-After"] == "2"
    assert "in 2 seconds" in response.text
    assert page.all("progress")[0].attributes["value"] == "0.4"
    assert "40 %" in page.all("label")[0].text
    assert page.all("label")[0].attributes["for"] == page.all("progress")[0].attributes["id"]
    assert "" in page.links(), "the same address once more"


def test_progress_in_more_than_a_number_is_left_to_the_api():
    response = _get(NotReady("two partitions are being restored", progress={"1": 0.5}))
    assert response.status_code == 503
    assert not Page(response.text).all("progress")


def test_messages_begin_with_a_capital_and_end_with_one_stop():
    assert "No such student." in _get(NotFound("no such student")).text
    assert "No such student.." not in _get(NotFound("No such student.")).text


def test_headers_of_a_problem_are_sent():
    headers = {"WWW-Authenticate": 'Basic realm="mastery"'}
    assert (
        _get(Unauthorized("log in", headers=headers)).headers["WWW-Authenticate"] == 'Basic realm="mastery"'
    )


def test_where_several_root_accounts_have_an_id_each_is_a_link():
    problem = BadParameter(
        "several have it: a/b, c", hint="add it", parameter="account", accounts=["a/b", "c"]
    )
    page = Page(_get(problem, "/outcomes/5?limit=3").text)
    links = [link for link in page.links() if link.startswith("/outcomes/5?")]
    assert links == ["/outcomes/5?limit=3&account=a%2Fb", "/outcomes/5?limit=3&account=c"]
