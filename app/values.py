"""Show keys and values of any topic here as JSON: Avro, JSON, text or plain bytes."""

import base64
import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from app.settings import Settings

if TYPE_CHECKING:
    from app.schemas.decoder import AvroDecoder

__all__ = ["ValueReader", "plain", "timestamp_text"]

_CONFLUENT_MAGIC = 0
# Deeper JSON is shown as text: what walks through it would run out of stack.
_DEEPEST = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ValueReader:
    """Turns values into JSON types. Schemas are looked up where the workers put them, when first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _decoder(self) -> "AvroDecoder":
        # Imported here: reading topics without Avro should not wait for it.
        from app.schemas.decoder import AvroDecoder  # noqa: PLC0415 - see above
        from app.schemas.registry import schema_lookup  # noqa: PLC0415 - see above

        return AvroDecoder(schema_lookup(self._settings))

    def value(self, raw: bytes | None) -> Any:
        """Return a value in JSON types.

        Raises DecodingError when it is Avro that cannot be decoded, and what keeps a schema from being found.
        """
        if raw is not None and len(raw) > 4 and raw[0] == _CONFLUENT_MAGIC:
            return _json_types(self._decoder.decode(raw))
        return plain(raw)

    def shown(self, raw: bytes | None) -> dict[str, Any]:
        """Return `{"value": ...}`, or with `error` and the bytes in base64 where it cannot be decoded."""
        from app.schemas.decoder import DecodingError  # noqa: PLC0415 - as above

        try:
            return {"value": self.value(raw)}
        except DecodingError as error:
            return {"value": plain_bytes(raw or b""), "error": str(error)}


def plain(raw: bytes | None) -> Any:
    """Return JSON as what it says, other text as a string, other bytes as `{"base64": ...}`."""
    if raw is None:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return plain_bytes(raw)
    try:
        # NaN and Infinity, and numbers that become so, would come out as no JSON again.
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return text
    return value if _shallow(value) else text


def plain_bytes(raw: bytes) -> dict[str, str]:
    """Return bytes that are no text as `{"base64": ...}`."""
    return {"base64": base64.b64encode(raw).decode()}


def timestamp_text(milliseconds: int) -> str:
    """Return a Kafka timestamp as ISO 8601 in UTC, to the millisecond; as a number beyond the year 9999."""
    try:
        return _iso(_EPOCH + timedelta(milliseconds=milliseconds))
    except OverflowError:
        return str(milliseconds)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refuse(name: str) -> None:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _shallow(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [child for item in level for child in _children(item)]
        if not level:
            return True
    return False


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _json_types(value: Any) -> Any:
    """Write times as ISO 8601 in UTC, and a number that is no number as null: JSON has neither."""
    if isinstance(value, dict):
        return {name: _json_types(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_json_types(item) for item in value]
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return plain_bytes(value) if isinstance(value, bytes) else value
