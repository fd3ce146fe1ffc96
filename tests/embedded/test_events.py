import itertools
import json

from app.embedded.events import broken_events, endless_events
from app.embedded.samples import sample_events
from app.events.decode import EventDecoder
from app.events.errors import EventRefused
from app.schemas.contract import load_contract
from app.schemas.models import build_models


def decoder():
    contract = load_contract()
    return EventDecoder(contract, build_models(contract))


def test_every_broken_event_is_refused_in_its_own_way():
    decode, kinds = decoder(), []
    for raw in broken_events(sample_events()):
        try:
            decode(raw)
        except EventRefused as refused:
            kinds.append((refused.kind, refused.path))
    assert len(kinds) == len(broken_events(sample_events()))
    assert len({kind for kind, _ in kinds}) >= 6


def test_the_events_that_keep_coming_are_good_and_repeatable():
    decode = decoder()
    some = list(itertools.islice(endless_events(sample_events(), seed=3), 100))
    for raw in some:
        decode(raw)
    names = {json.loads(raw)["metadata"]["event_name"] for raw in some}
    assert names == set(load_contract().events)

    def without_time(raws):
        return [{**json.loads(raw), "metadata": None} for raw in raws]

    again = itertools.islice(endless_events(sample_events(), seed=3), 100)
    assert without_time(again) == without_time(some)
