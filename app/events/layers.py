"""One layer of what an event can be packed in: which it is, and what it holds.

The forms are those of Amazon's SNS and SQS (as their APIs give them, and as Lambda does: `Records`), of Kafka
Connect's JsonConverter and Confluent's JSON Schema serialiser, of JSON Web Tokens (RFC 7515, compact), and of
editors and shells: byte order marks, base64, JSON within a JSON string.
"""

import binascii
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

__all__ = ["Envelope", "Opened", "is_event", "open_layer"]


class Envelope(StrEnum):
    """What an event can be packed in, by the names that `MASTERY_RAW_ENVELOPE` takes."""

    ARRAY = "array"
    BASE64 = "base64"
    BOM = "bom"
    CONFLUENT_JSON = "confluent-json"
    CONNECT = "connect"
    JSON_STRING = "json-string"
    JWT = "jwt"
    KINESIS = "kinesis"
    SNS = "sns"
    SQS = "sqs"


class Opened(NamedTuple):
    """A layer and what it held: for each part its place in the layer, "" or such as `[3]`, and its bytes."""

    envelope: Envelope
    parts: list[tuple[str, bytes]]


_Fields = Mapping[str, msgspec.Raw]

# Values stay the bytes that they are.
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
# What these decoders raise for whatever they are given.
_UNFIT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_FIRST = re.compile(rb"[ \t\r\n]*+(.)", re.DOTALL)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}+={0,2}")
_JWT = re.compile(rb"\s*+([A-Za-z0-9_-]++)\.([A-Za-z0-9_-]++)\.[A-Za-z0-9_-]*+\s*")
_JSON_BEGINS: Final = (b"{", b"[", b'"')
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")

#: Bytes. The shortest event that Canvas could send, `{"metadata":{"event_name":"..."}}`, takes more. So a
#: megabyte of tiny items is none of our arrays, and not looked at one by one.
_SMALLEST: Final = 32


def is_event(raw: bytes) -> bool:
    """Whether this is a JSON object that names an event, whatever else may be wrong with it."""
    fields = _fields(raw)
    return fields is not None and _names_an_event(fields)


def open_layer(raw: bytes) -> Opened | None:
    """The outermost layer; None where this is an event, or nothing that is known.

    Raises nothing, and takes time in proportion to the size.
    """
    match = _FIRST.match(raw)
    first = match[1] if match else b""
    if raw[1:2] == b"\0":  # no JSON in UTF-8
        return _open_bytes(raw)
    if first == b"{":
        fields = _fields(raw)
        return None if fields is None or _names_an_event(fields) else _open_object(fields)
    if first == b"[":
        items = _items(raw)
        return _parts(Envelope.ARRAY, items) if items and items[0][:1] in _JSON_BEGINS else None
    if first == b'"':
        return _one(Envelope.JSON_STRING, _text(raw))
    return _open_bytes(raw)


def _open_object(fields: _Fields) -> Opened | None:
    for name in ("Records", "Messages"):
        if name in fields:
            return _open_records(fields[name])
    if fields.keys() == {"schema", "payload"}:
        return _one(Envelope.CONNECT, _held(fields["payload"]))
    if (message := _message(fields)) is not None:
        return _one(*message)
    return None


def _open_records(raw: msgspec.Raw) -> Opened | None:
    """The records of a Lambda call, or the messages of an answer from SQS: all of one kind."""
    contents: list[bytes] = []
    kinds: set[Envelope] = set()
    for item in _items(bytes(raw)) or ():
        fields = _fields(item)
        message = None if fields is None else _message(fields)
        if message is None or message[1] is None:
            return None
        kinds.add(message[0])
        contents.append(message[1])
    return _parts(kinds.pop(), contents) if len(kinds) == 1 else None


