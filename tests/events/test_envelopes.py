"""Envelopes are recognised by the event in them, opened if the setting says so, and named if not."""

import json
import time
from typing import Any

import pytest

from app.embedded.samples import sample_events
from app.events.envelopes import Unwrapper, check_envelopes, look_into
from app.events.errors import ErrorKind, EventRefused
from app.events.layers import Envelope, is_event
from tests.support.envelopes import PACKED_BY, jwt

SAMPLE = sample_events()[0].raw.strip()
PACKED = [pytest.param(*way, id=name) for name, way in PACKED_BY.items()]


@pytest.mark.parametrize(("envelopes", "pack"), PACKED)
def test_an_event_comes_out_as_the_bytes_that_went_in(envelopes: list[Envelope], pack: Any) -> None:
    for raw in (
        SAMPLE,
        SAMPLE.replace(b'"metadata"', b'"attributes"'),
        json.dumps(json.loads(SAMPLE)).encode(),
    ):
        contents = look_into(pack(raw))
        assert contents is not None
        assert contents.envelopes == envelopes
        assert {part.strip() for _, part in contents.parts} == {raw}


@pytest.mark.parametrize(("envelopes", "pack"), PACKED)
def test_only_what_the_setting_names_is_opened(envelopes: list[Envelope], pack: Any) -> None:
    raw = pack(SAMPLE)
    names = ",".join(envelopes)
    token = Envelope.JWT in envelopes
    for setting in (names, ",".join(Envelope), "auto,jwt", *(() if token else ("auto",))):
        assert {part.strip() for _, part in Unwrapper(setting)(raw, ErrorKind.NOT_JSON)} == {SAMPLE}
    for setting in ("none", "bom" if names != "bom" else "sns", *(("auto",) if token else ())):
        with pytest.raises(EventRefused) as refused:
            Unwrapper(setting)(raw, ErrorKind.NOT_JSON)
        assert (refused.value.kind, refused.value.path) == (ErrorKind.IN_ENVELOPE, "")
        assert f"in-envelope: {names} (MASTERY_RAW_ENVELOPE={names} takes it out" in str(refused.value)
        assert ("without checking who signed it" in str(refused.value)) == token


@pytest.mark.parametrize(("_envelopes", "pack"), PACKED)
@pytest.mark.parametrize(
    "inner", [b"{}", b'{"metadata": {}, "body": {}}', b'{"a": {"metadata": {"event_name": "x"}}}']
)
def test_what_holds_no_event_is_no_envelope(_envelopes: Any, pack: Any, inner: bytes) -> None:
    assert look_into(pack(inner + b" " * 80)) is None


@pytest.mark.parametrize(
    "raw",
    [
        SAMPLE,
        SAMPLE[:-1],
        b" " + SAMPLE,
        b"",
        b"\0",
        b"\0\0\0\0\x07",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"[]",
        b"[[]]",
        b"null",
        b'""',
        b'"text"',
        b"QUJD",
        b"A" * 100,
        b"a.b.c",
        jwt(SAMPLE, b"{}"),
        jwt(SAMPLE, b"[]"),
        jwt(SAMPLE) + b".fifth.part",
        b'{"Records": []}',
        b'{"Records": 5}',
        b'{"Records": [{"kinesis": {"data": "!"}}]}',
        b'{"Records": [{"kinesis": 1}]}',
        b'{"Records": [{"Sns": null}]}',
        b'{"schema": 1, "payload": 2}',
        b'{"Type": "SubscriptionConfirmation", "Message": "You have chosen"}',
        b"[" * 100_000,
        b'"\\ud800"',
        b"\xff\xfe" + b"{\0" * 3 + b"\0",
    ],
    ids=lambda raw: repr(raw)[:40],
)
def test_what_is_none(raw: bytes) -> None:
    assert look_into(raw) is None
    assert Unwrapper("auto")(raw, ErrorKind.NOT_JSON) is None


def test_a_refusal_that_no_envelope_leads_to_stays() -> None:
    for raw in (None, b"[" + SAMPLE + b"]"):
        assert Unwrapper("auto")(raw, ErrorKind.MISSING_FIELD) is None


def test_parts_of_several_are_numbered() -> None:
    contents = look_into(b"[" + SAMPLE + b',{"a":1},[' + SAMPLE + b"]]")
    assert contents is not None
    assert contents.parts == [("[0]", SAMPLE), ("[1]", b'{"a":1}'), ("[2][0]", SAMPLE)]


def test_envelopes_in_envelopes_come_to_an_end() -> None:
    raw = SAMPLE
    for _ in range(6):
        raw = b"[" + raw + b"]"
    assert look_into(raw) is not None
    assert look_into(b"[" + raw + b"]") is None


@pytest.mark.parametrize(
    "make",
    [
        lambda size: b"[" + b"[]," * (size // 3) + b"[]]",
        lambda size: b"[" + b'"a",' * (size // 4) + b'"b"]',
        lambda size: (
            b"[" + (b'{"metadata":{"event_name":"a"}' + b'," ":0' * 3 + b"},") * (size // 50) + b"{}]"
        ),
        lambda size: b"A" * size,
        lambda size: b"A" * (size - 1) + b"!",
        lambda size: b" " * size + b"A",
        lambda size: b"a." * (size // 2),
        lambda size: b'"' + b'\\"' * (size // 2) + b'"',
        lambda size: b'{"a":' * (size // 5),
        lambda size: b'{"Records":[' + b'{"messageId":1,"body":""},' * (size // 26) + b"1]}",
        lambda size: b"{" + b'"a":1,' * (size // 6) + b'"b":2}',
        lambda size: b"\xff\xfe" + b"[\0" * (size // 2),
    ],
)
def test_time_is_in_proportion_to_the_size(make: Any) -> None:
    def took(raw: bytes) -> float:
        times = []
        for _ in range(3):
            began = time.process_time()
            look_into(raw)
            times.append(time.process_time() - began)
        return min(times)

    small, large = make(60_000), make(960_000)
    # Sixteen times the size; a square would take 256 times as long.
    assert took(large) < 80 * max(took(small), 0.0005)
    assert took(large) < 3.0


def test_settings_are_tidied_and_checked() -> None:
    assert check_envelopes(" SQS, sns,sqs ") == "sqs,sns"
    assert check_envelopes("auto,JWT") == "auto,jwt"
    assert check_envelopes("None") == "none"
    for wrong in ("", ",", "none,sqs", "xml", "auto jwt"):
        with pytest.raises(ValueError, match="must be none"):
            check_envelopes(wrong)


def test_events_are_known_by_their_name() -> None:
    assert is_event(b'{"metadata": null, "attributes": {"event_name": "a"}}')
    assert not is_event(b'{"metadata": {"event_name": ""}}')
    assert not is_event(b'{"metadata": {"event_name": 5}}')
