"""The demo: embedded broker, topics, a worker and events in one place, and what arrives at its end."""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from app.backlog import read_backlog
from app.deadletter import parse_headers
from app.embedded.broker import DEFAULT_PORT, EmbeddedBroker, free_port
from app.embedded.child import ChildProcess
from app.embedded.events import FIRST_OF_SCHOOL, MAIN_ACCOUNT, DemoEvent, demo_events, first_events
from app.embedded.mastery_view import MasteryView
from app.errors import MasteryError
from app.reader import Record, TopicReader, topic_partitions
from app.schemas.contract import load_contract
from app.sender import EventSender
from app.settings import PREFIX, Settings, load_settings, variable
from app.settings.types import AccountSettings
from app.topics import TopicAdmin, apply, load_catalogue
from app.values import ValueReader, plain

__all__ = ["Arrival", "Demo", "DemoFailed", "TopicView", "without_settings"]

# Seconds. The embedded broker lets a first member wait for half of it; Kafka's own lower limit is 6.
SESSION_TIMEOUT = 6.0
# Few are enough to see, and quick to make.
PARTITIONS = 4
_WORKER_STOP_TIMEOUT = 15.0
# Seconds. A worker looks for changed definitions five times a second.
_QUIET = 1.0
_ROWS = "outcome_mastery"


class DemoFailed(MasteryError):
    """Something that the demo runs has ended, or its events have not all arrived."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record at the end of its way. `value` is decoded; of a dead letter it is what was wrong with it.

    `event_id` is that of the raw record it was made of.
    """

    topic: str
    key: str
    value: dict[str, Any]
    event_id: str


@dataclass
class TopicView:
    """What has arrived in one topic, and what has not: `waiting` counts event ids that must still come.

    `surplus` counts arrivals of what was not sent, or not that often. `changed` is the time of the last
    arrival by the monotonic clock, in seconds.
    """

    topic: str
    waiting: Counter[str] = field(default_factory=Counter)
    records: int = 0
    surplus: int = 0
    first: Arrival | None = None
    last: Arrival | None = None
    changed: float = 0.0

    def take(self, arrival: Arrival) -> None:
        """Count one more."""
        self.records += 1
        left = self.waiting[arrival.event_id]
        if left > 1:
            self.waiting[arrival.event_id] = left - 1
        elif left == 1:
            del self.waiting[arrival.event_id]
        else:
            self.surplus += 1
        self.first = self.first or arrival
        self.last = arrival
        self.changed = time.monotonic()


