"""What is counted is what the worker's router does; memory is bounded whatever the topic holds."""

import json
from types import SimpleNamespace
from typing import Any

from app.embedded.samples import sample_events
from app.inspect.summary import OTHERS, Summary
from app.reader import Record
from app.settings import load_settings
from app.worker import build_router
from tests.support.envelopes import PACKED_BY
from tests.support.events import CONTRACT

IDS = SimpleNamespace(by_name={name: event.local_id for name, event in CONTRACT.events.items()})
SAMPLE = sample_events()[0].raw.strip()


def summary_of(*values: bytes | None, **settings: Any) -> Summary:
    made = Summary(build_router(load_settings(**settings), CONTRACT, IDS))
    for offset, value in enumerate(values):
        made.add(Record("raw", 2, offset, 1_700_000_000_000 + offset, None, value, ()))
    return made


def test_each_record_counts_as_what_becomes_of_it() -> None:
    ignored = b'{"metadata":{"event_name":"logged_in","event_time":"2024-01-01T00:00:00Z"},"body":{}}'
    made = summary_of(SAMPLE, None, b"broken", SAMPLE, ignored, SAMPLE.replace(b"event_time", b"time"))
    assert {name: (it.typed, it.ignored, it.refused) for (name, _), it in made.events.items()} == {
        "learning_outcome_created": (2, 0, 1),
        "logged_in": (0, 1, 0),
        None: (0, 0, 2),
    }
    assert {message: (it.count, it.example) for message, it in made.refusals.items()} == {
        "null-value": (1, (2, 1)),
        "not-json": (1, (2, 2)),
        "missing-field at metadata.event_time": (1, (2, 5)),
    }
    assert made.records == 6
    assert made.largest == len(SAMPLE)
    assert (made.kafka_times.first, made.kafka_times.last) == (1_700_000_000_000, 1_700_000_000_005)
    assert str(made.event_times.first) == "2019-11-05 10:03:37.526000+00:00"


def test_envelopes_are_counted_opened_or_not() -> None:
    packed = [pack(SAMPLE) for _, pack in PACKED_BY.values()]
    closed, opened = summary_of(*packed), summary_of(*packed, raw_envelope="auto,jwt")
    assert closed.envelopes == opened.envelopes
    assert closed.envelopes.total() == len(packed)
    assert set(closed.needed) >= {"sqs", "sns", "jwt", "base64"}
    (refused,) = closed.events.values()
    (typed,) = opened.events.values()
    # One of them has two events.
    assert (refused.refused, typed.typed) == (len(packed) + 1, len(packed) + 1)
    assert not opened.refusals


def test_environments_are_told_apart_within_a_root_account() -> None:
    def of(host: str) -> bytes:
        return SAMPLE.replace(b'"producer"', f'"hostname": "{host}", "producer"'.encode())

    made = summary_of(of("a.instructure.com"), of("a.beta.instructure.com"), SAMPLE)
    (account,) = made.accounts.values()
    assert account.environments == {"production": 1, "beta": 1}
    assert account.producers == {"canvas": 3}
    assert account.hosts[None] == 1
    assert made.environments == {"production": 1, "beta": 1}


def test_a_thousand_names_are_two_hundred_and_the_rest() -> None:
    values = []
    for number in range(1000):
        metadata = {
            "event_name": f"event_{number}",
            "root_account_uuid": f"a{number}",
            "hostname": f"h{number}",
        }
        values.append(json.dumps({"metadata": metadata, "body": {}}).encode())
    made = summary_of(*values)
    for entries in (made.events, made.accounts):
        assert len(entries) == 201
    assert made.events[OTHERS, None].refused == 800
    assert made.accounts[OTHERS].events == 800
    assert len(made.accounts[OTHERS].hosts) == 201
