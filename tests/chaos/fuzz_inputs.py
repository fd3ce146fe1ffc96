"""Raw events as nobody should send them: damaged bytes, and JSON that means something else than it should."""

import json
from typing import Any, NamedTuple

from hypothesis import strategies as st

from app.embedded.samples import sample_events
from tests.support.events import EVENT_NAMES, wire_events

__all__ = ["HEADERS", "KEYS", "TIMESTAMPS", "RawValue", "hostile_events", "hostile_values", "render"]

SAMPLES = [sample.raw for sample in sample_events()]

IGNORED = b'{"metadata": {"event_name": "logged_in", "event_time": "2024-01-01T00:00:00Z"}, "body": {"a": 1}}'


class RawValue(NamedTuple):
    """A piece of JSON, or of what is none, that stands in the text as it is."""

    text: bytes


class Pairs(list[tuple[Any, Any]]):
    """A JSON object as it is written: keys may come twice."""


NUMBERS = [
    *(b"0", b"-0", b"-0.0", b"0e0", b"1.0", b"1E+2", b"0.1e1", b"-1", b"2.5", b"1e18", b"1e23", b"1e308"),
    *(b"1e400", b"-1e400", b"1e-400", b"4.9e-324", b"5e-325", b"1.7976931348623159e308"),
    *(b"9007199254740993", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809"),
    *(b"18446744073709551616", b"123456789012345678901234567890", b"9" * 40 + b".5"),
    *(b"NaN", b"Infinity", b"-Infinity"),
    # Not JSON, each of them.
    *(b"01", b"1.", b".5", b"+1", b"1e", b"0x1", b"nan", b"-NaN", b"1NaN"),
    *(b"1Infinity", b"Infinity1", b"2-Infinity", b"1.5Infinity"),
]
TEXTS = [
    *(b'""', b'"x"', b'"a:b"', b'"a.b"', b'"learning_outcome_created"', b'"logged_in"'),
    *(b'"\\u0000"', b'"\\ud83d\\ude00"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\q"'),
    *(b'"\xff"', b'"\xed\xa0\x80"', b'"\xef\xbb\xbf"', b'"\0"', b'"\n"', b'"unterminated', b'"\\'),
    b'"' + "\u00e9\U0001f600".encode() * 50 + b'"',
]
TIMES = [
    f'"{text}"'.encode()
    for text in (
        "2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00.9999999Z",
        "2024-01-01 00:00:00,5 UTC",
        "2024-01-01T24:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-12-31T23:59:60Z",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+14:00",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59.9999Z",
        "2024-01-01T00:00:00+24:00",
        "\u0662\u0660\u0662\u0664-01-01T00:00:00Z",
        "2024-01-01T00:00:00." + "9" * 400 + "Z",
    )
]
OTHERS = [
    b"null",
    b"true",
    b"false",
    b"[]",
    b"{}",
    b"[{}]",
    b"[null]",
    b"[[[[]]]]",
    b'{"a.b": {"c": [1]}}',
    b"",
    b"}",
    b"]",
]
HUGE = [b"9" * 4_000, b"9" * 5_000, b"-" + b"1" * 20_000, b"0." + b"3" * 20_000, b'"' + b"x" * 100_000 + b'"']
DEPTHS = st.sampled_from([3, 60, 400, 900, 980, 1_000, 1_100, 3_000, 20_000, 100_000])
NESTS = st.builds(
    lambda depth, pair: pair[0] * depth + pair[1] * depth,
    DEPTHS,
    st.sampled_from([(b"[", b"]"), (b'{"a":', b"}"), (b"[[],", b"]"), (b'{"metadata":', b"}"), (b"[", b"")]),
)
LITERALS = (
    st.sampled_from(NUMBERS)
    | st.sampled_from([*TEXTS, *TIMES, *OTHERS])
    | st.integers().map(lambda number: b"%d" % number)
    | st.floats().map(lambda number: json.dumps(number).encode())
    | st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: str(number).encode())
    | st.text(max_size=20).map(lambda text: json.dumps(text).encode())
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(
        lambda text: json.dumps(text, ensure_ascii=False).encode()
    )
    | st.binary(max_size=8)
    # Large ones take time: one in nine.
    | st.sampled_from(HUGE)
    | NESTS
).map(RawValue)

NAMES = st.text(max_size=6) | st.sampled_from(
    [
        *(
            "",
            "a",
            "a.b",
            "a:b",
            "\0",
            "\u00e9",
            " ",
            "x" * 500,
            "$extra",
            "$envelope.x",
            "extra",
            "event_id",
        ),
        *("event_name", "metadata", "body", "attributes", "metadata.event_name", "id", "title", "score"),
        *("event_id", "rubric_criterion", "rubric_criterion.a", "rubric_criterion.ratings[0].points"),
    ]
)

SPACES = st.sampled_from([b"", b" ", b"\n", b"\t \r\n" * 3, b" " * 3_000])


