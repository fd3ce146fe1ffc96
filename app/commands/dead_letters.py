"""`mastery dead-letters`: what could not be understood, why, and sending it again."""

import functools
import heapq
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from app.access import tasks
from app.commands.at_broker import at_broker
from app.commands.letters import (
    none_text,
    origin,
    print_counts,
    print_plan,
    print_totals,
    raw_text,
    summary,
    went,
)
from app.commands.output import print_json, print_table
from app.reader import topic_missing, topic_partitions
from app.replay.letters import Place, letter_at, place_text, read_letters
from app.replay.marks import Marks, read_marks
from app.replay.plan import make_plan, oldest_kept
from app.replay.replayer import Replayer
from app.replay.selection import Selection, parse_since
from app.settings import load_settings
from app.values import plain

__all__ = ["dead_letters"]

_SHOWN = 50


class _Place(click.ParamType):
    """PARTITION:OFFSET."""

    name = "PARTITION:OFFSET"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        partition, _, offset = str(value).partition(":")
        if not (partition.isdecimal() and offset.isdecimal()):
            self.fail(
                f"{value} is not PARTITION:OFFSET, the id that `mastery dead-letters list` shows", param, ctx
            )
        return int(partition), int(offset)


class _Since(click.ParamType):
    """A time or a span, as milliseconds since the epoch."""

    name = "TIME|SPAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return parse_since(str(value), now=datetime.now(UTC))
        except (ValueError, OverflowError) as error:
            self.fail(str(error), param, ctx)


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose letters, and hand them over as `selection`."""

    @functools.wraps(command)
    def narrowed(
        *, kinds: tuple[str, ...], events: tuple[str, ...], since: int | None, **others: Any
    ) -> None:
        command(selection=Selection(frozenset(kinds), frozenset(events), since), **others)

    wrapped: Callable[..., None] = narrowed
    for option in (
        click.option(
            "--event", "events", multiple=True, metavar="NAME", help="Only this event; may be repeated."
        ),
        click.option(
            "--since",
            type=_Since(),
            help="Only records from then on: an ISO 8601 time with its offset (2026-05-04T08:00Z) or a span "
            "(90s, 15m, 2h, 3d, 1w). It is the raw record's own timestamp that counts, the column WHEN.",
        ),
        click.option(
            "--kind",
            "kinds",
            multiple=True,
            metavar="KIND",
            help="Only this kind of error, for example missing-field; may be repeated.",
        ),
    ):
        wrapped = option(wrapped)
    return wrapped


def _note(line: str) -> None:
    click.echo(f"note: {line}", err=True)


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at the records that no typed topic could take, and why; send them again."""


