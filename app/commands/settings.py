"""`mastery settings`: every setting, its value and where that comes from."""

from dataclasses import asdict

import click

from app.commands.output import print_json, print_table
from app.settings import describe, load_settings

__all__ = ["settings"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def settings(as_json: bool) -> None:
    """Explain every setting: its variable, its value, where the value comes from.

    Secrets are hidden. The settings are checked on the way: exit status 2 when one cannot be used.
    """
    infos = describe(load_settings())
    if as_json:
        print_json([asdict(info) for info in infos])
    else:
        rows = [(info.env, info.value_shown or None, info.source, info.description) for info in infos]
        print_table(("VARIABLE", "VALUE", "SOURCE", "DESCRIPTION"), rows)
