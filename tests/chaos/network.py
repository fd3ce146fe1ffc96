"""The link between workers and broker, a place for faults: a proxy that knows Kafka's requests by name."""

import struct
import threading
from enum import IntEnum

from tests.support.proxy import FaultProxy, Link
from tests.support.waiting import wait_until

__all__ = ["KafkaProxy", "Request"]


class Request(IntEnum):
    """Kafka's requests by their numbers (kafka.apache.org/protocol): those that scenarios wait for."""

    PRODUCE = 0
    FETCH = 1
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


class _Frames:
    """Reads the requests' numbers out of a stream: each begins with its length (int32) and number (int16)."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def feed(self, data: bytes) -> list[int]:
        """Return the numbers of the requests that begin in `data`."""
        found = []
        while data:
            if self._left:
                self._left, data = max(0, self._left - len(data)), data[self._left :]
                continue
            missing = 6 - len(self._head)
            self._head, data = self._head + data[:missing], data[missing:]
            if len(self._head) == 6:
                length, number = struct.unpack(">ih", self._head)
                self._head, self._left = b"", length - 2
                found.append(number)
        return found


class KafkaProxy(FaultProxy):
    """A FaultProxy that can end the very link on which a certain request passes."""

    def __init__(self, upstream: str = "", *, port: int | None = None) -> None:
        super().__init__(upstream, port=port)
        self._frames: dict[Link, _Frames] = {}
        self._trap: tuple[Request, bool] | None = None
        self._sprung = threading.Event()

    def cut_at(self, request: Request, *, answered: bool) -> None:
        """Reset the link on which the next such request comes.

        With `answered` the broker gets it and only its answer is lost: the client cannot know whether it was
        done. Else the request is lost, too.
        """
        self._sprung.clear()

        def set_trap() -> None:
            self._trap = (request, answered)

        self._do(set_trap)

    def wait_cut(self, timeout: float = 30.0) -> None:
        """Wait until the link of `cut_at` was cut."""
        wait_until(self._sprung.is_set, timeout=timeout, what=f"a request to be cut off: {self._trap}")

    def opened(self, link: Link) -> None:
        """Begin to read its requests."""
        self._frames[link] = _Frames()

    def closed(self, link: Link) -> None:
        """Forget it."""
        self._frames.pop(link, None)

    def sent(self, link: Link, data: bytes) -> bool:
        """Spring the trap if the request is among this."""
        numbers = self._frames[link].feed(data)
        if self._trap is None or self._trap[0] not in numbers:
            return True
        answered = self._trap[1]
        self._trap = None
        link.deaf = True
        self._sprung.set()
        return answered
