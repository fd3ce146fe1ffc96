from collections import Counter
from contextlib import suppress
from datetime import date, timedelta
from itertools import islice

import pytest

from app.embedded.events import FIRST_OF_SCHOOL, demo_events, first_events
from app.embedded.samples import sample_events
from app.events.decode import EventDecoder
from app.events.errors import ErrorKind, EventIgnored, EventRefused
from app.schemas.contract import load_contract
from app.schemas.models import build_models

CONTRACT = load_contract()
TODAY = date(2026, 3, 2)
# Of 200 KB and more, and nothing to look at; and what the decoder alone does not say.
LEFT_OUT = {ErrorKind.TOO_LARGE, ErrorKind.IGNORED_EVENT, ErrorKind.IN_ENVELOPE}


def outcome_of(decode, raw):
    try:
        return decode(raw).metadata.event_name
    except EventRefused as refused:
        return refused.kind
    except EventIgnored:
        return None


def test_every_event_is_what_the_demo_thinks_it_is():
    decode = EventDecoder(CONTRACT, build_models(CONTRACT))
    for event in islice(demo_events(TODAY), 3000):
        came = outcome_of(decode, event.raw)
        assert (event.event_name, event.dead) == (
            (None, True) if isinstance(came, ErrorKind) else (came, False)
        )


def test_the_first_have_something_of_everything():
    decode = EventDecoder(CONTRACT, build_models(CONTRACT))
    first = first_events(demo_events(TODAY))
    assert len(first) == len(sample_events()) + FIRST_OF_SCHOOL
    counts = Counter(outcome_of(decode, event.raw) for event in first)
    assert counts.keys() == {*CONTRACT.events, *(set(ErrorKind) - LEFT_OUT), None}
    assert max(len(event.raw or b"") for event in first) < 16_384


def test_the_examples_come_first_and_the_rest_can_be_repeated():
    samples = sample_events()
    some = list(islice(demo_events(TODAY), 100))
    assert [event.raw for event in some[: len(samples)]] == [sample.raw for sample in samples]
    assert some == list(islice(demo_events(TODAY), 100))


@pytest.mark.parametrize("day", range(7))
def test_the_first_are_of_the_week_up_to_today(day):
    decode = EventDecoder(CONTRACT, build_models(CONTRACT))
    today = TODAY + timedelta(day)
    times = []
    for event in first_events(demo_events(today)):
        with suppress(EventRefused, EventIgnored):
            times.append(decode(event.raw).metadata.event_time)
    assert today - timedelta(days=7) < max(times).date() <= today
