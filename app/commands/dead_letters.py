"""`mastery dead-letters`: what could not be understood, and why."""

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from app.commands.output import print_json, print_table
from app.deadletter import DeadLetter, parse_headers
from app.errors import MasteryError
from app.reader import REQUEST_TIMEOUT, Record, TopicReader, find_topic, topic_partitions
from app.settings import Settings, load_settings
from app.values import plain, plain_bytes, timestamp_text

__all__ = ["NoSuchDeadLetter", "dead_letters"]


class NoSuchDeadLetter(MasteryError):
    """No dead letter stands at that place."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A record of the dead-letter topic; `why` is None when something else than a worker wrote it."""

    record: Record
    why: DeadLetter | None

    @property
    def place(self) -> str:
        return f"{self.record.partition}:{self.record.offset}"

    @property
    def kind(self) -> str:
        return self.why.kind if self.why else "unknown"

    @property
    def event_name(self) -> str | None:
        """The event's name, where the raw bytes still tell it: a broken record promises nothing."""
        value = plain(self.record.value)
        if not isinstance(value, dict):
            return None
        metadata = value.get("metadata") or value.get("attributes")
        name = metadata.get("event_name") if isinstance(metadata, dict) else None
        return name if isinstance(name, str) else None

    def summary(self) -> dict[str, Any]:
        """Return what `list` shows of it."""
        return {
            "id": self.place,
            "kind": self.kind,
            "event": self.event_name,
            "timestamp": timestamp_text(self.record.timestamp),
            "topic": self.why.topic if self.why else None,
            "partition": self.why.partition if self.why else None,
            "offset": self.why.offset if self.why else None,
            "message": self.why.message if self.why else None,
        }


class _Place(click.ParamType):
    """PARTITION:OFFSET."""

    name = "PARTITION:OFFSET"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        partition, _, offset = str(value).partition(":")
        if not (partition.isdecimal() and offset.isdecimal()):
            self.fail(
                f"{value} is not PARTITION:OFFSET, the id that `mastery dead-letters list` shows", param, ctx
            )
        return int(partition), int(offset)


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at the records that no typed topic could take, and why."""


@dead_letters.command("list", short_help="List dead letters, the newest last.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Show the newest this many."
)
@click.option("--kind", help="Show one kind of error only, for example missing-field.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def list_letters(limit: int, kind: str | None, as_json: bool) -> None:
    """List dead letters, the newest last: kind, event, when, where it stood, what was wrong."""
    settings = load_settings()
    letters = (letter for letter in _letters(settings) if kind in {None, letter.kind})
    # Only the newest are kept while the whole topic goes by.
    newest = heapq.nlargest(limit, letters, key=_age)[::-1]
    if as_json:
        for letter in newest:
            print_json(letter.summary())
    elif not newest:
        click.echo(f"no dead letters in {settings.dead_letter_topic}" + (f" of kind {kind}" if kind else ""))
    else:
        rows = [
            (s["id"], s["kind"], s["event"], s["timestamp"], _origin(s), s["message"])
            for s in (letter.summary() for letter in newest)
        ]
        print_table(("ID", "KIND", "EVENT", "WHEN", "FROM", "MESSAGE"), rows)


@dead_letters.command(short_help="Show one dead letter whole.")
@click.argument("place", type=_Place(), metavar="PARTITION:OFFSET")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(place: tuple[int, int], as_json: bool) -> None:
    """Show one dead letter: its headers, what was wrong, the raw record.

    PARTITION:OFFSET is the id that `mastery dead-letters list` shows.
    """
    settings = load_settings()
    letter = _letter_at(settings, *place)
    original = letter.why.original if letter.why else letter.record.headers
    details = letter.summary() | {
        "exception": letter.why.exception if letter.why else None,
        "key": plain(letter.record.key),
        "headers": {name: plain(value) for name, value in original},
    }
    if as_json:
        print_json(details | {"value": plain(letter.record.value)})
        return
    for name, value in details.items():
        click.echo(f"{name + ':':11}{'-' if value in (None, {}) else value}")
    click.echo(f"\n{_raw_text(letter.record.value)}")


def _letters(settings: Settings) -> Iterator[_Letter]:
    """Read the whole topic as it is now."""
    partitions = topic_partitions(settings)
    topic = find_topic(settings, settings.dead_letter_topic, partitions)
    with TopicReader.whole(settings, [topic], partitions) as reader:
        while not reader.at_end:
            for record in reader.read(0.5):
                yield _Letter(record, parse_headers(record.headers))


def _letter_at(settings: Settings, partition: int, offset: int) -> _Letter:
    partitions = topic_partitions(settings)
    topic = find_topic(settings, settings.dead_letter_topic, partitions)
    if partition in partitions[topic]:
        deadline = time.monotonic() + REQUEST_TIMEOUT
        with TopicReader(settings, {(topic, partition): offset}) as reader:
            # Behind the end there is no record to come, and not every broker says that it is the end.
            while not reader.at_end and time.monotonic() < deadline:
                for record in reader.read(0.5):
                    if record.offset == offset:
                        return _Letter(record, parse_headers(record.headers))
                    raise _nothing_at(topic, partition, offset)
    raise _nothing_at(topic, partition, offset)


def _nothing_at(topic: str, partition: int, offset: int) -> NoSuchDeadLetter:
    return NoSuchDeadLetter(
        f"{topic} has no record at {partition}:{offset}",
        hint="`mastery dead-letters list` shows what is there",
    )


def _age(letter: _Letter) -> tuple[int, int, int]:
    return letter.record.timestamp, letter.record.partition, letter.record.offset


def _origin(summary: dict[str, Any]) -> str | None:
    if summary["topic"] is None:
        return None
    return f"{summary['topic']}/{summary['partition']}/{summary['offset']}"


def _raw_text(raw: bytes | None) -> str:
    if raw is None:
        return "(null)"
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return f"(no text; base64) {plain_bytes(raw)['base64']}"
