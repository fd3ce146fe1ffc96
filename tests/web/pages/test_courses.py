import re

import pytest
from starlette.testclient import TestClient

from app.web.security.viewer import Role, Viewer
from tests.web.fakes import FakeAnswers
from tests.web.pages.html import Page
from tests.web.pages.test_outcomes import seen_by, texts
from tests.web.serve_fake import fake_site


@pytest.fixture
def grid(client):
    return Page(client.get("/courses/101").text)


def test_each_cell_says_score_and_level_without_colour(grid):
    cells = [one for one in grid.all("td") if "heat" in (one.attributes.get("class") or "").split()]
    assert len(cells) > 20
    for one in cells:
        text = " ".join(one.text.split())
        assert text == "No evidence·" or re.fullmatch(r"[\d.]+[▽○◐●▲]?, \S.*", text), text
    assert any("No evidence" in one.text for one in cells)


def test_every_student_is_a_row_and_every_outcome_a_column(grid):
    (table,) = [one for one in grid.all("table") if one.attributes.get("class") == "heat-map"]
    assert "No evidence" in table.text
    heads = [one for one in grid.all("th") if "heat-title" in str(one) or one.attributes["scope"] == "col"]
    assert any("mastery at 3 of 5" in one.text for one in heads)


def test_the_legend_names_all_steps_and_the_scale_s_own_colours(client):
    text = client.get("/courses/102").text
    legend = text[text.index('class="legend"') : text.index('class="heat-map"')]
    for name in ("Exceeds Mastery", "Near Mastery", "Well Below Mastery", "No evidence"):
        assert name in legend
    assert "Colours of a proficiency scale" in legend
    assert 'fill="#' in legend


def test_students_are_paged(client):
    page = Page(client.get("/courses/101?limit=2").text)
    (following,) = [one for one in page.all("a") if one.attributes.get("rel") == "next"]
    assert following.attributes["href"].startswith("/courses/101?")
    other = Page(client.get(following.attributes["href"]).text)
    names = [[link for link in one.links() if link.startswith("/users")] for one in (page, other)]
    assert len(names[0]) == 2
    assert not set(names[0]) & set(names[1])


def test_a_course_says_how_it_can_differ(client):
    text = client.get("/courses/101").text
    assert "not yet posted" in text
    assert "New Quizzes" in text
    assert "assessed" in text


def test_a_course_links_to_canvas_where_it_is_known(client):
    assert "https://canvas.school.example/courses/101/gradebook" in client.get("/courses/101").text


def test_the_list(client):
    page = Page(client.get("/courses").text)
    assert "Algebra I 101" in texts(page, "th")
    assert any(re.fullmatch(r"\d+ % \d+ of \d+", text) for text in texts(page, "td"))


def test_no_course_yet():
    with TestClient(fake_site(FakeAnswers(empty=True))) as client:
        assert "No course yet" in client.get("/courses").text


def test_who_sees_no_individual_sees_outcomes_without_students():
    response = seen_by(Viewer("district", Role.AGGREGATE, courses=frozenset({"101"})), "/courses/101")
    page = Page(response.text)
    assert not [link for link in page.links() if link.startswith("/users")]
    assert "heat-map" not in response.text
    assert "By outcome" in texts(page, "h2")
    assert "hidden" in texts(page, "td")