def render(node: Any, spaces: bytes = b"") -> bytes:
    """The text of a value; `spaces` stand between all of its parts."""
    match node:
        case RawValue(text):
            return text
        case Pairs():
            inner = [_name(name) + spaces + b":" + spaces + render(item, spaces) for name, item in node]
            return b"{" + spaces + (b"," + spaces).join(inner) + b"}" + spaces
        case list():
            return b"[" + (spaces + b",").join([render(item, spaces) for item in node]) + b"]"
        case _:
            return json.dumps(node).encode()


def _name(name: Any) -> bytes:
    return name.text if isinstance(name, RawValue) else json.dumps(name).encode()


def _containers(node: Any) -> list[Any]:
    """All objects and arrays of a value, outermost first."""
    inner = [item for _, item in node] if isinstance(node, Pairs) else node if isinstance(node, list) else []
    found = [node] if isinstance(node, list) else []
    return [*found, *(held for item in inner for held in _containers(item))]


def _pairs(raw: bytes) -> Any:
    return json.loads(raw, object_pairs_hook=Pairs)


_BASES = st.sampled_from([*SAMPLES, *SAMPLES, IGNORED]) | st.sampled_from(EVENT_NAMES).flatmap(
    wire_events
).map(lambda event: json.dumps(event).encode())


@st.composite
def hostile_events(draw: st.DrawFn, bases: st.SearchStrategy[bytes] = _BASES) -> bytes:
    """An event whose JSON was changed in some places; often it is still JSON, and sometimes an event."""
    event = _pairs(draw(bases))
    for _ in range(draw(st.integers(0, 4))):
        container = draw(st.sampled_from(_containers(event)))
        _change(draw, container)
    raw = render(event, draw(SPACES))
    return draw(st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b"\0", b" " * 2_000])) + raw + draw(SPACES)


def _change(draw: st.DrawFn, container: Any) -> None:
    if not container:
        container.append((draw(NAMES), draw(LITERALS)) if isinstance(container, Pairs) else draw(LITERALS))
        return
    place = draw(st.integers(0, len(container) - 1))
    if not isinstance(container, Pairs):
        container[place] = draw(LITERALS)
        return
    name, item = container[place]
    match draw(st.integers(0, 9)):
        case 0 | 1 | 2:
            container[place] = name, draw(LITERALS)
        case 8 | 9:
            container[place] = name, draw(_fitting(name))
        case 3:  # the same key twice, before or after
            container.insert(draw(st.sampled_from([0, place, len(container)])), (name, draw(LITERALS)))
        case 4:
            container.append((draw(NAMES), draw(LITERALS)))
        case 5:
            container[place] = draw(NAMES), item
        case 6:
            del container[place]
        case _:
            container[place] = name, [item]


def _fitting(name: Any) -> st.SearchStrategy[RawValue]:
    """What a field of this name might well be."""
    if str(name).endswith(("_at", "_time")):
        return st.sampled_from(TIMES).map(RawValue)
    return st.sampled_from(TEXTS if str(name).endswith(("_name", "_type", "title")) else NUMBERS).map(
        RawValue
    )


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """The bytes of an event, flipped, cut, or run into another."""
    made = bytearray(draw(_BASES))
    for _ in range(draw(st.integers(1, 4))):
        if not made:
            break
        place = draw(st.integers(0, len(made) - 1))
        match draw(st.integers(0, 5)):
            case 0 | 1:
                made[place] ^= 1 << draw(st.integers(0, 7))
            case 2:
                del made[place:]
            case 3:
                del made[:place]
            case 4:
                other = draw(_BASES)
                made[place:] = other[draw(st.integers(0, len(other))) :]
            case _:
                made[place : place + draw(st.integers(0, 12))] = draw(LITERALS).text
    return bytes(made)


hostile_values = (
    st.none()
    | st.binary(max_size=200)
    | hostile_events()
    | hostile_events()
    | hostile_events()
    | _damaged()
    | _damaged()
    | LITERALS.map(lambda literal: literal.text)
    | NESTS.map(lambda nest: IGNORED.replace(b"1}", nest + b"}"))
    | st.sampled_from(SAMPLES).map(lambda raw: raw.decode().encode("utf-16"))
)
"""What the value of a raw record may be."""

KEYS = st.none() | st.binary(max_size=40) | st.sampled_from([b"\0" * 1_000, b"\xff" * 100_000])
# Names are what is left of any bytes once they were read: see app.stream.records.
HEADERS = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
        | st.sampled_from(["", "\0", "a\0b", "mastery.error.kind", "__streams.errors.offset", r"\xff"]),
        st.none() | st.binary(max_size=30),
    ),
    max_size=4,
).map(tuple)
TIMESTAMPS = st.none() | st.integers(-1, 2**63 - 1) | st.sampled_from([-1, 0, 1, 1_700_000_000_000])
