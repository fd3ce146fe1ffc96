import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.backfill.errors import Problem, RowRefused
from app.backfill.fields import Fields

NOON = datetime(2026, 1, 12, 12, 0, 0, 500_999, tzinfo=UTC)
NOON_MS = 1_768_219_200_500


def one(value):
    return Fields({"x": value})


@pytest.mark.parametrize("null", [None, "", "__dap_unspecified__"])
def test_null_is_none_however_it_is_written(null):
    row = one(null)
    assert [row.identifier("x"), row.number("x"), row.integer("x"), row.boolean("x"), row.time("x")] == [
        None
    ] * 5
    assert Fields({}).text("x") is None
    assert one(math.nan).number("x") is None
    assert one(math.nan).identifier("x") is None


@pytest.mark.parametrize("value", [565, "565", 565.0, "565.0", " 565 "])
def test_an_id_is_text_whatever_it_was(value):
    assert one(value).identifier("x") == "565"


def test_what_is_no_number_stays_an_id():
    assert one("AbC0").identifier("x") == "AbC0"
    assert one("007").identifier("x") == "007"


@pytest.mark.parametrize(("value", "wanted"), [("4.50", 4.5), (4, 4.0), (4.5, 4.5)])
def test_numbers(value, wanted):
    assert one(value).number("x") == wanted


@pytest.mark.parametrize(
    ("value", "wanted"), [(True, True), ("true", True), ("F", False), ("1", True), (0, False)]
)
def test_booleans(value, wanted):
    assert one(value).boolean("x") is wanted


@pytest.mark.parametrize(
    "value",
    [
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=-7))),
        "2026-01-12T12:00:00.500Z",
        "2026-01-12 12:00:00.500",
        "2026-01-12T05:00:00.5009-07:00",
    ],
)
def test_times_are_milliseconds(value):
    assert one(value).time("x") == NOON_MS


def test_json_may_be_text():
    assert one('{"a": [1]}').json("x") == {"a": [1]}
    assert one({"a": 1}).json("x") == {"a": 1}


@pytest.mark.parametrize(
    ("method", "value", "problem"),
    [
        ("text", 5, Problem.WRONG_TYPE),
        ("identifier", True, Problem.WRONG_TYPE),
        ("identifier", 5.5, Problem.WRONG_TYPE),
        ("identifier", [], Problem.WRONG_TYPE),
        ("number", "many", Problem.WRONG_TYPE),
        ("number", math.inf, Problem.WRONG_TYPE),
        ("number", True, Problem.WRONG_TYPE),
        ("number", {}, Problem.WRONG_TYPE),
        ("integer", 2.5, Problem.WRONG_TYPE),
        ("boolean", "perhaps", Problem.WRONG_TYPE),
        ("time", "yesterday", Problem.INVALID_TIME),
        ("time", 1_768_219_200, Problem.INVALID_TIME),
        ("json", "{", Problem.WRONG_TYPE),
        ("required", "", Problem.MISSING_FIELD),
    ],
)
def test_what_is_not_right_is_named_without_its_value(method, value, problem):
    with pytest.raises(RowRefused) as caught:
        getattr(one(value), method)("x")
    assert (caught.value.problem, caught.value.field, str(caught.value)) == (problem, "x", f"{problem} x")
