"""`mastery state`: the rows of mastery as a whole. Each command stands in a module of its own."""

import click

from app.commands.state_export import export
from app.commands.state_rebuild import rebuild
from app.commands.state_reset import reset
from app.commands.state_verify import verify

__all__ = ["state"]


@click.group()
def state() -> None:
    """Export the rows of mastery, prove them against the events, or make them anew."""


for _command in (verify, rebuild, reset, export):
    state.add_command(_command)
