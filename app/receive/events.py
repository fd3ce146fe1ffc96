"""POST /events: one event a request, answered with 200 when the broker has it."""

import asyncio
import logging
import time
import traceback
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from app.events.errors import ErrorKind, EventRefused
from app.events.parse import parse_json
from app.kafka import BrokerFailure
from app.receive.budget import Budget, Held
from app.receive.delivery import Outcome
from app.receive.door import Door
from app.receive.intake import Intake
from app.receive.metrics import ReceiveMetrics
from app.receive.refusals import Refusal, Refused
from app.receive.signed import Verifier, looks_signed, token_limit

__all__ = ["EventEndpoint", "refused_log"]

log = logging.getLogger(__name__)

#: Lines about refused requests: told apart so that they can be held back when there are many.
refused_log = logging.getLogger("app.receive.refused")

#: Seconds after which whoever was sent away with 503 may come again. Canvas has a pace of its own.
_RETRY_AFTER: Final = b"10"

_BOM: Final = b"\xef\xbb\xbf"

#: What the router reads all the same, or tells more of than could be told here.
_NO_JSON: Final = frozenset({ErrorKind.NOT_JSON, ErrorKind.NOT_UTF8})

_Headers = dict[bytes, bytes]


class EventEndpoint:
    """An ASGI application for one address, with what stands behind it as the path parameter `secret`.

    `largest` is the most bytes of an event, `timeout` the seconds until every request is answered.
    """

    def __init__(
        self,
        intake: Intake,
        door: Door,
        budget: Budget,
        metrics: ReceiveMetrics,
        *,
        verifier: Verifier | None,
        largest: int,
        timeout: float,
    ) -> None:
        self._intake = intake
        self._door = door
        self._budget = budget
        self._metrics = metrics
        self._verifier = verifier
        self._largest = largest
        self._most = largest if verifier is None else token_limit(largest)
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the event, or say why not."""
        began = time.perf_counter()
        try:
            size = await self._take(scope, receive)
        except Refused as error:
            await self._refuse(error.refusal, send)
        except ClientDisconnect:
            self._metrics.refused[Refusal.INCOMPLETE] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends one answer and no more
            # Messages of errors can hold what a request held, so that only their types and places are told.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("unexpected %s:\n%s", type(error).__name__, where)  # noqa: TRY400
            await self._refuse(Refusal.UNEXPECTED, send)
        else:
            self._metrics.accepted(size, time.perf_counter() - began)
            await send(_OK)
            await send(_EMPTY)

    async def _take(self, scope: Scope, receive: Receive) -> int:
        """Return the bytes of the event once the broker has it."""
        headers: _Headers = dict(scope["headers"])
        self._door.admit(
            scope["path_params"].get("secret"), headers.get(b"authorization", b"").decode("latin-1")
        )
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refused(Refusal.ENCODED)
        declared = int(headers.get(b"content-length", b"0"))
        if declared > self._most:
            raise Refused(Refusal.TOO_LARGE)
        if self._intake.stopping:
            raise Refused(Refusal.STOPPING)
        if not self._intake.open:
            raise Refused(Refusal.KAFKA_AWAY)
        held = self._budget.hold(declared)
        try:
            return await self._deliver(receive, held, declared)
        except BaseException:
            # What was handed over is held until its report: the producer has it in memory for so long.
            if not held.handed_over:
                held.release()
            raise

    async def _deliver(self, receive: Receive, held: Held, declared: int) -> int:
        late = Refusal.SLOW
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._body(receive, held, declared)
                event = await self._event(body)
                late = Refusal.KAFKA_AWAY
                outcome = await self._hand_over(event, held)
        except TimeoutError:
            raise Refused(late) from None
        if outcome.too_large:
            raise Refused(Refusal.TOO_LARGE)
        if not outcome.delivered:
            raise Refused(Refusal.KAFKA_AWAY)
        return len(event)

    async def _body(self, receive: Receive, held: Held, declared: int) -> bytes:
        """Return the whole body. What was not declared is held as it comes."""
        parts = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self._most:
                raise Refused(Refusal.TOO_LARGE)
            if not declared:
                held.grow(len(part))
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _event(self, body: bytes) -> bytes:
        if self._verifier is None:
            _check_json(body)
            event = body
        else:
            event = await self._verifier.event(body.strip())
        if len(event) > self._largest:
            raise Refused(Refusal.TOO_LARGE)
        return event

    async def _hand_over(self, event: bytes, held: Held) -> Outcome:
        ended = asyncio.get_running_loop().create_future()

        def report(outcome: Outcome) -> None:
            held.release()
            if not ended.done():
                ended.set_result(outcome)

        try:
            taken = self._intake.send(event, report)
        except BrokerFailure:
            # The process ends because of it.
            raise Refused(Refusal.KAFKA_AWAY) from None
        if not taken:
            raise Refused(Refusal.OVERLOADED)
        held.handed_over = True
        outcome: Outcome = await ended
        return outcome

    async def _refuse(self, refusal: Refusal, send: Send) -> None:
        self._metrics.refused[refusal] += 1
        refused_log.warning(_LINES[refusal])
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % (len(refusal.text) + 1)),
            (b"cache-control", b"no-store"),
        ]
        if refusal.status == 503:
            headers.append((b"retry-after", _RETRY_AFTER))
        if refusal is Refusal.WRONG_SECRET and self._door.asks_for_login:
            headers.append((b"www-authenticate", b'Basic realm="events", charset="UTF-8"'))
        if refusal.status in {408, 413}:
            # The rest of the body is not waited for.
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": f"{refusal.text}\n".encode()})


_OK: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-length", b"0"), (b"cache-control", b"no-store")],
}
_EMPTY: Final = {"type": "http.response.body", "body": b""}

#: One text for each reason, as repetitions are known by their text.
_LINES: Final = {refusal: f"{refusal.status} answered: {refusal.text}" for refusal in Refusal}


def _check_json(body: bytes) -> None:
    """Raise Refused unless the router can parse it; a byte order mark may stand before it."""
    try:
        parse_json(body.removeprefix(_BOM))
    except EventRefused as error:
        if error.kind in _NO_JSON:
            raise Refused(Refusal.SIGNED if looks_signed(body) else Refusal.NOT_JSON) from None
