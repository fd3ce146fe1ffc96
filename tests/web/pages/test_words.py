import pytest

from app.web.pages import words


@pytest.mark.parametrize(
    ("method", "n", "name"),
    [
        ("highest", None, "Highest Score"),
        ("latest", None, "Most Recent Score"),
        ("average", None, "Average"),
        ("n_mastery", 5, "5 Number of Times"),
        ("n_mastery", None, "n Number of Times"),
        ("decaying_average", 65, "Weighted Average (65/35)"),
        ("weighted_average", 80, "Weighted Average (80/20)"),
        ("standard_decaying_average", 65, "Decaying Average (65/35)"),
        ("of tomorrow", 3, "of tomorrow"),
        (None, None, "unknown method"),
    ],
)
def test_methods_are_called_as_in_canvas(method, n, name):
    assert words.method_words(method, n) == name


@pytest.mark.parametrize("method", ["decaying_average", "weighted_average", "standard_decaying_average"])
def test_without_the_feature_flag_the_older_formula_is_the_decaying_average(method):
    assert words.method_words(method, 65, new_names=False) == "Decaying Average (65/35)"


def test_no_number_is_a_dash_and_nought_is_nought():
    dash = "\N{EN DASH}"
    assert (words.number(None), words.count(None), words.percent(None), words.byte_count(None)) == (dash,) * 4
    assert (words.number(0), words.count(0), words.percent(0), words.byte_count(0)) == (
        "0",
        "0",
        "0 %",
        "0 bytes",
    )
    assert words.percent(3, 0) == dash


@pytest.mark.parametrize(
    ("value", "text"), [(3, "3"), (3.25, "3.25"), (2.5, "2.5"), (100, "100"), (-0.5, "-0.5"), (4.129, "4.13")]
)
def test_numbers_have_no_needless_zeros(value, text):
    assert words.number(value) == text


def test_small_and_nearly_whole_shares_are_not_rounded_away():
    assert words.percent(1, 1000) == "0.1 %"
    assert words.percent(999, 1000) == "99.9 %"
    assert words.percent(1.2) == "120 %"


def test_threshold_stands_in_words():
    assert words.threshold(3, 5) == "mastery at 3 of 5"
    assert words.threshold(2.5, None) == "mastery at 2.5"
    assert words.threshold(None, None) == "scale unknown"


def test_levels_have_steps_and_the_scales_own_names_two():
    assert [words.level_step(name, mastery=None) for name in words.CANVAS_LEVELS] == [0, 1, 2, 3, 4]
    assert words.level_step("Proficient", mastery=True) == 3
    assert words.level_step("Beginning", mastery=False) == 1
    assert words.level_step(None, mastery=None) is None


@pytest.mark.parametrize(
    ("past", "text"),
    [
        (-60, "just now"),
        (0, "just now"),
        (5, "5 s ago"),
        (90, "2 min ago"),
        (3600, "1 h ago"),
        (200_000, "2 d ago"),
    ],
)
def test_how_long_ago(past, text):
    assert words.ago(1_000_000 - past, 1_000_000) == text


def test_rates_are_in_a_handy_unit():
    assert [words.rate(each) for each in (0, 0.001, 0.5, 1.75, 12_000.4)] == [
        "0/s",
        "< 1/min",
        "30/min",
        "1.8/s",
        "12,000/s",
    ]
