"""Settings of what takes events in from Canvas: `mastery receive https` and `mastery receive sqs`."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PositiveInt,
    SecretStr,
    model_validator,
)

from app.settings.types import HttpUrl, SiteUrl, absolute, stripped, user_and_password
from app.settings.variables import variable

__all__ = ["ReceiveSettings", "check_path_secret"]

_MEBIBYTE = 1024 * 1024


def check_path_secret(value: SecretStr) -> SecretStr:
    """Accept what stands in an address as it is (RFC 3986, unreserved) and cannot be guessed, or several."""
    if not re.fullmatch(r"[A-Za-z0-9._~-]{16,256}(,[A-Za-z0-9._~-]{16,256}){0,7}", value.get_secret_value()):
        message = "must be at least 16 letters, digits or characters of -._~, or several with commas between"
        raise ValueError(message)
    return value


class ReceiveSettings(BaseModel):
    """Where events come in, who may bring them, and how much of them is held at a time."""

    receive_host: str = Field(
        default="127.0.0.1",
        description="Address that `mastery receive` listens on, for events (https), health and metrics.",
    )
    receive_port: int = Field(
        default=6060, ge=0, le=65535, description="Port of `mastery receive`; 0 takes any free one."
    )
    receive_path_secret: (
        Annotated[SecretStr, BeforeValidator(stripped), AfterValidator(check_path_secret)] | None
    ) = Field(
        default=None,
        description="Secret at the end of the address that Canvas sends events to: /events/SECRET. Several "
        "with commas between them are all taken, so that it can be changed.",
    )
    receive_path_secret_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="File that holds that secret instead, read at the start; `mastery web-token` makes one.",
    )
    receive_basic_auth: Annotated[SecretStr, AfterValidator(user_and_password)] | None = Field(
        default=None,
        description="USER:PASSWORD that events are sent with (basic authentication), to /events.",
    )
    receive_signed: bool = Field(
        default=False,
        description="Whether events come signed (Canvas: Sign Payload). Then no others are taken, and no "
        "secret is needed.",
    )
    receive_jwks_url: SiteUrl = Field(
        default="https://8axpcl50e4.execute-api.us-east-1.amazonaws.com/main/jwks",
        description="Where the keys are that Canvas signs events with.",
    )
    receive_jwks_interval: float = Field(
        default=60.0,
        ge=1,
        le=86_400,
        description="Seconds between two requests for these keys at least, however many unknown ones come.",
    )
    receive_issuer: str = Field(
        default="https://live-events.canvas.instructure.com",
        description="Who must have signed an event (its claim iss).",
    )
    receive_leeway: float = Field(
        default=60.0, ge=0, le=3600, description="Seconds that Canvas's clock and this one may differ by."
    )
    receive_timeout: float = Field(
        default=10.0,
        ge=1,
        le=14,
        description="Seconds until a request is answered in any case; Canvas waits 15.",
    )
    receive_max_requests: PositiveInt = Field(
        default=1_000, description="Most events that are waited for at a time; more are sent away with 503."
    )
    receive_max_bytes: int = Field(
        default=64 * _MEBIBYTE,
        ge=_MEBIBYTE,
        description="Most bytes of events that are held at a time; more are sent away with 503.",
    )
    receive_sqs_queue: HttpUrl | None = Field(
        default=None,
        description="URL of the SQS queue that Canvas sends events to, for example "
        "https://sqs.us-east-1.amazonaws.com/123456789012/canvas-live-events-school.",
    )
    receive_sqs_pollers: int = Field(
        default=4, ge=1, le=64, description="Calls to the queue at a time; each fetches up to 10 messages."
    )
    receive_sqs_visibility: int = Field(
        default=120,
        ge=10,
        le=43_200,
        description="Seconds after which the queue gives a message to somebody else when this process dies.",
    )

    @model_validator(mode="after")
    def _check_receive(self) -> Self:
        """Two secrets would leave open whether one of them is enough."""
        given = [
            name
            for name in ("receive_path_secret", "receive_path_secret_file", "receive_basic_auth")
            if getattr(self, name) is not None
        ]
        if len(given) > 1:
            message = f"{' and '.join(map(variable, given))} are both set: keep one"
            raise ValueError(message)
        return self
