import pytest
from starlette.testclient import TestClient

from app.web.application import build_application
from app.web.site import Site
from tests.web.fakes import FakeAnswers

HTML = {"Accept": "text/html"}


@pytest.mark.parametrize("path", ["/health/live", "/metrics"])
def test_only_reading_is_possible(client, path):
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, path).status_code == 405


def test_before_there_is_anything_to_answer_from_pages_say_so(client, site):
    answer = client.get("/", headers=HTML)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    site.answers = FakeAnswers()
    assert client.get("/", headers=HTML).status_code == 200


def test_an_unknown_address_has_a_page_and_for_programs_problem_details(client):
    page = client.get("/no/such", headers=HTML)
    assert page.status_code == 404
    assert page.headers["Content-Type"].startswith("text/html")
    told = client.get("/no/such")
    assert (told.status_code, told.json()["status"]) == (404, 404)
    assert told.headers["Content-Type"] == "application/problem+json"


def test_a_mistake_of_ours_is_logged_without_what_it_was_about(site, caplog):
    class Wrong(FakeAnswers):
        async def mastery(self, viewer, query, *, local=False):
            raise ValueError(query.user)

    site.answers = Wrong()
    with TestClient(build_application(site), base_url="http://127.0.0.1") as client:
        page = client.get("/mastery?user=Ada", headers=HTML)
    assert page.status_code == 500
    assert "Ada" not in page.text
    assert "unexpected ValueError while /mastery was answered" in caplog.text
    assert "Ada" not in caplog.text


def test_the_api_answers_what_the_pages_show(client, site):
    assert client.get("/api/overview").status_code == 503
    site.answers = FakeAnswers()
    assert client.get("/api/overview").status_code == 200
    assert client.get("/openapi.json").json()["openapi"]
    assert client.get("/api/no-such").json()["status"] == 404


def test_without_the_view_there_are_health_metrics_and_schemas_alone(site):
    settings = site.settings.model_copy(update={"web_view": False})
    without = Site(settings, site.progress, answers=FakeAnswers())
    with TestClient(build_application(without), base_url="http://127.0.0.1") as client:
        assert client.get("/health/live").status_code == 200
        assert client.get("/metrics").status_code == 200
        assert client.get("/registry/subjects").status_code != 404
        for path in ("/", "/mastery", "/api/overview", "/openapi.json"):
            assert client.get(path, headers=HTML).status_code == 404
            assert client.get(path).status_code == 404
