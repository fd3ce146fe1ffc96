import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.web.models.groups import StepCount
from app.web.pages.colours import MARKS
from app.web.pages.outcomes import _cells
from app.web.pages.rendering import Pages
from app.web.pages.routes import page_routes
from app.web.pages.words import CANVAS_LEVELS
from app.web.security.guarded import GuardedAnswers
from app.web.security.viewer import FEWEST, Role, Viewer
from tests.web.fake_school import ACCOUNT, HOSTILE
from tests.web.fakes import FakeAnswers
from tests.web.pages.html import Page


def texts(page, tag):
    return [" ".join(one.text.split()) for one in page.all(tag)]


def seen_by(viewer, path):
    """The page as a login sees it that may not see everything."""
    answers = FakeAnswers(count=200)
    pages = Pages(
        answers_of=lambda _request: GuardedAnswers(answers),
        viewer_of=lambda _request: viewer,
        clock=lambda: answers.now,
    )
    with TestClient(Starlette(routes=page_routes(pages))) as client:
        return client.get(path)


def test_the_list_can_be_searched_and_the_search_stays_in_the_field(client):
    page = Page(client.get("/outcomes?q=photo").text)
    rows = [text for text in texts(page, "th") if "568" in text]
    assert rows == ["Explains photosynthesis 568 Most Recent Score"]
    (field,) = [one for one in page.all("input") if one.attributes["name"] == "q"]
    assert field.attributes["value"] == "photo"
    assert "No outcome has “zzz”" in client.get("/outcomes?q=zzz").text


def test_the_list_pages_on_with_its_search(client):
    page = Page(client.get("/outcomes?q=a&limit=2").text)
    (following,) = [one for one in page.all("a") if one.attributes.get("rel") == "next"]
    assert "q=a" in following.attributes["href"]
    assert "limit=2" in following.attributes["href"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=many", "limit"),
        ("limit=0", "limit"),
        ("x=1", "&#39;x&#39;"),
        ("cursor=0", "cursor"),
    ],
)
def test_what_cannot_be_understood_is_named(client, query, said):
    response = client.get(f"/outcomes?{query}")
    assert response.status_code == 400
    assert said in response.text


def cells(page):
    """What stands in the cells of levels, by label."""
    return [
        (one.attributes["data-label"], " ".join(one.text.split()))
        for one in page.all("td")
        if "tally-" in one.attributes.get("class", "")
    ]


def test_the_list_is_a_heat_map_of_levels_with_numbers_in_it(client, answers):
    (summary,) = [
        one
        for one in map(answers._summary, answers.school.outcomes.values())
        if one.title == "Explains photosynthesis"
    ]
    page = Page(client.get("/outcomes?q=photo").text)
    found = cells(page)
    assert [label for label, _ in found] == [*reversed(CANVAS_LEVELS)]
    for step, (_, text) in zip(summary.steps, found, strict=True):
        share = f"{step.students}{100 * step.students / summary.scored:.0f} %" if step.students else "0"
        assert text.replace(" ", "") == share.replace(" ", "")
    assert sum(step.students for step in summary.steps) == summary.scored
    assert sum(step.students for step in summary.steps[:2]) == summary.mastered
    headers = texts(page, "th")[-7:-1]
    assert all(mark in text for mark, text in zip(reversed(MARKS), headers, strict=False))
    assert "from 25 %" in client.get("/outcomes").text


def test_a_cell_leads_to_the_scores_in_it(client, answers):
    page = Page(client.get("/outcomes?q=photo").text)
    links = [link for link in page.links() if link.startswith("/mastery?outcome=568")]
    asked = f"/mastery?outcome=568&account={ACCOUNT}"
    assert links[:2] == [f"{asked}&score_from=4.0", f"{asked}&score_from=3.0&score_to=3.99"]
    for link in links:
        assert client.get(link).status_code == 200
    query = answers.asked[-len(links)][1]
    assert (query.outcome, query.score_from, query.score_to) == ("568", 4.0, None)


def test_shades_grow_with_the_share():
    def shades(*students):
        steps = tuple(StepCount(steps=(4 - place,), students=many) for place, many in enumerate(students))
        summary = FakeAnswers()._summary(next(iter(FakeAnswers().school.outcomes.values())))
        return [
            one.shade for one in _cells(summary.model_copy(update={"steps": steps, "scored": sum(students)}))
        ]

    assert shades(0, 9, 10, 25, 56) == [0, 1, 2, 3, 4]
    assert shades(100, 0, 0, 0, 0) == [5, 0, 0, 0, 0]


