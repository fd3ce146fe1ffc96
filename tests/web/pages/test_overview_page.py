import pytest
from starlette.testclient import TestClient

from app.web.security.viewer import Role, Viewer
from tests.web.fakes import FakeAnswers
from tests.web.pages.html import Page
from tests.web.serve_fake import fake_site


@pytest.fixture
def page(client):
    return Page(client.get("/").text)


def test_attention_comes_before_everything_else(page):
    heads = [one.text for one in page.all("h2")]
    assert heads[0] == "Needs attention"
    notices = [
        one.text.split()[0]
        for one in page.elements
        if (one.attributes.get("class") or "").startswith("notice ")
    ]
    assert notices == ["Error", "Warning", "Warning", "Note"]


def test_the_flow_has_the_twelve_topics_and_dead_letters_with_totals_and_rates(page):
    lines = [" ".join(one.text.split()) for one in page.all("li") if "main" in one.parents]
    assert "learning_outcome_updated 10,537 1.8/s" in lines
    assert "dead letters 61 4 kinds" in lines
    assert len([line for line in lines if line.endswith(("/s", "/min"))]) == 12


def test_the_picture_has_a_line_to_each_topic(page):
    assert len(page.all("path")) > 13


def test_changes_lead_to_student_and_outcome(page):
    links = [one.attributes["href"] for one in page.all("a") if "tbody" in one.parents]
    assert [link for link in links if link.startswith("/users/")]
    assert [link for link in links if link.startswith("/outcomes/")]


def test_before_the_first_event_it_says_what_to_do():
    with TestClient(fake_site(FakeAnswers(empty=True))) as client:
        text = client.get("/").text
    assert "No event has come yet" in text
    assert "canvas.live-events" in text


def test_a_login_without_individuals_is_not_led_to_them():
    viewer = Viewer("statistics", Role.AGGREGATE)
    with TestClient(fake_site(FakeAnswers(empty=True), viewer=viewer)) as client:
        page = Page(client.get("/").text)
    assert "/mastery" not in [one.attributes["href"] for one in page.all("a") if "nav" in one.parents]
    assert "statistics" in page.all("footer")[0].text
