"""Logging of the commands: to stderr, one line each, and no flood from the libraries below."""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any, Literal

from typing_extensions import override

__all__ = ["JsonFormatter", "RateLimit", "fields", "log_to_stderr"]

#: Seconds. While the broker is away aiokafka logs about 60 error lines a second.
_EVERY = 10.0

#: What aiokafka warns of at every rebalance, which app.stream logs as what it is.
_USUAL = frozenset({"Heartbeat failed for group %s because it is rebalancing"})

#: Loggers whose lines are all written.
_OURS = ("app.", "mastery.")

#: The attribute of a record that holds what `fields` was given.
_FIELDS = "fields"


def fields(**values: Any) -> dict[str, Any]:
    """Return the `extra` of a log call: what a JSON line says besides its message, which says it in words.

    Values are numbers, texts, and lists and objects of these. Never a payload, a name or a secret.
    """
    return {_FIELDS: values}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, then the fields.

    A traceback is in `traceback`, as one text.
    """

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a line's end."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        } | getattr(record, _FIELDS, {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class RateLimit(logging.Filter):
    """Lets one message of one logger, whatever its arguments, through once in `every` seconds.

    What is no more than usual, and told better by ourselves, never gets through.
    """

    def __init__(self, every: float = _EVERY) -> None:
        super().__init__()
        self._every = every
        self._last: dict[tuple[str, str], float] = {}
        self._held: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop a repetition; the next line that passes says how many were dropped. Drop what is usual."""
        if record.msg in _USUAL:
            return False
        key = (record.name, str(record.msg))
        now = time.monotonic()
        if now - self._last.get(key, -self._every) < self._every:
            self._held[key] = self._held.get(key, 0) + 1
            return False
        self._last[key] = now
        if held := self._held.pop(key, 0):
            record.msg = f"{record.msg} (and {held} times more since the last such line)"
        return True


def log_to_stderr(level: str, form: Literal["text", "json"] = "text") -> None:
    """Log to stderr from `level` on; the libraries below from WARNING on, without their repetitions."""
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr, force=True
    )
    # They narrate every step of a rebalance at INFO; app.stream logs what matters of it. httpx, and its
    # successor that the registry's client takes, tell every address called: in those students may stand.
    for name in (
        *("faust", "mode", "aiokafka", "asyncio", "httpx", "httpcore", "httpx2", "httpcore2"),
        # They tell what is in requests and answers: events.
        *("boto3", "botocore", "urllib3"),
    ):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    # Whoever wants fewer lines still wants to know who looked at whom.
    logging.getLogger("mastery.audit").setLevel(logging.INFO)
    libraries = RateLimit()
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: record.name.startswith(_OURS) or libraries.filter(record))
        if form == "json":
            handler.setFormatter(JsonFormatter())
