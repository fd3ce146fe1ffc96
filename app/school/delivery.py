"""How events arrive: late, out of order, twice, as Canvas delivers them."""

from collections.abc import Iterator
from heapq import heappop, heappush

from app.school.dice import Dice
from app.school.fates import Record
from app.school.term import DAY, HOUR, MINUTE, SECOND

__all__ = ["Delivery"]

# Shares of all events that take at most so long. A receiver that fails is tried again for 20 minutes.
_DELAYS = ((0.7, 2 * SECOND), (0.93, MINUTE), (0.99, 20 * MINUTE), (1.0, 6 * HOUR))
_REPEATED = 0.015


class Delivery:
    """Takes records as they are sent and hands them out as they arrive. Holds those under way, no others."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._under_way: list[tuple[int, int, Record]] = []
        #: Records that were sent so far, second deliveries included.
        self.sent = 0

    def send(self, record: Record, time: int, *, late: bool = False) -> None:
        """Take a record that is sent at `time` (milliseconds); a late one arrives days later."""
        random = self._dice.random
        if late:
            self._put(time + DAY + int(random() * 4 * DAY), record)
            return
        draw = random()
        for share, longest in _DELAYS:
            if draw < share:
                self._put(time + int(random() * longest), record)
                break
        if random() < _REPEATED:
            again = time + 10 * SECOND + int(random() * 20 * MINUTE)
            self._put(again, record._replace(repeated=True))

    def arrived(self, time: int) -> Iterator[Record]:
        """Yield what has arrived by `time`, in order of arrival."""
        waiting = self._under_way
        while waiting and waiting[0][0] <= time:
            yield heappop(waiting)[2]

    def _put(self, time: int, record: Record) -> None:
        # The number decides between two of one moment, so records are never compared.
        heappush(self._under_way, (time, self.sent, record))
        self.sent += 1