def _message(fields: _Fields) -> tuple[Envelope, bytes | None] | None:
    """What is in one message of SNS or SQS, or one record of Kinesis."""
    if "Message" in fields and ("TopicArn" in fields or "Type" in fields):
        return Envelope.SNS, _held(fields["Message"])
    if "Sns" in fields and (inner := _fields(bytes(fields["Sns"]))) is not None and "Message" in inner:
        return Envelope.SNS, _held(inner["Message"])
    if "Body" in fields and not fields.keys().isdisjoint(("MessageId", "ReceiptHandle", "MD5OfBody")):
        return Envelope.SQS, _held(fields["Body"])
    if "body" in fields and not fields.keys().isdisjoint(("messageId", "receiptHandle", "eventSourceARN")):
        return Envelope.SQS, _held(fields["body"])
    if "kinesis" in fields and (inner := _fields(bytes(fields["kinesis"]))) is not None and "data" in inner:
        data = _held(inner["data"])
        return Envelope.KINESIS, None if data is None else _from_base64(data)
    return None


def _open_bytes(raw: bytes) -> Opened | None:
    if raw.startswith(BOM_UTF8):
        return _one(Envelope.BOM, raw[len(BOM_UTF8) :])
    if (encoding := _utf16(raw)) is not None:
        try:
            return _one(Envelope.BOM, raw.decode(encoding).removeprefix("\ufeff").encode())
        except UnicodeError:
            return None
    if raw[:1] == b"\0" and raw[5:6] in _JSON_BEGINS:
        return _one(Envelope.CONFLUENT_JSON, raw[5:])
    if (token := _JWT.fullmatch(raw)) is not None:
        header = _fields(_from_base64(token[1]) or b"")
        return _one(Envelope.JWT, _from_base64(token[2])) if header and "alg" in header else None
    return _one(Envelope.BASE64, _from_base64(raw))


def _utf16(raw: bytes) -> str | None:
    """The byte order of UTF-16: by its mark, or, as JSON begins with ASCII, by where the zeros are."""
    if raw.startswith(BOM_UTF16_LE) or (raw[:1] in _JSON_BEGINS and raw[1:2] == b"\0"):
        return "utf-16-le"
    zeros = raw[0:1] == raw[2:3] == b"\0" and raw[1:2] in _JSON_BEGINS
    return "utf-16-be" if raw.startswith(BOM_UTF16_BE) or zeros else None


def _one(envelope: Envelope, held: bytes | None) -> Opened | None:
    return None if held is None else Opened(envelope, [("", held)])


def _parts(envelope: Envelope, held: list[bytes]) -> Opened:
    return Opened(envelope, [(f"[{number}]", item) for number, item in enumerate(held)])


def _held(raw: msgspec.Raw) -> bytes | None:
    """What a field holds: the text of a string, or JSON as it stands."""
    found = bytes(raw)
    return _text(found) if found[:1] == b'"' else found


def _names_an_event(fields: _Fields) -> bool:
    for name in ("metadata", "attributes"):
        if name in fields and (metadata := _fields(bytes(fields[name]))) is not None:
            return (
                len(bytes(metadata.get("event_name", b""))) > 2 and bytes(metadata["event_name"])[:1] == b'"'
            )
    return False


def _fields(raw: bytes) -> _Fields | None:
    try:
        return _FIELDS.decode(raw)
    except _UNFIT:
        return None


def _items(raw: bytes) -> list[bytes] | None:
    try:
        items = _ITEMS.decode(raw)
    except _UNFIT:
        return None
    return None if len(items) * _SMALLEST > len(raw) else [bytes(item) for item in items]


def _text(raw: bytes) -> bytes | None:
    try:
        return _TEXT.decode(raw).encode()
    except _UNFIT:
        return None


def _from_base64(text: bytes) -> bytes | None:
    """Standard or URL-safe base64, padded or not, in one line or several."""
    joined = text.translate(None, b" \t\r\n")
    if _BASE64.fullmatch(joined) is None:
        return None
    bare = joined.rstrip(b"=").translate(_URL_SAFE)
    try:
        return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))
    except binascii.Error:
        return None