@dataclass
class Demo:
    """Owns all processes of the demo; a context manager that leaves none behind.

    `say` gets one line for every step. Usage: enter, `send_first`, then `arrivals` again and again.
    """

    say: Callable[[str], None]
    port: int | None = None
    views: dict[str, TopicView] = field(default_factory=dict)
    mastery: MasteryView = field(default_factory=lambda: MasteryView(_ROWS))
    _idle_since: float | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mastery-demo-")))
        self._broker = stack.enter_context(EmbeddedBroker(port=self.port, log_file=folder / "broker.log"))
        self.settings = _settings(self._broker.bootstrap, folder / "state")
        usual = self.port is not None or self.settings.broker.endswith(f":{DEFAULT_PORT}")
        self.say(
            f"embedded broker on {self.settings.broker}" + ("" if usual else f" ({DEFAULT_PORT} is taken)")
        )
        made = apply(load_catalogue(self.settings), TopicAdmin(self.settings)).created
        self.say(f"{len(made)} topics made, with {PARTITIONS} partitions each")
        self._worker = ChildProcess(
            [sys.executable, "-m", "app.cli", "worker"],
            output=folder / "worker.log",
            env=_environment(self.settings),
        )
        self._worker.start()
        stack.callback(self._worker.stop, _WORKER_STOP_TIMEOUT)
        self.say(f"worker started: process {self._worker.pid}, in a browser: {self.web}/")
        topics = [self.settings.typed_topic(name) for name in load_contract().events]
        for topic in [*topics, self.settings.dead_letter_topic]:
            self.views[topic] = TopicView(topic)
        self.mastery.topic = self.settings.typed_topic(_ROWS)
        self._events = demo_events(datetime.now(UTC).date())
        self._reader = stack.enter_context(
            TopicReader.whole(
                self.settings, [*self.views, self.mastery.topic], topic_partitions(self.settings)
            )
        )
        self._values = ValueReader(self.settings)
        self._sender = EventSender(self.settings, self.settings.raw_topic_name)

    @property
    def web(self) -> str:
        """Address of the worker's web server, without a slash at the end."""
        return f"http://{self.settings.web_host}:{self.settings.web_port}"

    def send_first(self) -> str:
        """Send the examples of Canvas's documentation and the first of the school; return what that was."""
        events = first_events(self._events)
        for event in events:
            self._send(event)
        self._sender.finish()
        examples = len(events) - FIRST_OF_SCHOOL
        return (
            f"{examples} examples of Canvas's documentation and {FIRST_OF_SCHOOL} records of a made-up school"
        )

    def send_another(self) -> None:
        """Send one more record of the school, so that something moves."""
        self._send(next(self._events))

    def _send(self, event: DemoEvent) -> None:
        topic = self.settings.typed_topic(event.event_name) if event.event_name else None
        if event.dead:
            topic = self.settings.dead_letter_topic
        if topic is not None:
            self.views[topic].waiting[_event_id(event.raw)] += 1
        self._sender.send(event.raw)

    def arrivals(self, timeout: float) -> list[Arrival]:
        """Return what has newly arrived, waiting up to `timeout` seconds for it.

        It is counted in `views`, and rows of mastery in `mastery`.

        Raises DemoFailed when the worker or the broker has ended.
        """
        arrived = [self._arrival(record) for record in self._reader.read(timeout)]
        for arrival in arrived:
            if arrival.topic == self.mastery.topic:
                self.mastery.take(arrival.key, arrival.value)
                continue
            self.views[arrival.topic].take(arrival)
            if arrival.topic in self.settings.result_topics:
                self.mastery.expect(arrival.value)
        if not self._worker.running:
            status = self._worker.returncode
            raise DemoFailed(f"the worker has ended by itself, exit status {status}:\n{self._worker.tail()}")
        if not self._broker.running:
            raise DemoFailed("the embedded broker has ended by itself")
        return arrived

    def _arrival(self, record: Record) -> Arrival:
        key = (record.key or b"-").decode(errors="replace")
        if record.topic == self.settings.dead_letter_topic:
            why = parse_headers(record.headers)
            reason = {"kind": why.kind, "message": why.message} if why else {}
            value = reason | {"raw": plain(record.value)}
            return Arrival(record.topic, key, value, _event_id(record.value))
        value = self._values.value(record.value)
        # A row is made of several events.
        return Arrival(record.topic, key, value, value.get("event_id", ""))

    @property
    def complete(self) -> bool:
        """True when everything that was sent has arrived where it belongs."""
        return not any(view.waiting for view in self.views.values())

    def idle(self) -> bool:
        """True when the worker has committed everything that was sent, and what it made of that.

        Rows whose definition came late are computed again after that; so they must have been quiet since,
        too. On a busy machine they are also read later than they were committed.
        """
        places = [(topic, p) for topic in self.settings.input_topics for p in range(PARTITIONS)]
        if not all(entry.idle for entry in read_backlog(self.settings, places)):
            self._idle_since = None
            return False
        if self._idle_since is None:
            self._idle_since = time.monotonic()
        return time.monotonic() >= self._idle_since + _QUIET and self.mastery.quiet(_QUIET)

    def require_exactly_what_was_sent(self) -> None:
        """Raise DemoFailed unless each topic holds what belongs there, no more and no less."""
        wrong = [
            f"{view.topic} {view.waiting.total()} missing, {view.surplus} too many"
            for view in self.views.values()
            if view.waiting or view.surplus
        ]
        rows, expected = self.mastery.rows.keys(), self.mastery.expected
        if rows != expected:
            wrong.append(
                f"{self.mastery.topic} {len(expected - rows)} rows missing, {len(rows - expected)} too many"
            )
        if wrong:
            raise DemoFailed(
                f"not everything arrived exactly once: {', '.join(wrong)}\n{self._worker.tail()}"
            )


def _event_id(raw: bytes | None) -> str:
    return sha256(raw or b"").hexdigest()[:32]


def _settings(broker: str, state_dir: Path) -> Settings:
    return load_settings(
        broker=broker,
        state_dir=state_dir,
        session_timeout=SESSION_TIMEOUT,
        partitions=PARTITIONS,
        # Not the usual one: a worker of one's own may run beside the demo.
        web_port=free_port(),
        # With its scales' own names and colours; the others' scales are left for the overview to tell of.
        accounts={MAIN_ACCOUNT: AccountSettings(account_level_scales=True)},
    )


def _environment(settings: Settings) -> dict[str, str]:
    """The worker gets the demo's settings, and none of those that are meant for another broker."""
    ours = settings.model_dump(mode="json", include=settings.model_fields_set, exclude_none=True)
    return without_settings(os.environ) | {
        variable(name): value if isinstance(value, str) else json.dumps(value) for name, value in ours.items()
    }


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without this project's variables."""
    return {name: value for name, value in environ.items() if not name.upper().startswith(PREFIX)}
