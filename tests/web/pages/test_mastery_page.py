from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.models.mastery import MasteryQuery, Sort
from app.web.pages.mastery import query_of, read_query
from app.web.pages.rendering import href
from app.web.problems import BadParameter
from tests.web.pages.html import Page

QUERY = "user=u%201&outcome=frac%26&course=101&account=a&mastered=false&score_from=0&score_to=2.5&sort=-score"


def _field(page, name):
    return next(one for one in page.all("input", "select") if one.attributes.get("name") == name)


def _chosen(page):
    return [one.attributes["value"] for one in page.all("option") if "selected" in one.attributes]


def test_the_query_in_the_address_is_what_is_asked(client, answers):
    client.get(f"/mastery?{QUERY}&limit=20")
    assert answers.asked == [
        (
            "mastery",
            MasteryQuery(
                user="u 1",
                outcome="frac&",
                course="101",
                account="a",
                mastered=False,
                score_from=0,
                score_to=2.5,
                sort=Sort.SCORE_DOWN,
                limit=20,
            ),
        )
    ]


def test_the_form_holds_what_was_asked(client):
    page = Page(client.get(f"/mastery?{QUERY}&limit=20").text)
    held = {one.attributes.get("name"): one.attributes.get("value") for one in page.all("input")}
    assert held == {
        "user": "u 1",
        "outcome": "frac&",
        "course": "101",
        "account": "a",
        "score_from": "0",
        "score_to": "2.5",
        "limit": "20",
    }
    assert _chosen(page) == ["false", "-score"]


def test_fields_that_are_left_empty_ask_for_nothing(client, answers):
    response = client.get(
        "/mastery?user=&outcome=+&course=&account=&mastered=&score_from=&score_to=&sort=student"
    )
    assert response.status_code == 200
    assert answers.asked == [("mastery", MasteryQuery())]


def test_pages_follow_each_other_and_keep_the_query(client, answers):
    seen, address = [], "/mastery?outcome=a&sort=-score&limit=7"
    while address:
        page = Page(client.get(address).text)
        seen += [one.text for one in page.all("tr") if "tbody" in one.parents]
        after = [one.attributes["href"] for one in page.all("a") if one.attributes.get("rel") == "next"]
        address = after[0] if after else None
        if address:
            assert {**parse_qs(urlsplit(address).query), "cursor": []} == {
                "outcome": ["a"],
                "sort": ["-score"],
                "limit": ["7"],
                "cursor": [],
            }
    fit = [row for row in answers.rows() if "a" in (row.outcome_title or "").lower()]
    assert len(seen) == len(fit)
    assert [one.attributes["href"] for one in page.all("a") if one.attributes.get("rel") == "prev"]


def test_csv_and_json_are_of_what_is_shown(client):
    page = Page(client.get("/mastery?outcome=a&limit=7&cursor=at7").text)
    links = {
        one.text: urlsplit(one.attributes["href"]) for one in page.all("a") if one.text in {"CSV", "JSON"}
    }
    shown = {"outcome": ["a"], "limit": ["7"], "cursor": ["at7"]}
    assert links["JSON"].path == links["CSV"].path == "/api/mastery"
    assert parse_qs(links["JSON"].query) == shown
    assert parse_qs(links["CSV"].query) == {**shown, "format": ["csv"]}


def test_headings_sort_from_the_first_page_and_say_how_it_is_sorted(client):
    page = Page(client.get("/mastery?outcome=a&sort=-score&cursor=at7&limit=7").text)
    heads = {one.text.split(" ")[0]: one for one in page.all("th") if one.attributes.get("scope") == "col"}
    assert heads["Score"].attributes["aria-sort"] == "descending"
    assert "aria-sort" not in heads["Student"].attributes
    links = [one.attributes["href"] for one in page.all("a") if "thead" in one.parents]
    assert {parse_qs(urlsplit(link).query)["sort"][0] for link in links if "sort" in link} >= {
        "score",
        "-assessed",
    }
    assert not [link for link in links if "cursor" in link]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("sort=name", "sort"),
        ("score_from=high", "score_from"),
        ("score_to=inf", "score_to"),
        ("mastered=perhaps", "mastered"),
        ("colour=%3Cb%3E", "colour"),
        ("cursor=zzz", "cursor"),
        (f"user={'x' * 300}", "user"),
    ],
)
def test_what_cannot_be_understood_is_named(client, query, told):
    response = client.get(f"/mastery?{query}")
    assert response.status_code == 400
    assert told in [one.text for one in Page(response.text).all("code")]
    assert "x" * 300 not in response.text


def test_an_unknown_parameter_is_refused_without_being_shown_as_html(client):
    response = client.get("/mastery?%3Cscript%3E=1")
    assert response.status_code == 400
    assert "<script>" not in response.text.replace('<script src="', "")


def test_a_search_without_rows_says_how_to_find_them(client):
    page = Page(client.get("/mastery?outcome=nowhere").text)
    assert "No row fits" in page.source
    assert not page.all("table")


def test_scores_of_courses_come_before_the_one_over_all(client):
    heads = [one.text.strip(" ▲▼↕") for one in Page(client.get("/mastery").text).all("th")]
    assert heads.index("Score in the course") < heads.index("Over all courses")


@given(
    st.builds(
        MasteryQuery,
        user=st.none() | st.text(min_size=1, max_size=20).filter(str.strip),
        outcome=st.none() | st.text(min_size=1, max_size=20).filter(str.strip),
        mastered=st.none() | st.booleans(),
        score_from=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        sort=st.sampled_from(Sort),
        limit=st.integers(1, 500),
    )
)
def test_every_query_survives_its_address(query):
    given_back = parse_qs(urlsplit(href("/mastery", **query_of(query))).query)
    assert read_query({name: values[0] for name, values in given_back.items()}) == query


def test_a_problem_of_reading_holds_no_value():
    with pytest.raises(BadParameter) as refused:
        read_query({"score_from": "secret"})
    assert "secret" not in str(refused.value)
