import pytest
from starlette.requests import Request

from app.web.models.stream import DeadLetterQuery
from app.web.pages.asked import GridQuery, ListQuery, SearchQuery, asked
from app.web.problems import BadParameter


def request(query):
    return Request({"type": "http", "headers": [], "query_string": query.encode()})


def test_what_a_form_sends_empty_is_not_sent():
    query = asked(request("q=&account=%20&limit=7"), SearchQuery)
    assert query == SearchQuery(limit=7)
    assert asked(request("kind=%20not-json%20&event="), DeadLetterQuery).kind == "not-json"


@pytest.mark.parametrize(
    ("query", "form", "name"),
    [
        ("limit=x", ListQuery, "limit"),
        ("limit=501", ListQuery, "limit"),
        ("limit=101", GridQuery, "limit"),
        (f"q={'x' * 300}", SearchQuery, "q"),
        ("q=1", ListQuery, "q"),
        ("cursor=" + "x" * 2000, DeadLetterQuery, "cursor"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(query, form, name):
    with pytest.raises(BadParameter) as raised:
        asked(request(query), form)
    assert raised.value.more["parameter"] == name
    assert name in str(raised.value)
    assert "xxx" not in str(raised.value)
