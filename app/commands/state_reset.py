"""`mastery state reset`: the state folder emptied, to be restored by the next start."""

import click

from app.commands.output import print_table

__all__ = ["reset"]


@click.command(short_help="Delete this machine's copy of the state.")
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(dry_run: bool, yes: bool) -> None:
    """Delete this machine's copy of rows and definitions, with what was moved aside, in MASTERY_STATE_DIR.

    Nothing is lost: the topics hold all of it, and the worker's next start reads it from them. The worker
    that uses the folder must be stopped. Its identity (worker-id) stays. See `mastery state rebuild` for rows
    that are wrong in the topics themselves.
    """
    from app.checks import lock_state_dir
    from app.settings import load_settings
    from app.state.reset import delete, local_files

    settings = load_settings()
    folder = settings.rows_folder
    if not folder.is_dir():
        click.echo(f"there is no state in {settings.state_dir}")
        return
    with lock_state_dir(settings.state_dir):
        files = local_files(folder)
        if not files:
            click.echo(f"there is no state in {settings.state_dir}")
            return
        print_table(
            ("FILE", "WHAT", "BYTES"),
            [(one.path, one.what, f"{one.bytes:,}") for one in files],
            right=("BYTES",),
        )
        if dry_run:
            click.echo(f"\nwould delete {len(files)} files")
            return
        if not yes:
            click.confirm(f"\ndelete {len(files)} files?", abort=True, err=True)
        delete(files)
        click.echo(f"\ndeleted {len(files)} files: the worker's next start reads them from the topics again")
