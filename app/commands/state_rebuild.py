"""`mastery state rebuild`: all rows made anew."""

from typing import TYPE_CHECKING

import click

from app.access import tasks
from app.commands.at_broker import at_broker
from app.commands.sending import progress_bar

if TYPE_CHECKING:
    from app.rebuild.changelog import ChangelogPlan
    from app.rebuild.results import ResultsPlan
    from app.settings import Settings
    from app.topics import Catalogue

__all__ = ["rebuild"]


def _task(settings: "Settings", catalogue: "Catalogue", *, from_changelog: bool) -> tasks.Task:
    way = tasks.rebuild_from_changelog if from_changelog else tasks.rebuild
    return way(settings, catalogue)


@click.command(short_help="Make all rows anew.")
@click.option(
    "--from-changelog",
    is_flag=True,
    help="From the results that the rows keep; nothing else can where result topics lost their beginning.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@at_broker(_task, "from_changelog")
def rebuild(from_changelog: bool, dry_run: bool, yes: bool) -> None:
    """Make all rows of mastery anew, where `mastery state verify` found some that are wrong.

    As a rule from the truth: the rows are deleted from the state's changelog, with published ones that no
    result leads to, and the workers' offsets of the result topics go back to 0. Workers that are started
    then compute everything again; meanwhile consumers see rows go through their history once more.

    With --from-changelog each row is computed again at once, from the latest snapshots of its results that
    the changelog keeps and the definitions as they are; only rows that differ are written. Give the settings
    that the workers have.

    All workers must be stopped. While this runs, none can come in. It may be interrupted at any time: what is
    done is good, and the same command goes on.
    """
    from app.rebuild.run import prepared
    from app.schemas.contract import load_contract
    from app.settings import load_settings

    settings = load_settings()
    with progress_bar(None) as progress:
        task = progress.add_task("reading", total=None)

        def heard(count: int) -> None:
            progress.advance(task, count)

        with prepared(settings, load_contract(), from_changelog=from_changelog, heard=heard) as found:
            progress.stop()
            lines, anything = _lines(settings, found.plan)
            click.echo("\n".join(lines))
            if dry_run or not anything:
                click.echo("nothing was changed")
                return
            if not yes:
                click.confirm("do it?", abort=True, err=True)
            progress.reset(task, description="writing")
            progress.start()
            written = found.run(heard)
    click.echo(f"done: {written:,} records written. {_next(from_changelog)}")


def _lines(settings: "Settings", plan: "ResultsPlan | ChangelogPlan") -> tuple[list[str], bool]:
    from app.rebuild.results import ResultsPlan

    if isinstance(plan, ResultsPlan):
        return [
            f"rows to be deleted from {settings.changelog_topic}: {plan.kept:,}",
            f"published records to be deleted, as no result leads to them: {plan.stale:,}",
            f"offsets of group {settings.group_id} to be set to 0 in {' and '.join(settings.result_topics)}",
            f"then workers will compute {plan.rows:,} rows from {plan.results:,} results",
        ], bool(plan.kept or plan.stale or plan.results)
    return [
        f"rows in {settings.changelog_topic}: {plan.rows:,}, of which to be written anew: {plan.wrong:,}",
        f"published rows to be deleted, as the changelog does not have them: {plan.stale:,}",
    ], bool(plan.wrong or plan.stale)


def _next(from_changelog: bool) -> str:
    if from_changelog:
        return "Start the workers; `mastery state verify` tells whether all rows are right."
    return "Start the workers; when `mastery status --wait-idle` is through, `mastery state verify`."
