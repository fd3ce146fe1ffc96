"""An SQS queue as this project needs it: fetch, keep, delete and give back messages, in batches."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.errors import MasteryError
from app.settings import variable

__all__ = ["Message", "Queue", "QueueUnusable"]

#: The most that SQS takes or gives in one call.
BATCH: Final = 10

#: Seconds that a call for messages waits for the first. Longer would be fewer calls, and would hold up the
#: end of the process for so long.
_WAIT: Final = 5

#: What waiting does not change.
_PERMANENT: Final = re.compile(
    "AccessDenied|NonExistentQueue|QueueDoesNotExist|InvalidClientTokenId|SignatureDoesNotMatch"
    "|InvalidAddress|UnrecognizedClient|InvalidAccessKeyId"
)


class QueueUnusable(MasteryError):
    """A call to the queue that failed. `permanent` ones do not go away by waiting."""

    def __init__(self, message: str, *, hint: str | None = None, permanent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its event as it was sent. `deliveries` counts this one; `age` is in seconds."""

    id: str
    handle: str
    event: bytes
    deliveries: int
    age: float


class Queue:
    """Calls to one queue, by its URL. For several threads; `calls` at a time."""

    def __init__(self, url: str, *, visibility: int, calls: int) -> None:
        self.url = url
        self._visibility = visibility
        parts = urlsplit(url)
        session = boto3.session.Session()
        try:
            self._client: Any = session.client(
                "sqs",
                # The queue's own address, be it that of a region, of a private endpoint or of a stand-in.
                endpoint_url=f"{parts.scheme}://{parts.netloc}",
                region_name=_region(parts.hostname or "") or session.region_name or "us-east-1",
                config=Config(
                    retries={"mode": "standard", "max_attempts": 4},
                    connect_timeout=5,
                    read_timeout=_WAIT + 10,
                    max_pool_connections=calls,
                ),
            )
        except BotoCoreError as error:
            raise _unusable(error, "open") from None

    def check(self) -> None:
        """See that it is there and may be used. Raises QueueUnusable."""
        self._call("get_queue_attributes", AttributeNames=["QueueArn"])

    def receive(self) -> list[Message]:
        """Fetch up to 10 messages, waiting for the first some seconds. Raises QueueUnusable."""
        answer = self._call(
            "receive_message",
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=_WAIT,
            VisibilityTimeout=self._visibility,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        return [_message(found) for found in answer.get("Messages", ())]

    def delete(self, messages: Sequence[Message]) -> list[Message]:
        """Delete up to 10; returns those that SQS did not. Raises QueueUnusable."""
        entries = [
            {"Id": str(index), "ReceiptHandle": message.handle} for index, message in enumerate(messages)
        ]
        answer = self._call("delete_message_batch", Entries=entries)
        return [messages[int(failed["Id"])] for failed in answer.get("Failed", ())]

    def hide(self, messages: Sequence[Message], seconds: int | None = None) -> None:
        """Keep up to 10 from others for so long from now on; 0 gives them back. Raises QueueUnusable.

        One that SQS gives to somebody else already is left alone.
        """
        timeout = self._visibility if seconds is None else seconds
        entries = [
            {"Id": str(index), "ReceiptHandle": message.handle, "VisibilityTimeout": timeout}
            for index, message in enumerate(messages)
        ]
        self._call("change_message_visibility_batch", Entries=entries)

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(QueueUrl=self.url, **arguments)
        except (BotoCoreError, ClientError) as error:
            raise _unusable(error, operation) from None
        return answer


def _message(found: dict[str, Any]) -> Message:
    attributes = found.get("Attributes", {})
    sent = int(attributes.get("SentTimestamp", 0)) / 1000
    return Message(
        id=found["MessageId"],
        handle=found["ReceiptHandle"],
        # What is no character at all becomes a dead letter, like everything that cannot be read.
        event=found["Body"].encode("utf-8", "surrogatepass"),
        deliveries=int(attributes.get("ApproximateReceiveCount", 1)),
        age=max(0.0, time.time() - sent) if sent else 0.0,
    )


def _region(host: str) -> str | None:
    found = re.search(r"(?:^|\.)sqs(?:-fips)?\.([a-z0-9-]+)\.", host)
    return found[1] if found else None


def _unusable(error: Exception, operation: str) -> QueueUnusable:
    """Without SQS's own text, which may show account and user; its code says it all."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
    else:
        code = type(error).__name__
    lacks_login = code in {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"}
    return QueueUnusable(
        f"the SQS queue cannot be used ({operation}: {code})",
        hint="AWS's own variables and files give the login: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "AWS_PROFILE, or the role of the machine"
        if lacks_login
        else f"check {variable('receive_sqs_queue')} and the permissions of this user (docs/ingest.md)",
        permanent=lacks_login or bool(_PERMANENT.search(code)),
    )