@dead_letters.command("list", short_help="List or count dead letters, the newest last.")
@_filters
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_SHOWN,
    show_default=True,
    help="Show the newest this many.",
)
@click.option("--pending", is_flag=True, help="Only those that were not replayed.")
@click.option("--count", is_flag=True, help="Count all of them by kind and event instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
@at_broker(tasks.list_letters)
def list_letters(
    selection: Selection,
    limit: int,
    pending: bool,
    count: bool,
    as_json: bool,
) -> None:
    """List dead letters, the newest last: kind, event, when, where it stood, what was wrong.

    REPLAYS says how often it had been replayed before it failed this time.
    """
    settings = load_settings()
    partitions = topic_partitions(settings)
    marks = read_marks(settings, partitions)
    letters = (
        letter
        for letter in read_letters(settings, partitions)
        if selection.has(letter) and not (pending and marks.of(letter))
    )
    none = none_text(settings, narrowed=pending or selection != Selection())
    if count:
        print_counts(letters, marks, none=none, as_json=as_json)
        return
    # Only the newest are kept while the whole topic goes by.
    newest = heapq.nlargest(limit, letters, key=lambda letter: letter.age)[::-1]
    summaries = [summary(letter, marks.of(letter)) for letter in newest]
    if as_json:
        for entry in summaries:
            print_json(entry)
    elif not summaries:
        click.echo(none)
    else:
        shown = ("id", "kind", "event", "timestamp", "from", "replays", "replayed_to", "message")
        rows = [[(entry | {"from": origin(entry)})[name] for name in shown] for entry in summaries]
        print_table(("ID", "KIND", "EVENT", "WHEN", "FROM", "REPLAYS", "REPLAYED TO", "MESSAGE"), rows)


@dead_letters.command(short_help="Show one dead letter whole.")
@click.argument("place", type=_Place(), metavar="PARTITION:OFFSET")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@at_broker(tasks.show_letter)
def show(place: Place, as_json: bool) -> None:
    """Show one dead letter: its headers, what was wrong, the raw record.

    PARTITION:OFFSET is the id that `mastery dead-letters list` shows.
    """
    settings = load_settings()
    partitions = topic_partitions(settings)
    letter = letter_at(settings, partitions, place)
    details = summary(letter, read_marks(settings, partitions).of(letter)) | {
        "exception": letter.why.exception if letter.why else None,
        "key": plain(letter.record.key),
        "headers": {name: plain(value) for name, value in letter.original_headers},
    }
    if as_json:
        print_json(details | {"value": plain(letter.record.value)})
        return
    for name, value in details.items():
        click.echo(f"{name + ':':13}{'-' if value in (None, {}) else value}")
    click.echo(f"\n{raw_text(letter.record.value)}")


@dead_letters.command(short_help="Send dead letters to the raw topic again.")
@click.argument("places", nargs=-1, type=_Place(), metavar="[PARTITION:OFFSET]...")
@_filters
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest this many of those to be sent.")
@click.option("--again", is_flag=True, help="Send also those that were replayed before.")
@click.option(
    "--expired", is_flag=True, help="Send also those that are older than the raw topic keeps records."
)
@click.option("--dry-run", is_flag=True, help="Only show what would be sent.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, the last one with totals.")
@at_broker(tasks.replay, "dry_run")
def replay(
    places: tuple[Place, ...],
    selection: Selection,
    limit: int | None,
    again: bool,
    expired: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send dead letters to the raw topic again: all of them, or those that ids and filters name.

    A letter goes with the bytes, key, timestamp and headers that the raw record had, and headers that say
    which dead letter it was. It is sent exactly once, whatever is killed meanwhile, and nothing is replayed
    twice, by whatever filters, unless with --again. What fails again becomes a new dead letter.

    Letters are left out that are older than the raw topic keeps records: Kafka goes by the timestamp, and may
    delete them before a worker reads them. Records that no worker wrote are left out, too, unless named by
    their id or with --kind unknown.
    """
    settings = load_settings()
    partitions = topic_partitions(settings)
    for topic in (settings.raw_topic_name, settings.replays_topic):
        if topic not in partitions:
            raise topic_missing(settings, topic)
    marks = read_marks(settings, partitions)
    oldest = None if expired else oldest_kept(settings, now=time.time_ns() // 1_000_000, say=_note)
    selection = replace(selection, places=frozenset(places))
    plan = make_plan(
        settings, partitions, Marks({}) if again else marks, selection, limit=limit, oldest=oldest
    )
    if dry_run or not plan.letters:
        print_plan(settings, plan, as_json=as_json)
        click.get_current_context().exit(1 if plan.expired else 0)
    replayer = Replayer(settings, partitions)
    sent = 0
    try:
        for entry in replayer.run(plan, again=again, forget=marks.gone(plan.first)):
            sent += 1
            if as_json:
                print_json(summary(entry.letter, entry.mark))
            else:
                letter = entry.letter
                click.echo(f"{place_text(letter.place)} -> {went(entry.mark)}  {letter.kind}")
    finally:
        # Said in every case: what was sent stays sent.
        print_totals(settings, plan, replayer, sent, as_json=as_json)
    click.get_current_context().exit(1 if plan.expired or replayer.too_large else 0)
