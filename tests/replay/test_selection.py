import itertools
from datetime import UTC, datetime

import pytest

from app.replay.selection import Selection, parse_since
from tests.replay.letters import letter, why

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
HOUR = 3_600_000
AT_EIGHT = 1_777_881_600_000


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("90s", AT_EIGHT - 90_000),
        ("15m", AT_EIGHT - HOUR // 4),
        ("2h", AT_EIGHT - 2 * HOUR),
        ("3d", AT_EIGHT - 72 * HOUR),
        ("1w", AT_EIGHT - 7 * 24 * HOUR),
        ("2026-05-04T08:00Z", AT_EIGHT),
        ("2026-05-04T10:00:00.250+02:00", AT_EIGHT + 250),
    ],
)
def test_times_and_spans(text, milliseconds):
    assert parse_since(text, now=NOW) == milliseconds


@pytest.mark.parametrize("text", ["2026-05-04", "2026-05-04T08:00"])
def test_a_time_without_an_offset_could_be_anybodys(text):
    with pytest.raises(ValueError, match=f"^{text} needs an offset"):
        parse_since(text, now=NOW)


@pytest.mark.parametrize("text", ["", "yesterday", "2", "2 h", "-2h", "2y", "h", "1.5h"])
def test_neither_a_time_nor_a_span(text):
    with pytest.raises(ValueError, match="is neither a time nor a span"):
        parse_since(text, now=NOW)


def event(name):
    return b'{"metadata": {"event_name": "%s"}}' % name


LETTERS = [
    letter((partition, offset), value, why(kind), timestamp=1_700_000_000_000 + offset)
    for partition in range(2)
    for offset, (kind, value) in enumerate(
        itertools.product(
            ["missing-field", "wrong-type", "not-json"],
            [event(b"a"), event(b"b"), b"no JSON", None, b"[]", b'{"metadata": 1}', b'{"attributes": []}'],
        )
    )
]


def chosen(**filters):
    return {letter.place for letter in LETTERS if Selection(**filters).has(letter)}


def test_filters_narrow_together_whatever_their_order():
    filters = {
        "kinds": frozenset({"wrong-type", "not-json"}),
        "events": frozenset({"a"}),
        "since": 1_700_000_000_001,
        "places": frozenset({(0, 7), (0, 8), (1, 14), (1, 0)}),
    }
    for count in range(len(filters) + 1):
        for names in itertools.permutations(filters, count):
            expected = {letter.place for letter in LETTERS}
            for name in names:
                expected &= chosen(**{name: filters[name]})
            assert chosen(**{name: filters[name] for name in names}) == expected
    assert chosen(**filters) == {(0, 7), (1, 14)}


def test_several_of_one_kind_of_filter_widen():
    assert chosen(events=frozenset({"a", "b"})) == chosen(events=frozenset({"a"})) | chosen(
        events=frozenset({"b"})
    )
    assert len(chosen()) == len(LETTERS)
