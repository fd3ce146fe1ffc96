"""Show keys and values of any topic here as JSON: Avro, JSON, text or plain bytes."""

import base64
import json
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from app.errors import MasteryError
from app.settings import Settings

if TYPE_CHECKING:
    from app.schemas.decoder import AvroDecoder

__all__ = ["ValueReader", "plain", "timestamp_text"]

_CONFLUENT_MAGIC = 0


class ValueReader:
    """Turns values into JSON types. Schemas are looked up where the workers put them, when first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _decoder(self) -> "AvroDecoder":
        # Imported here: reading topics without Avro should not wait for it.
        from app.schemas.decoder import AvroDecoder  # noqa: PLC0415
        from app.schemas.registry import schema_lookup  # noqa: PLC0415

        return AvroDecoder(schema_lookup(self._settings))

    def value(self, raw: bytes | None) -> Any:
        """Return a value in JSON types. Raises MasteryError when it is Avro that cannot be decoded."""
        if raw is not None and len(raw) > 4 and raw[0] == _CONFLUENT_MAGIC:
            return _json_types(self._decoder.decode(raw))
        return plain(raw)

    def shown(self, raw: bytes | None) -> dict[str, Any]:
        """Return `{"value": ...}`, or with `error` and the bytes in base64 where it cannot be decoded."""
        try:
            return {"value": self.value(raw)}
        except MasteryError as error:
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
        # NaN and Infinity would come out as no JSON again.
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def plain_bytes(raw: bytes) -> dict[str, str]:
    """Return bytes that are no text as `{"base64": ...}`."""
    return {"base64": base64.b64encode(raw).decode()}


def timestamp_text(milliseconds: int) -> str:
    """Return a Kafka timestamp as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refuse(name: str) -> None:
    raise ValueError(name)


def _json_types(value: Any) -> Any:
    """Write times as ISO 8601 in UTC, and a number that is no number as null: JSON has neither."""
    if isinstance(value, dict):
        return {name: _json_types(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_json_types(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, float) and value - value != 0:
        return None
    return plain_bytes(value) if isinstance(value, bytes) else value
