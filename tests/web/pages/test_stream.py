import pytest
from starlette.testclient import TestClient

from app.web.models.base import WorkerState
from app.web.pages.stream import json_text
from app.web.problems import BrokerAway
from app.web.security.viewer import Role, Viewer
from tests.web.fakes import FakeAnswers
from tests.web.pages.html import Page
from tests.web.pages.test_outcomes import seen_by, texts
from tests.web.serve_fake import fake_site


def test_dead_letters_by_kind_over_time_and_one_by_one(client):
    page = Page(client.get("/dead-letters?kind=schema&limit=10").text)
    (chosen,) = [one for one in page.all("a") if one.attributes.get("aria-current") == "true"]
    assert chosen.text == "schema"
    (option,) = [one for one in page.all("option") if "selected" in one.attributes]
    assert option.text == "schema"
    rows = [link for link in page.links() if link.startswith("/dead-letters/")]
    assert len(rows) == 10
    (following,) = [one for one in page.all("a") if one.attributes.get("rel") == "next"]
    assert "kind=schema" in following.attributes["href"]
    (picture,) = [one for one in page.all("svg") if one.attributes.get("role") == "img"]
    assert ": 1" in picture.attributes["aria-label"]


def test_a_kind_that_nothing_has_stays_chosen(client):
    text = client.get("/dead-letters?kind=other").text
    assert "<option selected>other</option>" in text
    assert "No dead letter is like that" in text


def test_one_dead_letter(client):
    page = Page(client.get("/dead-letters/0/200").text)
    codes = texts(page, "pre")
    assert codes[0] == "mastery dead-letters replay 0:200"
    assert '"score": "x"' in codes[1]
    copied = [one.attributes["data-copy"] for one in page.all("button") if "data-copy" in one.attributes]
    assert "mastery dead-letters replay 0:200" in copied
    assert "body.score" in texts(page, "code")


@pytest.mark.parametrize("place", ["a/0", "0/-1", "0/x", "0/1234567890123456789012", "²/0", "0/999999"])
def test_no_dead_letter_there(client, place):
    assert client.get(f"/dead-letters/{place}").status_code == 404


def test_the_catalogue_by_what_topics_are_for(client):
    page = Page(client.get("/topics").text)
    assert texts(page, "h2") == ["Raw", "Typed", "Mastery", "Dead letters", "Internal"]
    assert any("not there" in text for text in texts(page, "th"))


def test_one_topic(client):
    response = client.get("/topics/canvas.rubric_assessed")
    page = Page(response.text)
    records = texts(page, "summary")
    assert sum("schema 12, not the newest" in text for text in records) == 2
    assert sum("not decoded" in text for text in records) == 1
    assert "the bytes are no record of schema 17" in response.text
    assert "body.score" in texts(page, "code")
    assert any("from confluent_kafka import Consumer" in text for text in texts(page, "pre"))


def test_records_are_kept_from_who_may_not_see_everything():
    response = seen_by(Viewer("teacher", Role.VIEWER), "/topics/canvas.rubric_assessed")
    assert "Records are not shown to this login" in response.text
    assert "acct:user-0" not in response.text


def test_status_with_a_worker_that_restores_and_one_that_is_silent():
    states = (WorkerState.ANSWERED, WorkerState.RESTORING, WorkerState.SILENT)
    with TestClient(fake_site(FakeAnswers(states=states))) as client:
        response = client.get("/status")
    page = Page(response.text)
    assert "worker-3.school.example:6066 did not answer" in response.text
    assert "1,200 of 2,000 records, 60 %" in " ".join(response.text.split())
    assert any("restoring" in text for text in texts(page, "th"))
    assert "(hidden)" in texts(page, "code")


def test_settings_are_for_admins():
    response = seen_by(Viewer("teacher", Role.VIEWER), "/status")
    assert "Settings are not shown to this login" in response.text
    assert "MASTERY_BROKER" not in response.text


def test_a_broker_that_is_away_is_a_page():
    problem = BrokerAway("no Kafka broker answers at b:1", headers={"Retry-After": "5"})
    with TestClient(fake_site(FakeAnswers(problem=problem))) as client:
        response = client.get("/topics")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert "o Kafka broker answers at b:1" in response.text


def test_values_as_people_read_them():
    assert json_text("plain é") == "plain é"
    assert json_text({"a": ["é"]}) == '{\n  "a": [\n    "é"\n  ]\n}'
