"""Logging of the commands: to stderr, one line each, and no flood from the libraries below."""

import logging
import sys
import time

__all__ = ["RateLimit", "log_to_stderr"]

#: Seconds. While the broker is away aiokafka logs about 60 error lines a second.
_EVERY = 10.0


class RateLimit(logging.Filter):
    """Lets one message of one logger, whatever its arguments, through once in `every` seconds."""

    def __init__(self, every: float = _EVERY) -> None:
        super().__init__()
        self._every = every
        self._last: dict[tuple[str, str], float] = {}
        self._held: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop a repetition; the next line that passes says how many were dropped."""
        key = (record.name, str(record.msg))
        now = time.monotonic()
        if now - self._last.get(key, -self._every) < self._every:
            self._held[key] = self._held.get(key, 0) + 1
            return False
        self._last[key] = now
        if held := self._held.pop(key, 0):
            record.msg = f"{record.msg} (and {held} times more since the last such line)"
        return True


def log_to_stderr(level: str) -> None:
    """Log to stderr from `level` on; Faust, mode and aiokafka from WARNING on, without their repetitions."""
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr, force=True
    )
    # They narrate every step of a rebalance at INFO; app.stream logs what matters of it.
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    libraries = RateLimit()
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: record.name.startswith("app.") or libraries.filter(record))
