from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mastery.blob import (
    FORMAT,
    BlobError,
    MalformedBlobError,
    UnknownFormatError,
    decode,
    decode_row,
    encode,
)
from app.mastery.results import Results
from app.mastery.snapshot import RowKey
from tests.mastery.events import HISTORIES, only_row, outcome, result, results_of, rows_of

KEY = RowKey("account-uuid", "student", "7")


@settings(max_examples=30, deadline=None)
@given(HISTORIES)
def test_what_was_encoded_is_decoded(history):
    rows = rows_of(history)
    for key, results in results_of(history).items():
        blob = encode(results, rows[key])
        assert decode(key, blob) == (results, rows[key])
        assert encode(*decode(key, blob)) == blob
        assert decode(key, encode(results, None)) == (results, None)
        assert decode_row(key, blob) == rows[key]
        assert decode_row(key, encode(results, None)) is None


def test_a_decoded_state_goes_on_as_the_one_that_was_encoded():
    moved = [result(updated=1), result(updated=2, artifact_id="23")]
    (results,) = results_of(moved).values()
    taken_up, _ = decode(KEY, encode(results, None))
    assert taken_up == results
    assert taken_up.former_works == results.former_works != []


def test_the_same_state_gives_the_same_bytes_whatever_came_first():
    events = [result(id=str(i), artifact_id=str(i % 3), updated=i % 2) for i in range(6)]
    first, second = (next(iter(results_of(order).values())) for order in (events, events[::-1]))
    assert encode(first, None) == encode(second, None)


def test_the_key_is_not_repeated():
    blob = encode(Results(), only_row([outcome(), result()]))
    assert b"account-uuid" not in blob
    assert b"student" not in blob


@pytest.mark.parametrize("number", [0, FORMAT + 1, 255])
def test_another_format_is_told_by_its_number(number):
    blob = encode(Results(), None)
    with pytest.raises(UnknownFormatError) as caught:
        decode(KEY, bytes([number]) + blob[1:])
    assert caught.value.format == number


def test_damaged_bytes_are_refused():
    (results,) = results_of([result()]).values()
    blob = encode(results, only_row([outcome(), result()]))
    for damaged in (*(blob[:end] for end in range(len(blob))), blob + b"\x00"):
        with pytest.raises(MalformedBlobError):
            decode(KEY, damaged)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_state_or_refused(data):
    with suppress(BlobError):
        decode(KEY, bytes([FORMAT]) + data)
