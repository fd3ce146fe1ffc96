from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from app.mastery.versions import Version, milliseconds, read_version
from tests.mastery.events import at, result


def test_update_then_updated_at_then_event_time_then_event_id():
    in_order = [
        result(sent=8, event_id="ff" * 16),
        result(sent=9, event_id="00" * 16),
        result(updated=1, sent=5),
        result(updated=2, sent=3),
        result(updated=2, sent=4, event_id="0a" * 16),
        result(updated=2, sent=4, event_id="a0" * 16),
    ]
    versions = [read_version(event) for event in in_order]
    assert all(earlier < later for earlier, later in pairwise(versions))


def test_time_is_that_of_the_update_else_that_of_the_event():
    assert read_version(result(updated=7, sent=9)).time == milliseconds(at(7))
    assert read_version(result(sent=9)).time == milliseconds(at(9))


def test_byte_identical_deliveries_have_one_version():
    assert read_version(result(updated=7)) == read_version(result(updated=7))
    assert not Version(True, 1, 1, b"a") < Version(True, 1, 1, b"a")


def test_milliseconds_of_any_zone_and_age():
    assert milliseconds(datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == 0
    assert milliseconds(datetime(2026, 3, 2, 8, 0, 0, 123999, tzinfo=UTC)) % 1000 == 123
    assert milliseconds(datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)) == -1
