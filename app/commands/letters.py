"""What `mastery dead-letters` prints of letters, counts, plans and replays. Never a value but by `show`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import click

from app.commands.output import print_json, print_table
from app.replay.letters import Letter, place_text
from app.replay.marks import Mark, Marks
from app.replay.plan import Plan
from app.replay.replayer import Replayer
from app.settings import Settings
from app.values import plain_bytes, timestamp_text

__all__ = [
    "none_text",
    "origin",
    "print_counts",
    "print_plan",
    "print_totals",
    "raw_text",
    "summary",
    "went",
]

#: Lines of a plan that a person gets to see.
_SHOWN = 20


def summary(letter: Letter, mark: Mark | None) -> dict[str, Any]:
    """Return what `list` shows of a letter; `mark` is that of its own replay."""
    why = letter.why
    return {
        "id": place_text(letter.place),
        "kind": letter.kind,
        "event": letter.event_name,
        "timestamp": timestamp_text(letter.record.timestamp),
        "topic": why.topic if why else None,
        "partition": why.partition if why else None,
        "offset": why.offset if why else None,
        "replays": letter.replays,
        "replayed_to": went(mark) if mark else None,
        "message": why.message if why else None,
    }


def origin(entry: dict[str, Any]) -> str | None:
    """Return where the raw record of a summary stood."""
    return None if entry["topic"] is None else f"{entry['topic']}/{entry['partition']}/{entry['offset']}"


def went(mark: Mark) -> str:
    """Return where a replayed letter stands in the raw topic."""
    return f"{mark.topic}/{mark.partition}/{mark.offset}"


def none_text(settings: Settings, *, narrowed: bool) -> str:
    """Say that there is none; `narrowed` by options."""
    return f"no dead letters in {settings.dead_letter_topic}" + (
        " that these options name" if narrowed else ""
    )


@dataclass(slots=True)
class _Group:
    """The letters of one kind and event: how many, how many of them were replayed, and from when they are."""

    count: int = 0
    replayed: int = 0
    oldest: int = 0
    newest: int = 0

    def add(self, letter: Letter, marks: Marks) -> None:
        at = letter.record.timestamp
        self.oldest, self.newest = (min(self.oldest, at), max(self.newest, at)) if self.count else (at, at)
        self.count += 1
        self.replayed += marks.of(letter) is not None


def print_counts(letters: Iterable[Letter], marks: Marks, *, none: str, as_json: bool) -> None:
    """Print how many letters there are of each kind and event, the most first."""
    groups: dict[tuple[str, str | None], _Group] = {}
    for letter in letters:
        groups.setdefault((letter.kind, letter.event_name), _Group()).add(letter, marks)
    ordered = sorted(groups.items(), key=lambda item: (-item[1].count, item[0][0], item[0][1] or ""))
    names = ("kind", "event", "count", "replayed", "oldest", "newest")
    rows = [
        (kind, event, it.count, it.replayed, timestamp_text(it.oldest), timestamp_text(it.newest))
        for (kind, event), it in ordered
    ]
    if as_json:
        for row in rows:
            print_json(dict(zip(names, row, strict=True)))
    elif rows:
        print_table([name.upper() for name in names], rows, right=("COUNT", "REPLAYED"))
        total, replayed = (sum(getattr(it, name) for it in groups.values()) for name in ("count", "replayed"))
        click.echo(f"\n{total} dead {_letters(total)}, {replayed} of them replayed")
    else:
        click.echo(none)


def print_plan(settings: Settings, plan: Plan, *, as_json: bool) -> None:
    """Print what would be sent, or that nothing is left to be sent, and what not."""
    for number, letter in enumerate(plan.letters):
        if as_json:
            print_json(
                {
                    "id": place_text(letter.place),
                    "kind": letter.kind,
                    "event": letter.event,
                    "timestamp": timestamp_text(letter.timestamp),
                }
            )
        elif number < _SHOWN:
            when = timestamp_text(letter.timestamp)
            click.echo(f"{place_text(letter.place)}  {letter.kind}  {letter.event or '-'}  {when}")
    if as_json:
        print_json({"would_send": len(plan.letters)} | _left_out(plan))
        return
    if len(plan.letters) > _SHOWN:
        click.echo(f"... and {len(plan.letters) - _SHOWN} more (--json shows all)")
    if count := len(plan.letters):
        click.echo(f"{count} dead {_letters(count)} would be sent to {settings.raw_topic_name}")
    else:
        click.echo("no dead letters to replay")
    _say_what_is_left_out(settings, plan, plan.done)


def print_totals(settings: Settings, plan: Plan, replayer: Replayer, sent: int, *, as_json: bool) -> None:
    """Print how many were sent, and what was not."""
    if as_json:
        late = {
            "replayed_before": plan.done + replayer.done,
            "too_large": len(replayer.too_large),
            "gone": replayer.gone,
        }
        print_json({"sent": sent} | _left_out(plan) | late)
        return
    click.echo(f"{sent} dead {_letters(sent)} replayed to {settings.raw_topic_name}")
    _say_what_is_left_out(settings, plan, plan.done + replayer.done)
    if replayer.gone:
        click.echo(f"{replayer.gone} left out: deleted meanwhile, as old as they were")
    if replayer.too_large:
        ids = ", ".join(place_text(place) for place in sorted(letter.place for letter in replayer.too_large))
        click.echo(
            f"not replayed, as they are larger than {settings.raw_topic_name} takes: {ids}\n"
            "  -> raise its max.message.bytes: the headers of a replay are some 150 bytes",
            err=True,
        )


def _left_out(plan: Plan) -> dict[str, int]:
    return {"replayed_before": plan.done, "expired": plan.expired, "foreign": plan.foreign}


def _say_what_is_left_out(settings: Settings, plan: Plan, done: int) -> None:
    if done:
        click.echo(f"{done} left out: replayed before (--again sends them again)")
    if plan.foreign:
        click.echo(f"{plan.foreign} left out: not written by a worker (--kind unknown sends them)")
    if plan.expired:
        click.echo(
            f"{plan.expired} left out: older than {settings.raw_topic_name} keeps records; Kafka may delete "
            "them unread\n  -> raise its retention.ms for the time, or use --expired while workers run and "
            "keep up",
            err=True,
        )


def _letters(count: int) -> str:
    return "letter" if count == 1 else "letters"


def raw_text(raw: bytes | None) -> str:
    """Return a raw value as text."""
    if raw is None:
        return "(null)"
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return f"(no text; base64) {plain_bytes(raw)['base64']}"
