from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.models.stream import DeadLetterCount
from app.web.pages.charts import score_chart, time_chart

NOW = 1_790_000_000.0
HOUR = 3600

scores = st.dictionaries(
    st.integers(0, 1000).map(lambda cents: str(cents / 100)), st.integers(0, 500), max_size=40
)


@given(scores, st.none() | st.integers(0, 500).map(lambda c: c / 100), st.none() | st.floats(0.5, 10))
def test_every_score_is_in_one_bar_and_none_holds_both_sides_of_mastery(counts, mastery, points):
    chart = score_chart(counts, mastery, points)
    if not any(counts.values()):
        assert chart is None
        return
    assert sum(bar.count for bar in chart.bars) == sum(counts.values())
    assert len(chart.bars) <= 14
    assert all(before[0] < after[0] for before, after in pairwise(chart.ticks))
    assert (chart.ticks[0][0], chart.ticks[-1][0]) == (0, pytest.approx(100))
    assert max(bar.height for bar in chart.bars) == 100
    assert sum(bar.width for bar in chart.bars) == pytest.approx(100)
    mastered = sum(
        count for score, count in counts.items() if mastery is not None and float(score) >= mastery
    )
    assert sum(bar.count for bar in chart.bars if bar.mastered) == mastered
    if mastery is not None and mastery > 0:
        assert chart.place(mastery) in [pytest.approx(bar.left) for bar in chart.bars]


def test_bars_of_canvas_s_scale():
    chart = score_chart({"0.0": 1, "2.96": 2, "3.0": 3, "5.0": 4}, 3, 5)
    named = {bar.name: bar.count for bar in chart.bars if bar.count}
    assert named == {"0 to 0.5": 1, "2.5 to 3": 2, "3 to 3.5": 3, "4.5 to 5": 4}
    assert chart.ticks[-1] == (100, "5")
    assert chart.place(2.5) == 50


def test_mastery_at_the_top_has_a_bar_of_its_own():
    chart = score_chart({"4.0": 2, "3.9": 1}, 4, 4)
    assert [bar.count for bar in chart.bars if bar.mastered] == [2]


def test_mastery_between_handy_steps_moves_no_end_of_the_scale():
    chart = score_chart({"1.5": 1, "5.0": 2}, 3.75, 5)
    assert (chart.low, chart.high) == (0, 5)
    assert chart.ticks[0] == (0, "0")
    assert "3.75" in [text for _, text in chart.ticks]
    assert chart.bars[-1].count == 2


def counts(*pairs):
    return [
        DeadLetterCount(hour=NOW // HOUR * HOUR - HOUR * ago, kind="k", count=count) for ago, count in pairs
    ]


def test_what_is_recent_is_shown_by_hour():
    chart = time_chart(counts((0, 3), (35, 1)), NOW)
    assert (chart.unit, chart.most, chart.earlier, len(chart.bars)) == ("hour", 3, 0, 36)
    assert (chart.bars[-1].count, chart.bars[0].count) == (3, 1)
    assert chart.bars[-1].name == "21 Sep 2026, 14:00"
    assert all(0 <= at <= 100 for at, _ in chart.ticks)


def test_what_goes_back_further_is_shown_by_day():
    chart = time_chart(counts((0, 3), (1, 2), (48, 1), (24 * 40, 7)), NOW)
    assert (chart.unit, chart.most, chart.earlier, len(chart.bars)) == ("day", 5, 7, 31)
    assert chart.bars[-3].count == 1
    assert chart.bars[-1].name == "21 Sep 2026"


def test_one_kind_alone():
    assert time_chart(counts((0, 3)), NOW, "other") is None
    assert time_chart([], NOW) is None
