"""`mastery forget`: takes a student's rows away, for good, and says what else there is."""

import sys
import time
from collections import Counter
from datetime import UTC, datetime

import click

from app.access import tasks
from app.commands.at_broker import at_broker
from app.commands.output import print_json, print_table
from app.errors import MasteryError
from app.forget.command import ForgetCommand
from app.forget.places import StillThere, still_there
from app.forget.sending import send_commands, wait_until_applied
from app.settings import load_settings
from app.state.query import rows_of_student
from app.topics import load_catalogue
from app.verify.group import members

__all__ = ["NobodyToForget", "forget"]


class NobodyToForget(MasteryError):
    """No row is of that student, and no account was named."""


@click.command(short_help="Forget a student, for good.")
@click.argument("user", metavar="USER")
@click.option(
    "--account", metavar="UUID", help="Root account; unless given, all in which the student has rows."
)
@click.option("--dry-run", is_flag=True, help="Only show what would go, and what remains elsewhere.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the worker that applies it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@at_broker(tasks.forget, "dry_run")
def forget(
    user: str, account: str | None, *, dry_run: bool, yes: bool, timeout: float, as_json: bool
) -> None:
    """Forget the student with the uuid USER, as far as the stream can.

    The worker that has the student's rows deletes them, with tombstones in outcome_mastery,
    course_outcome_mastery and the changelog, and remembers a salted hash with the time. Events that Canvas
    sent up to now do not bring the student back, whatever is replayed or rebuilt; later ones do: delete the
    student in Canvas first.

    What stays elsewhere, and until when, is listed. With --account also a student without rows is forgotten,
    whose events may still be on their way.
    """
    settings = load_settings()
    if not user or ":" in (account or ""):
        raise click.UsageError("USER must not be empty, and an account's uuid has no colon")
    rows = Counter(row.key.root_account_uuid for row in rows_of_student(settings, user, account))
    accounts = sorted(rows) if account is None else [account]
    if not accounts:
        raise NobodyToForget(
            "no row is of that student",
            hint="a student whose events are still on their way can be forgotten with --account UUID",
        )
    places = still_there(
        settings,
        load_catalogue(settings),
        settings.rows_folder,
        lambda line: click.echo(f"note: {line}", err=True),
    )
    if not as_json:
        for name in accounts:
            click.echo(f"root account {name}: {rows[name]} row{'' if rows[name] == 1 else 's'}")
    if not (dry_run or yes):
        _confirm()
    at = time.time_ns() // 1_000_000
    if not dry_run:
        # Whoever may not look at the group could not wait, and the command would stand all the same.
        members(settings)
        offsets = send_commands(settings, [ForgetCommand(name, user, at) for name in accounts])
        wait_until_applied(settings, offsets, timeout)
    if as_json:
        print_json(
            {
                "accounts": {name: rows[name] for name in accounts},
                "at": None if dry_run else _time(at),
                "applied": not dry_run,
                "still_there": [place._asdict() for place in places],
            }
        )
        return
    if not dry_run:
        click.echo(f"forgotten: events up to {_time(at)} count no more")
    _print_places(places)


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: say --yes, or --dry-run")
    click.confirm("Forget for good?", abort=True)


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _print_places(places: list[StillThere]) -> None:
    click.echo("\nWhat may still hold the student (docs/operating.md, Forgetting a student):\n")
    print_table(("PLACE", "WHAT", "UNTIL"), places)
