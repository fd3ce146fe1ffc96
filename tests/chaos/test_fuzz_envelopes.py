"""Hostile things in envelopes, with routers that open none, some and all: one fate, and no exception."""

from hypothesis import strategies as st

from app.settings import load_settings
from app.worker import build_router
from tests.agents.test_router import CONTRACT, IDS, decoded, raw, route
from tests.chaos.fuzz_inputs import hostile_events, hostile_values
from tests.chaos.fuzz_rounds import fuzz
from tests.support.envelopes import PACKED_BY

ROUTERS = [
    build_router(load_settings(raw_envelope=setting), CONTRACT, IDS)
    for setting in ("none", "auto", "auto,jwt")
]


@st.composite
def packed(draw: st.DrawFn) -> bytes:
    """Hostile things in envelopes, whole or cut."""
    value = draw(hostile_events() | hostile_values.map(lambda value: value or b""))
    for _ in range(draw(st.integers(1, 4))):
        _, pack = PACKED_BY[draw(st.sampled_from(sorted(PACKED_BY)))]
        try:
            value = pack(value)
        except UnicodeDecodeError:
            break
    if draw(st.integers(0, 4)) == 0:
        value = value[: draw(st.integers(0, len(value)))]
    return value


@fuzz(packed(), examples=150)
def test_whatever_is_packed_has_one_fate(value: bytes) -> None:
    """A record in an envelope is taken whole or refused whole, with its bytes."""
    record = raw(value)
    for router in ROUTERS:
        output = route(record, router=router)
        assert bool(output.typed or output.ignored) != bool(output.dead)
        assert output.events.total() == len(output.typed)
        assert [dead[1] for dead in output.dead] == ([value] if output.dead else [])
        for topic, encoded, *_ in output.typed:
            decoded(topic, encoded)
