"""The log: no flood from the libraries, and nothing of ours held back."""

import json
import logging
import sys
from pathlib import Path

import pytest
from aiokafka.consumer import group_coordinator

from app.logs import _USUAL, JsonFormatter, RateLimit, fields, log_to_stderr


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


def formatted(line: logging.LogRecord) -> dict[str, object]:
    text = JsonFormatter().format(line)
    assert "\n" not in text
    return json.loads(text)


def test_a_json_line_says_when_who_what_and_its_fields():
    line = record("checkpoint of %d events", 3, name="app.stream")
    line.created = 1_780_000_000.25
    line.__dict__.update(fields(events=3, offsets={"raw[0]": 7}))
    assert formatted(line) == {
        "time": "2026-05-28T20:26:40.250Z",
        "level": "ERROR",
        "logger": "app.stream",
        "message": "checkpoint of 3 events",
        "events": 3,
        "offsets": {"raw[0]": 7},
    }


@pytest.mark.parametrize("message", ['"quoted"', "two\nlines", "\ud800", "gr\u00fc\u00dfe", "\x00"])
def test_any_message_is_one_line_of_json(message):
    assert formatted(record("%s", message))["message"] == message


def test_a_traceback_is_one_field():
    try:
        {}["where"]
    except KeyError:
        line = logging.LogRecord("app", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    assert "KeyError: 'where'" in str(formatted(line)["traceback"])


@pytest.fixture
def root_logger():
    """Put back what `log_to_stderr` changes for the whole process."""
    libraries = ("faust", "mode", "aiokafka", "asyncio", "httpx", "httpcore", "httpx2", "httpcore2")
    names = (None, *libraries, "mastery.audit")
    loggers = [logging.getLogger(name) for name in names]
    levels, handlers = [logger.level for logger in loggers], list(loggers[0].handlers)
    loggers[0].handlers.clear()
    yield
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize("form", ["text", "json"])
def test_both_forms_say_the_same_to_stderr(form, root_logger, capfd):
    log_to_stderr("INFO", form)
    logging.getLogger("app.x").info("seen %d", 5, extra=fields(count=5))
    logging.getLogger("app.x").debug("not seen")
    for name in ("aiokafka", "httpx", "httpx2"):
        logging.getLogger(name).info("not seen")
    captured = capfd.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert "seen 5" in line
    assert line.startswith("{") == (form == "json")


def test_lines_of_the_audit_are_all_written_whatever_the_level(root_logger, capfd):
    log_to_stderr("ERROR")
    for student in ("a", "b"):
        logging.getLogger("mastery.audit").info("%s", student)
    assert [line[-1] for line in capfd.readouterr().err.splitlines()] == ["a", "b"]


def test_a_rebalance_is_no_warning_and_the_message_is_still_aiokafkas_own():
    source = Path(group_coordinator.__file__).read_text()
    for message in _USUAL:
        assert f'"{message}"' in source
        assert not RateLimit().filter(record(message, "group"))
