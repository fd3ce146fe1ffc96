"""`mastery web-token`: a token for the worker's web server, in a file."""

import os
import tempfile
from pathlib import Path

import click

from app.errors import MasteryError

__all__ = ["web_token"]


@click.command("web-token")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--new", is_flag=True, help="Make a new token even if FILE is there.")
def web_token(file: Path, new: bool) -> None:
    """Make a random token for the web server and write it to FILE, unless FILE holds one.

    Only its owner can read it; it is not printed. Workers read it when they start, by MASTERY_WEB_TOKEN_FILE.
    """
    from app.web.security.tokens import new_token, token_in

    if file.exists() and not new:
        token_in(file)
        click.echo(f"kept {file}")
        return
    try:
        _write(file, new_token())
    except OSError as error:
        raise MasteryError(
            f"cannot write {file}: {error.strerror or error}",
            hint="name a file in a folder that can be written to",
        ) from None
    click.echo(f"made {file}")


def _write(file: Path, token: str) -> None:
    """Write it whole or not at all: a worker that starts meanwhile must not read half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 0600
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(f"{token}\n")
        fresh.replace(file)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
