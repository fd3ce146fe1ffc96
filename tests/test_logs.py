"""The log: no flood from the libraries, and nothing of ours held back."""

import logging

from app.logs import RateLimit


def record(message: str, *arguments: object, name: str = "aiokafka") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, None)


def test_a_repetition_is_dropped_whatever_its_arguments(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    limit = RateLimit(every=10)
    assert limit.filter(record("node %s is away", 1))
    assert not any(limit.filter(record("node %s is away", n)) for n in range(50))
    assert limit.filter(record("another message"))
    assert limit.filter(record("node %s is away", 1, name="another logger"))
    now += 10
    line = record("node %s is away", 7)
    assert limit.filter(line)
    assert line.getMessage() == "node 7 is away (and 50 times more since the last such line)"
