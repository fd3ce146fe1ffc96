"""`mastery state verify`: every row computed again from the events, and compared."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from app.access import tasks
from app.commands.at_broker import at_broker
from app.commands.output import print_json, print_table
from app.commands.sending import progress_bar

if TYPE_CHECKING:
    from app.settings import Settings
    from app.verify.verifier import Verdict

__all__ = ["verify"]


@click.command(short_help="Compute every row again from the events, and compare.")
@click.option("--account", metavar="UUID", help="The rows of this root account alone.")
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    help="While workers run, look again for so long at rows that differ or change.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=50,
    show_default=True,
    help="Differences to print; all are counted.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print differences as JSON lines, the last one with totals."
)
@at_broker(tasks.verify)
def verify(account: str | None, settle: float, limit: int, as_json: bool) -> None:
    """Compute every row again from the typed topics alone, and compare it with what the workers committed.

    All results up to the workers' committed positions are read, and all definitions. Each row is compared,
    field by field, with the last record of its key on outcome_mastery, of each of its courses on
    course_outcome_mastery, and with the state's changelog; and each must be in its partition and in no other.
    Workers may run meanwhile. Give the settings that the workers have: scores depend on them.

    Exit status: 0 all rows are equal; 1 some differ; 2 none is known to differ, but some could not be
    compared, as events are gone or the row never stood still.
    """
    from app.schemas.contract import load_contract
    from app.settings import load_settings
    from app.verify.verifier import verify as run

    settings = load_settings()
    with progress_bar(0) as progress:
        task = progress.add_task("", total=None)

        def told(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total or None)

        verdict = run(settings, load_contract(), account=account, settle=settle, limit=limit, told=told)
    if as_json:
        _print_json(settings, verdict)
    else:
        _print(settings, verdict)
    if account is not None and not verdict.rows:
        click.echo(f"root account {account} has neither rows nor results: is the uuid right?", err=True)
    click.get_current_context().exit(verdict.exit_code)


def _print_json(settings: "Settings", verdict: "Verdict") -> None:
    for one in verdict.differences:
        print_json(
            {
                "topic": f"{settings.topic_prefix}{one.topic}",
                "key": one.key,
                "field": one.field,
                "found": _plain(one.found),
                "expected": _plain(one.expected),
            }
        )
    counts = ("rows", "equal", "different", "not_verifiable", "moving", "results", "unprocessed", "outcomes")
    print_json(
        {name: getattr(verdict, name) for name in counts}
        | {"workers": verdict.workers, "begins_late": verdict.begins_late, "positions": verdict.positions}
    )


def _print(settings: "Settings", verdict: "Verdict") -> None:
    if verdict.differences:
        rows = [
            (
                f"{settings.topic_prefix}{one.topic}",
                one.key,
                one.field,
                _plain(one.found),
                _plain(one.expected),
            )
            for one in verdict.differences
        ]
        print_table(("TOPIC", "KEY", "FIELD", "IS", "SHOULD BE"), rows)
        click.echo()
    click.echo(
        f"replayed: {verdict.results:,} results, up to the committed positions of group {settings.group_id},"
        f" with the definitions of {verdict.outcomes:,} outcomes"
    )
    if verdict.unprocessed:
        click.echo(f"left out: up to {verdict.unprocessed:,} results that no worker has processed yet")
    if verdict.begins_late:
        click.echo(f"events are gone: {', '.join(verdict.begins_late)} no longer from offset 0")
    parts = [f"{verdict.equal:,} equal", f"{verdict.different:,} different"]
    if verdict.not_verifiable:
        parts.append(f"{verdict.not_verifiable:,} not verifiable")
    if verdict.moving:
        parts.append(f"{verdict.moving:,} changed whenever they were looked at")
    click.echo(
        f"compared: {verdict.rows:,} rows, on the published topics and the changelog: {', '.join(parts)}"
    )
    if verdict.different:
        click.echo(f"  -> {_advice(verdict)}")


def _advice(verdict: "Verdict") -> str:
    if not verdict.workers:
        if verdict.unprocessed:
            return (
                "no worker runs, and results are left to be processed: start the workers, and verify when"
                " `mastery status --wait-idle` is through"
            )
        return (
            "no worker runs: one that starts computes again what definitions changed since; then verify once"
            " more, and if rows still differ, `mastery state rebuild` makes them anew"
        )
    return "`mastery state rebuild` makes the rows anew; are the settings those of the workers?"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
