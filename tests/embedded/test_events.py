from collections import Counter
from itertools import islice

from app.embedded.events import FIRST_OF_SCHOOL, demo_events, first_events
from app.embedded.samples import sample_events
from app.events.decode import EventDecoder
from app.events.errors import ErrorKind, EventIgnored, EventRefused
from app.schemas.contract import load_contract
from app.schemas.models import build_models

CONTRACT = load_contract()
# Of 200 KB and more, and nothing to look at.
LEFT_OUT = {ErrorKind.TOO_LARGE, ErrorKind.IGNORED_EVENT}


def outcome_of(decode, raw):
    try:
        return decode(raw).metadata.event_name
    except EventRefused as refused:
        return refused.kind
    except EventIgnored:
        return None


def test_every_event_is_what_the_demo_thinks_it_is():
    decode = EventDecoder(CONTRACT, build_models(CONTRACT))
    for event in islice(demo_events(), 3000):
        came = outcome_of(decode, event.raw)
        assert (event.event_name, event.dead) == (
            (None, True) if isinstance(came, ErrorKind) else (came, False)
        )


def test_the_first_have_something_of_everything():
    decode = EventDecoder(CONTRACT, build_models(CONTRACT))
    first = first_events(demo_events())
    assert len(first) == len(sample_events()) + FIRST_OF_SCHOOL
    counts = Counter(outcome_of(decode, event.raw) for event in first)
    assert counts.keys() == {*CONTRACT.events, *(set(ErrorKind) - LEFT_OUT), None}
    assert max(len(event.raw or b"") for event in first) < 16_384


def test_the_examples_come_first_and_the_rest_can_be_repeated():
    samples = sample_events()
    some = list(islice(demo_events(), 100))
    assert [event.raw for event in some[: len(samples)]] == [sample.raw for sample in samples]
    assert some == list(islice(demo_events(), 100))
