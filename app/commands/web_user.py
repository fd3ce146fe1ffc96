"""`mastery web-user`: a login for the web view, as an entry of the users file."""

import json
import os
import sys
from pathlib import Path

import click

from app.errors import MasteryError

__all__ = ["web_user"]

_ROLES = ("aggregate", "viewer", "admin")


@click.command("web-user")
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What the login is for.")
@click.option("--account", "accounts", multiple=True, help="Root account uuid that it may see; repeatable.")
@click.option("--course", "courses", multiple=True, help="Course id that it may see; repeatable.")
@click.option("--token", "with_token", is_flag=True, help="Make a token in place of a password, and show it.")
@click.option("--no-login", is_flag=True, help="Neither: a reverse proxy logs this user in.")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Add the entry to this file, which MASTERY_WEB_USERS_FILE names.",
)
def web_user(
    name: str,
    role: str,
    accounts: tuple[str, ...],
    courses: tuple[str, ...],
    with_token: bool,
    no_login: bool,
    file: Path | None,
) -> None:
    """Print the entry of a login for the users file, or add it there.

    Asks for the password; one that comes by a pipe is its first line. Without --account and --course the
    login sees all of them. Only a hash of password or token is kept; workers take a changed file in within a
    second.
    """
    from app.web.security.passwords import hash_password
    from app.web.security.tokens import hash_token, new_token
    from app.web.security.users import check_user_name, parse_users

    try:
        check_user_name(name)
    except ValueError as error:
        raise click.UsageError(f"NAME: {error}") from None
    if with_token and no_login:
        raise click.UsageError("--token and --no-login exclude each other")
    if file is not None:
        _refuse_taken(name, file)
    lines = [f"[users.{json.dumps(name, ensure_ascii=False)}]", f'role = "{role}"']
    token = new_token() if with_token else None
    if token is not None:
        lines.append(f'token_hash = "{hash_token(token)}"')
    elif not no_login:
        lines.append(f'password_hash = "{hash_password(_ask())}"')
    lines += [
        f"{field} = {json.dumps(list(dict.fromkeys(ids)), ensure_ascii=False)}"
        for field, ids in (("accounts", accounts), ("courses", courses))
        if ids
    ]
    entry = "".join(f"{line}\n" for line in lines)
    parse_users(entry, "the entry")
    if file is None:
        click.echo(entry, nl=False)
    else:
        _append(entry, file)
        click.echo(f"added {name} to {file}")
    if token is not None:
        click.echo(f"The token, which is shown this once: {token}", err=True)


def _ask() -> str:
    from app.web.security.passwords import LEAST_LENGTH

    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = click.get_text_stream("stdin").readline().rstrip("\r\n")
    if len(password) < LEAST_LENGTH:
        raise MasteryError(
            f"the password has fewer than {LEAST_LENGTH} characters", hint="several words make a good one"
        )
    return password


def _refuse_taken(name: str, file: Path) -> None:
    """Before a password is asked for: two tables of one name are no TOML."""
    from app.web.security.users import UsersFile

    if file.exists() and name in UsersFile(file).users:
        raise MasteryError(f"{file} has a login {name} already", hint="remove its entry there first")


def _append(entry: str, file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as stream:
            before = stream.read()
            gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
            stream.write(gap + entry)
    except OSError as error:
        raise MasteryError(
            f"cannot write {file}: {error.strerror or error}",
            hint="name a file in a folder that can be written to",
        ) from None
