"""Events packed as relays, queues, converters and editors pack them."""

import base64
import json
import string
from collections.abc import Callable, Mapping

from app.events.layers import Envelope

__all__ = ["PACKED_BY", "jwt"]

_LETTERS = (string.ascii_letters + string.digits + "-_").encode()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _url_safe(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def jwt(raw: bytes, header: bytes = b'{"alg":"RS256","kid":"2026-10"}') -> bytes:
    """A token whose signature is none."""
    return b".".join((_url_safe(header), _url_safe(raw), _url_safe(b"signature" * 28)))


def _notification(raw: bytes) -> dict[str, object]:
    return {"Type": "Notification", "MessageId": "5", "TopicArn": "arn:x", "Message": raw.decode()}


def _queued(raw: bytes) -> dict[str, object]:
    return {"MessageId": "5", "ReceiptHandle": "x", "Body": raw.decode(), "MessageAttributes": {}}


def _lambda(raw: bytes) -> dict[str, object]:
    attributes = {"ApproximateReceiveCount": "1"}
    return {"messageId": "5", "receiptHandle": "x", "body": raw.decode(), "attributes": attributes}


#: By how it is packed: the envelopes, outermost first, and a function that packs UTF-8 text.
PACKED_BY: Mapping[str, tuple[list[Envelope], Callable[[bytes], bytes]]] = {
    "array": ([Envelope.ARRAY], lambda raw: b"[\n" + raw + b" ]"),
    "string": ([Envelope.JSON_STRING], lambda raw: _json(raw.decode())),
    "base64": ([Envelope.BASE64], base64.b64encode),
    "base64, URL-safe": ([Envelope.BASE64], _url_safe),
    "base64, in lines": ([Envelope.BASE64], base64.encodebytes),
    "JWT": ([Envelope.JWT], jwt),
    "JWT without signature": (
        [Envelope.JWT],
        lambda raw: jwt(raw, b'{"alg":"none"}').rpartition(b".")[0] + b".",
    ),
    "UTF-8 with a mark": ([Envelope.BOM], lambda raw: b"\xef\xbb\xbf" + raw),
    "UTF-16 with a mark": ([Envelope.BOM], lambda raw: raw.decode().encode("utf-16")),
    "UTF-16, big end first": ([Envelope.BOM], lambda raw: b"\xfe\xff" + raw.decode().encode("utf-16-be")),
    "UTF-16 without mark": ([Envelope.BOM], lambda raw: raw.decode().encode("utf-16-le")),
    "UTF-16 without mark, big end first": ([Envelope.BOM], lambda raw: raw.decode().encode("utf-16-be")),
    "Connect": ([Envelope.CONNECT], lambda raw: b'{"schema": {"type": "struct"}, "payload":' + raw + b"}"),
    "Connect without schema": ([Envelope.CONNECT], lambda raw: b'{"payload":' + raw + b', "schema": null}'),
    "Connect, as text": ([Envelope.CONNECT], lambda raw: _json({"schema": None, "payload": raw.decode()})),
    "Confluent JSON": ([Envelope.CONFLUENT_JSON], lambda raw: b"\0\0\0\0\x07" + raw),
    "SNS": ([Envelope.SNS], lambda raw: _json(_notification(raw))),
    "SNS to Lambda": ([Envelope.SNS], lambda raw: _json({"Records": [{"Sns": _notification(raw)}]})),
    "SQS": ([Envelope.SQS], lambda raw: _json(_queued(raw))),
    "SQS, several": ([Envelope.SQS], lambda raw: _json({"Messages": [_queued(raw)]})),
    "SQS to Lambda": ([Envelope.SQS], lambda raw: _json({"Records": [_lambda(raw), _lambda(raw)]})),
    "SNS to SQS": ([Envelope.SQS, Envelope.SNS], lambda raw: _json(_queued(_json(_notification(raw))))),
    "Kinesis to Lambda": (
        [Envelope.KINESIS],
        lambda raw: _json({"Records": [{"kinesis": {"data": base64.b64encode(raw).decode()}}]}),
    ),
    "array in a string": ([Envelope.JSON_STRING, Envelope.ARRAY], lambda raw: _json(f"[{raw.decode()}]")),
    "JWT in a string": ([Envelope.JSON_STRING, Envelope.JWT], lambda raw: _json(jwt(raw).decode())),
    "Connect with bytes": (
        [Envelope.CONNECT, Envelope.BASE64],
        lambda raw: _json({"schema": {"type": "bytes"}, "payload": base64.b64encode(raw).decode()}),
    ),
}
