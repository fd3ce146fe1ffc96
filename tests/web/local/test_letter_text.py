import json

from hypothesis import given
from hypothesis import strategies as st

from app.web.local.letter_text import escaped, indented_json

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(anything)
def test_json_laid_out_is_the_same_json(value):
    # All in ASCII, as what turns the direction of text is written otherwise.
    raw = json.dumps(value).encode()
    text, cut = indented_json(raw)
    assert json.loads(text) == value
    assert not cut


def test_json_is_laid_out_as_it_is_written():
    raw = b'{"a":1.00,"a":[],"b":{"c":[1e400,{}]},"d":"x, {y}: \\"z\\""}'
    expected = (
        '{\n  "a": 1.00,\n  "a": [],\n  "b": {\n    "c": [\n      1e400,\n      {}\n    ]\n  },\n'
        '  "d": "x, {y}: \\"z\\""\n}'
    )
    assert indented_json(raw) == (expected, False)


def test_what_is_no_json_is_not_laid_out():
    for raw in (b"", b"{", b"\xff", b"NaN", b"[" * 100_000, b"{} {}"):
        assert indented_json(raw) is None


def test_long_json_is_cut():
    text, cut = indented_json(json.dumps(list(range(1000))).encode(), 100)
    assert (len(text), cut) == (100, True)
    assert indented_json(b"[" * 500 + b"1" + b"]" * 500, 1000)[1]


def test_bytes_are_escaped_and_cut_between_characters():
    assert escaped(b"a\x1b[31m\xff\n") == ("a\\x1b[31m\\xff\n", False)
    assert escaped("a\u202eb\ufeff".encode()) == ("a\\u202eb\\ufeff", False)
    assert escaped("ééé".encode(), 2) == ("éé", True)
    assert escaped("é".encode() * 10, 10) == ("é" * 10, False)
