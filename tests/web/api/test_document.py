import re

import pytest
from schemathesis.openapi import from_asgi

from app.web.api.application import api_app
from tests.web.api.support import LoggedIn, ask_whatever
from tests.web.fakes import FakeAnswers


@pytest.fixture(scope="module")
def api():
    answers = FakeAnswers()
    return from_asgi("/openapi.json", LoggedIn(api_app(lambda: answers))).exclude(path="/api/events")


@pytest.fixture(scope="module")
def document(api):
    return api.raw_schema


def test_whatever_is_asked_is_answered_as_the_document_says(api):
    ask_whatever(api, examples=5)


def test_the_document_names_all_addresses(document):
    assert sorted(document["paths"]) == [
        "/api/courses",
        "/api/courses/{id}",
        "/api/dead-letters",
        "/api/dead-letters/{partition}/{offset}",
        "/api/events",
        "/api/mastery",
        "/api/outcomes",
        "/api/outcomes/{id}",
        "/api/overview",
        "/api/status",
        "/api/topics",
        "/api/topics/{name}",
        "/api/users/{uuid}",
    ]
    operations = [one["get"] for one in document["paths"].values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert one["description"]
        assert {"200", "400", "401", "403", "429", "503"} <= one["responses"].keys()
        assert "422" not in one["responses"]
        assert all(
            parameter["description"]
            for parameter in one.get("parameters", ())
            if parameter["name"] not in ("sort", "limit", "kind", "event", "cursor")
        )
    assert document["components"]["securitySchemes"].keys() == {"bearer", "basic"}


def test_everything_that_is_referred_to_is_there(document):
    referred = set(re.findall(r"#/components/schemas/(\w+)", repr(document)))
    assert referred <= document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_docs_page_tells_all_of_it_and_loads_nothing_from_elsewhere(client, document):
    page = client.get("/api/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path in document["paths"]:
        assert f"GET {path}" in page.text
    for model in document["components"]["schemas"]:
        assert f'id="model-{model}"' in page.text
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"', page.text)
    assert loaded
    assert all(one.startswith("/static/") for one in loaded)
    assert not re.search(r"<script(?![^>]*src=)|style=|<style", page.text)
    anchors = set(re.findall(r'href="#([^"]*)"', page.text))
    assert all(f'id="{one}"' in page.text for one in anchors)
