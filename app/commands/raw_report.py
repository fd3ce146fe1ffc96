"""What `mastery raw inspect` prints."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from app.commands.output import print_table
from app.events.envelopes import Envelope
from app.events.errors import ErrorKind
from app.inspect.summary import AccountTally, Summary
from app.settings import Settings, variable
from app.values import timestamp_text

__all__ = ["findings", "print_report", "report_json"]

_RESULTS = "learning_outcome_result_"


def findings(settings: Settings, summary: Summary) -> list[str]:
    """Say in sentences what somebody should know before a worker runs; most important first."""
    return [
        *_refused(summary),
        *_packed(summary),
        *_mixed(summary),
        *_without_student(summary),
        *_ignored(settings, summary),
    ]


def print_report(settings: Settings, summary: Summary, title: str) -> None:
    """Print tables for a person, and what is to be known."""
    click.echo(f"{title}\n")
    if not summary.records:
        click.echo("no records")
        return
    click.echo(
        f"{summary.records} records, {_size(summary.bytes)}, the largest {_size(summary.largest)}\n"
        f"in Kafka from {_kafka(summary.kafka_times.first)} to {_kafka(summary.kafka_times.last)}\n"
        f"events of {_iso(summary.event_times.first)} to {_iso(summary.event_times.last)}\n"
    )
    _print_counted(
        ("EVENT", "GENERATION", "TYPED", "IGNORED", "REFUSED"),
        [
            (name or "(none told)", generation, it.typed, it.ignored, it.refused)
            for (name, generation), it in _events(summary)
        ],
    )
    _print_counted(
        ("REFUSED", "RECORDS", "FIRST"),
        [(message, it.count, f"{it.example[0]}:{it.example[1]}") for message, it in _refusals(summary)],
    )
    _print_counted(("PACKED IN", "RECORDS"), summary.envelopes.most_common())
    _print_counted(
        ("ROOT ACCOUNT", "EVENTS", "ENVIRONMENT", "HOSTS", "PRODUCERS"),
        [
            (
                uuid or "(none)",
                it.events,
                ", ".join(sorted(it.environments)) or "not told",
                ", ".join(sorted(_names(it.hosts))) or "not told",
                ", ".join(sorted(_names(it.producers))) or "not told",
            )
            for uuid, it in _accounts(summary)
        ],
    )
    for finding in findings(settings, summary) or ["all of them would be taken"]:
        click.echo(f"* {finding}")


def report_json(settings: Settings, summary: Summary, *, offsets: int, offsets_read: int) -> dict[str, Any]:
    """The same as one JSON object. `offsets` are held by the topic; some may be no records but markers."""
    return {
        "topic": settings.raw_topic_name,
        "offsets": offsets,
        "offsets_read": offsets_read,
        "records": summary.records,
        "bytes": summary.bytes,
        "largest": summary.largest,
        "kafka_time": [_kafka(summary.kafka_times.first), _kafka(summary.kafka_times.last)],
        "event_time": [_iso(summary.event_times.first), _iso(summary.event_times.last)],
        "events": [
            {"event": name, "generation": generation} | asdict(it)
            for (name, generation), it in _events(summary)
        ],
        "refused": [
            {
                "kind": it.kind,
                "message": message,
                "records": it.count,
                "first": {"partition": it.example[0], "offset": it.example[1]},
            }
            for message, it in _refusals(summary)
        ],
        "envelopes": dict(summary.envelopes.most_common()),
        "accounts": [
            {
                "root_account_uuid": uuid,
                "events": it.events,
                "environments": dict(it.environments),
                "hosts": {host: count for host, count in it.hosts.most_common() if host is not None},
                "producers": {name: count for name, count in it.producers.most_common() if name is not None},
            }
            for uuid, it in _accounts(summary)
        ],
        "findings": findings(settings, summary),
    }


def _refused(summary: Summary) -> Iterable[str]:
    if count := sum(it.count for it in summary.refusals.values()):
        yield f"{count} of {summary.records} records would be refused: dead letters, and no typed records"


def _packed(summary: Summary) -> Iterable[str]:
    if any(it.kind == ErrorKind.IN_ENVELOPE for it in summary.refusals.values()):
        names = ",".join(summary.needed)
        token = "; no signature is checked then" if Envelope.JWT in summary.needed else ""
        yield f"{variable('raw_envelope')}={names} would take the events out that are packed{token}"


def _mixed(summary: Summary) -> Iterable[str]:
    found = summary.environments
    if len(found) > 1:
        shares = ", ".join(f"{name} {count}" for name, count in found.most_common())
        yield (
            f"several Canvas environments are mixed ({shares}, of the events that name a host): each needs a "
            "topic prefix and workers of its own"
        )
    for uuid, account in _accounts(summary):
        if len(account.environments) > 1:
            yield (
                f"root account {uuid or '(none)'} is in several of them: Beta is a copy of Production with "
                "the same ids, so results of both would be taken for one student's"
            )


def _without_student(summary: Summary) -> Iterable[str]:
    count = sum(
        it.total
        for (name, generation), it in summary.events.items()
        if generation == "oldest" and (name or "").startswith(_RESULTS)
    )
    if count:
        yield f"{count} results are of the oldest form, which names no student: they are in no row of mastery"


def _ignored(settings: Settings, summary: Summary) -> Iterable[str]:
    count = sum(it.ignored for it in summary.events.values())
    if count and settings.other_events == "ignore":
        yield f"{count} events are of kinds that this project does not publish: counted and left out"


def _events(summary: Summary) -> list[Any]:
    return sorted(summary.events.items(), key=lambda item: (-item[1].total, str(item[0])))


def _refusals(summary: Summary) -> list[Any]:
    return sorted(summary.refusals.items(), key=lambda item: (-item[1].count, item[0]))


def _accounts(summary: Summary) -> list[tuple[str | None, AccountTally]]:
    return sorted(summary.accounts.items(), key=lambda item: (-item[1].events, str(item[0])))


def _names(counts: Iterable[str | None]) -> list[str]:
    return [name for name in counts if name is not None]


def _print_counted(columns: tuple[str, ...], rows: list[Any]) -> None:
    """Print a table, if there is anything in it; numbers flush right."""
    if rows:
        numbers = [name for name, cell in zip(columns, rows[0], strict=True) if isinstance(cell, int)]
        print_table(columns, rows, right=numbers)
        click.echo()


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _kafka(time: int | None) -> str | None:
    return None if time is None else timestamp_text(time)


def _iso(time: datetime | None) -> str | None:
    try:
        return (
            None
            if time is None
            else time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        )
    except OverflowError:
        return str(time)
