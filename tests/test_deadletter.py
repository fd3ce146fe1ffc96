from hypothesis import given
from hypothesis import strategies as st

from app.deadletter import DeadLetter, dead_letter_headers, parse_headers

texts = st.text(st.characters(exclude_categories=["Cs"]))
original_headers = st.lists(
    st.tuples(
        texts.filter(lambda name: not name.startswith(("__streams.", "mastery."))), st.none() | st.binary()
    )
)
REASON = {
    "kind": "not-json",
    "exception": "EventRefused",
    "message": "not-json",
    "topic": "canvas.live-events",
    "partition": 3,
    "offset": 41,
}


@given(
    original_headers,
    st.fixed_dictionaries(
        dict.fromkeys(["kind", "exception", "message", "topic"], texts)
        | {"partition": st.integers(0, 2**31 - 1), "offset": st.integers(0, 2**63 - 1)}
    ),
)
def test_what_is_written_is_read(original: list[tuple[str, bytes | None]], reason: dict) -> None:
    headers = dead_letter_headers(original, **reason)
    kept = [(name.replace("\0", r"\x00"), value) for name, value in original]
    assert headers[: len(original)] == kept
    assert parse_headers(headers) == DeadLetter(**reason, original=kept)


def test_a_name_with_a_zero_byte_does_not_become_another_one() -> None:
    assert dead_letter_headers([("trace\0parent", b"1")], **REASON)[0] == (r"trace\x00parent", b"1")


def test_names_are_those_of_kip_1034() -> None:
    assert dead_letter_headers([("trace", b"1")], **REASON) == [
        ("trace", b"1"),
        ("__streams.errors.exception", b"EventRefused"),
        ("__streams.errors.message", b"not-json"),
        ("__streams.errors.topic", b"canvas.live-events"),
        ("__streams.errors.partition", b"3"),
        ("__streams.errors.offset", b"41"),
        ("mastery.error.kind", b"not-json"),
    ]


def test_a_record_that_failed_twice_tells_the_last_time() -> None:
    once = dead_letter_headers([("trace", b"1")], **REASON)
    twice = dead_letter_headers(once, **REASON | {"offset": 99, "kind": "not-utf8"})
    letter = parse_headers(twice)
    assert letter is not None
    assert (letter.offset, letter.kind, letter.original) == (99, "not-utf8", [("trace", b"1")])


def test_other_records_are_no_dead_letters() -> None:
    headers = dead_letter_headers([], **REASON)
    assert parse_headers([]) is None
    assert parse_headers([("trace", b"1")]) is None
    for name, _ in headers:
        assert parse_headers([header for header in headers if header[0] != name]) is None
    for broken in (b"", None, b"x", b"1.5", b"\xff"):
        assert parse_headers([*headers, ("__streams.errors.offset", broken)]) is None


@given(st.lists(st.tuples(st.text(), st.none() | st.binary())))
def test_any_headers_can_be_read(headers: list[tuple[str, bytes | None]]) -> None:
    assert parse_headers(headers) is None
