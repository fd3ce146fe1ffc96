"""Events in envelopes through the router: taken out whole, or refused whole, with ids of their own."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from app.deadletter import parse_headers
from app.events.envelopes import Envelope
from app.settings import load_settings
from app.stream.batch import Output
from app.worker import build_router
from tests.agents.test_router import CONTRACT, IDS, SAMPLES, decoded, raw, route
from tests.support.envelopes import PACKED_BY

PLAIN, AUTO, ALL = (
    build_router(load_settings(raw_envelope=setting), CONTRACT, IDS)
    for setting in ("none", "auto", "auto,jwt")
)
for _router in (PLAIN, AUTO, ALL):
    _router._clock = lambda: 1_800_000_000_000_000_000
PACKED = [pytest.param(*way, id=name) for name, way in PACKED_BY.items()]
IGNORED = b'{"metadata":{"event_name":"logged_in","event_time":"2024-01-01T00:00:00Z"},"body":{}}'
Pack = Callable[[bytes], bytes]


def message(output: Output) -> str:
    (dead,) = output.dead
    why = parse_headers(dead[7])
    assert why is not None
    assert output.dead_letters == {why.kind: 1}
    return why.message


@pytest.mark.parametrize(("_envelopes", "pack"), PACKED)
def test_what_comes_out_is_what_comes_of_the_plain_event(_envelopes: Any, pack: Pack) -> None:
    for sample in SAMPLES:
        value = sample.raw.strip()
        alone, packed = route(raw(value), router=ALL), route(raw(pack(value)), router=ALL)
        assert not packed.dead
        assert [record for record in packed.typed if record not in alone.typed] == []
        assert (packed.newest, packed.events.keys()) == (alone.newest, alone.events.keys())
        assert packed.events.total() == len(packed.typed)
        assert decoded(*packed.typed[0][:2])["event_id"] == sha256(value).hexdigest()[:32]


@pytest.mark.parametrize(("envelopes", "pack"), PACKED)
def test_unasked_they_are_named_and_kept(envelopes: list[Envelope], pack: Pack) -> None:
    value = pack(SAMPLES[0].raw)
    output = route(raw(value), router=PLAIN)
    assert message(output).startswith(f"in-envelope: {','.join(envelopes)} (MASTERY_RAW_ENVELOPE=")
    assert (output.dead[0][1], output.typed, output.events) == (value, [], {})


def test_events_of_one_record_keep_their_order_and_have_ids_of_their_own() -> None:
    values = [sample.raw.strip() for sample in SAMPLES]
    output = route(raw(b"[" + b", ".join([*values, IGNORED]) + b"]"), router=AUTO)
    assert output.typed == route(*map(raw, values), router=AUTO).typed
    assert output.ignored == {"logged_in": 1}
    assert not output.dead


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (b"5", "not-an-object at [1]"),
        (b'{"metadata": {"event_name": "nobody_knows"}}', "unknown-event at [1].metadata.event_name"),
        (SAMPLES[0].raw.replace(b'"event_time"', b'"time"'), "missing-field at [1].metadata.event_time"),
        (
            SAMPLES[0].raw.replace(b'"body": {', b'"body": {"novelty": "' + b"x" * 2_000_000 + b'", '),
            "too-large at [1]",
        ),
    ],
    ids=lambda part: repr(part)[:30],
)
def test_where_one_is_broken_none_is_written(broken: bytes, kind: str) -> None:
    good = SAMPLES[0].raw
    value = b"[" + good + b"," + broken + b"," + IGNORED + b"]"
    output = route(raw(value), raw(good), router=AUTO)
    assert message(output) == kind
    assert output.dead[0][1] == value
    # The record beside it is untouched.
    assert output.typed == route(raw(good), router=AUTO).typed
    assert output.ignored == {}


def test_a_record_of_too_many_events_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.events.envelopes._MOST_EVENTS", 10)
    assert message(route(raw(b"[" + b",".join([IGNORED] * 11) + b"]"), router=AUTO)) == "too-large"
    assert route(raw(b"[" + b",".join([IGNORED] * 10) + b"]"), router=AUTO).ignored == {"logged_in": 10}


def test_a_broken_event_alone_in_its_envelope_is_told_as_if_it_were_plain() -> None:
    broken = SAMPLES[0].raw.replace(b'"event_time"', b'"time"')
    assert message(route(raw(json.dumps(broken.decode()).encode()), router=AUTO)) == (
        "missing-field at metadata.event_time"
    )


@pytest.mark.parametrize(("_envelopes", "pack"), PACKED)
def test_a_dead_letter_that_is_replayed_with_another_setting_becomes_the_event(
    _envelopes: Any, pack: Pack
) -> None:
    value = SAMPLES[0].raw.strip()
    record = raw(pack(value), headers=(("via", b"relay"),))
    (dead,) = route(record, router=PLAIN).dead
    letter = parse_headers(dead[7])
    assert letter is not None
    again = raw(dead[1], key=dead[2], timestamp=dead[6], headers=tuple(letter.original))
    assert again == record
    output = route(again, router=ALL)
    assert not output.dead
    assert {typed[:3] for typed in output.typed} == {route(raw(value), router=PLAIN).typed[0][:3]}