def test_who_sees_no_individual_sees_joined_levels_in_the_list_and_no_links():
    text = seen_by(Viewer("district", Role.AGGREGATE), "/outcomes").text
    assert "groups of ten and more" in text
    page = Page(text)
    assert not [link for link in page.links() if link.startswith("/mastery?")]
    found = cells(page)
    assert any(" or " in label for label, _ in found)
    assert all(int(re.match(r"[0-9,]+", text)[0]) >= FEWEST for _, text in found)
    spans = [
        int(one.attributes.get("colspan", 1))
        for one in page.all("td")
        if "step" in one.attributes.get("class", "").split()
    ]
    # Five levels and No evidence on each line.
    assert sum(spans) == 6 * len(list(page.all("tr"))[1:])


def test_one_outcome(client, answers):
    response = client.get("/outcomes/565")
    page = Page(response.text)
    assert texts(page, "h1") == ["Adds and subtracts fractions"]
    levels = [text for text in texts(page, "th") if text[0] in MARKS]
    assert levels[:3] == ["▲Exceeds Mastery mastery", "●Mastery mastery", "◐Near Mastery"]
    # The history marks what changed, and only where there was something before.
    marked = [text for text in texts(page, "td") if text.endswith("changed")]
    assert marked == [
        "Adds and subtracts fractions changed",
        "Weighted Average (65/35) changed",
        f"{HOSTILE} changed",
        "Most Recent Score changed",
    ]
    assert "How this can differ from Canvas" in response.text
    assert "New Quizzes" in response.text
    assert "with a result" in response.text
    pictures = [one.attributes["aria-label"] for one in page.all("svg") if "aria-label" in one.attributes]
    assert any("Mean" in text and "median" in text for text in pictures)
    assert answers.asked[-1] == ("outcome", "565")


def test_an_outcome_that_no_event_told_of_has_no_numbers(client):
    text = client.get("/outcomes/574").text
    assert "No event has told how it is calculated" in text
    assert "scale unknown" in text


def test_an_outcome_that_is_not_there(client):
    assert client.get("/outcomes/nothing").status_code == 404


def test_colours_of_the_scale_are_the_bars(client):
    page = Page(client.get("/outcomes/568").text)
    fills = {one.attributes.get("fill") for one in page.all("rect")}
    assert {"#0b874b", "#03893d", "#fab901"} & fills


def test_who_sees_no_individual_sees_groups_and_why_not_more():
    response = seen_by(Viewer("district", Role.AGGREGATE), "/outcomes/565")
    page = Page(response.text)
    assert "groups of ten and more" in response.text
    assert not [link for link in page.links() if link.startswith(("/users", "/mastery"))]
    levels = [text for text in texts(page, "th") if "Mastery" in text]
    assert any(" or " in text for text in levels)


def test_who_sees_some_courses_sees_their_students_and_no_totals():
    viewer = Viewer("teacher", Role.VIEWER, courses=frozenset({"101"}))
    response = seen_by(viewer, "/outcomes/565")
    assert "over all courses are not shown to this login" in response.text
    assert response.text.count(">hidden<") > 3
    assert "No evidence" not in response.text


def test_a_scale_of_its_own_has_steps_counted_from_mastery(client):
    page = Page(client.get("/outcomes/569").text)
    levels = [text for text in texts(page, "th") if text[0] in MARKS]
    assert levels == ["▲Distinguished mastery", "●Proficient mastery", "◐Developing", "○Beginning"]


def test_outcomes_of_several_root_accounts_say_whose_they_are(client, answers, monkeypatch):
    assert "Root account" not in client.get("/outcomes").text
    of_one = answers._summary

    def of_two(outcome):
        return of_one(outcome).model_copy(update={"root_account_uuid": f"account-{int(outcome.id) % 2}"})

    monkeypatch.setattr(answers, "_summary", of_two)
    page = Page(client.get("/outcomes").text)
    assert {"/outcomes?account=account-0", "/outcomes?account=account-1"} <= set(page.links())
