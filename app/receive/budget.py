"""How much is held at a time: requests that are waited for, and the bytes of their events."""

from app.receive.refusals import Refusal, Refused

__all__ = ["Budget", "Held"]


class Budget:
    """A limit on requests and bytes. Not for several threads."""

    def __init__(self, *, requests: int, size: int) -> None:
        self._most_requests = requests
        self._most_bytes = size
        self.requests = 0
        self.bytes = 0

    def hold(self, size: int = 0) -> "Held":
        """Take one request with so many bytes in. Raises Refused (overloaded)."""
        if self.requests >= self._most_requests:
            raise Refused(Refusal.OVERLOADED)
        held = Held(self)
        self.requests += 1
        try:
            held.grow(size)
        except Refused:
            held.release()
            raise
        return held

    def take(self, size: int) -> None:
        """Take so many bytes more. Raises Refused (overloaded)."""
        if self.bytes + size > self._most_bytes:
            raise Refused(Refusal.OVERLOADED)
        self.bytes += size


class Held:
    """What one request holds, until it is released: once, whoever does it.

    `handed_over` is set once somebody else has the event and releases it.
    """

    __slots__ = ("_budget", "_size", "handed_over")

    def __init__(self, budget: Budget) -> None:
        self._budget: Budget | None = budget
        self._size = 0
        self.handed_over = False

    def grow(self, size: int) -> None:
        """Hold more. Raises Refused (overloaded)."""
        if self._budget is not None and size:
            self._budget.take(size)
            self._size += size

    def release(self) -> None:
        """Give all of it back."""
        if self._budget is not None:
            self._budget.requests -= 1
            self._budget.bytes -= self._size
            self._budget = None
