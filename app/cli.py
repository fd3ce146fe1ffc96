"""The `mastery` command. Each command lives in a module of `app.commands`, loaded only when it is used."""

import errno
import os
import sys
from importlib import import_module
from typing import NamedTuple

import click

from app import __version__
from app.errors import MasteryError

__all__ = ["cli", "main"]

#: What a write fails with where there is no room: the disk, the user's share of it, the largest file allowed.
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _Entry(NamedTuple):
    """Where a command lives, and its line in the list of commands."""

    module: str
    summary: str


# Each module has its command (or group) under its own name. The summaries stand here so that
# `mastery --help` imports none of them.
COMMANDS = {
    "demo": _Entry("demo", "Show the whole way of sample events on an embedded broker."),
    "broker": _Entry("broker", "Run the embedded broker in the foreground."),
    "worker": _Entry("worker", "Run a stream worker."),
    "receive": _Entry("receive", "Take events in from Canvas, by HTTPS or from an SQS queue."),
    "topics": _Entry("topics", "List, make and check the topics."),
    "schemas": _Entry("schemas", "List, check, register and export the Avro schemas."),
    "generate": _Entry("generate", "Make the events of a school, to try things with."),
    "send": _Entry("send", "Send events from a file to the raw topic."),
    "backfill": _Entry("backfill", "Send what was in Canvas before the stream, from its exports."),
    "raw": _Entry("raw", "Count what the raw topic holds, and what would become of it."),
    "tail": _Entry("tail", "Print a topic's records, decoded, as JSON lines."),
    "dead-letters": _Entry("dead_letters", "Look at what could not be understood, and send it again."),
    "show": _Entry("show", "Show how a student stands, and the results behind each score."),
    "compare": _Entry("compare", "Compare Canvas's own roll-ups of a course with the rows."),
    "state": _Entry("state", "Export the rows of mastery, prove them, or make them anew."),
    "forget": _Entry("forget", "Forget a student, for good."),
    "status": _Entry("status", "Show how far the workers have come."),
    "web-token": _Entry("web_token", "Make a token for the web server of the workers."),
    "web-user": _Entry("web_user", "Make a login for the web view, with what it may see."),
    "settings": _Entry("settings", "Explain every setting, its value and where that comes from."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order a newcomer meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module, or return None for an unknown name."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        if sys.platform == "win32":  # said here: not all that the commands import can be had there
            raise MasteryError("mastery does not run on Windows itself", hint="use WSL2 (wsl --install)")
        module = import_module(f"app.commands.{entry.module}")
        command: click.Command = getattr(module, entry.module)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, importing none."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="mastery")
def cli() -> None:
    """Turn Canvas Live Events into twelve typed Avro topics, exactly once.

    Settings come from MASTERY_* variables; `mastery settings` explains them.
    """
    # Imported here: `--help` and `--version` need no settings.
    from app.settings import unknown_variables

    for name, meant in unknown_variables(os.environ).items():
        guess = f" (did you mean {meant}?)" if meant else ""
        click.echo(f"warning: {name} is not a setting{guess}", err=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong call or setting, 130 interrupted."""
    try:
        result = cli.main(args=arguments, prog_name="mastery", standalone_mode=False)
    except MasteryError as error:
        click.echo(error.report, err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has enough.
        _drop_output()
        sys.exit(1)
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        click.echo(f"error: cannot write: {error.strerror}", err=True)
        _drop_output()
        sys.exit(1)
    # A command may end with `ctx.exit(code)`, which click hands back as its result here.
    sys.exit(result if isinstance(result, int) else 0)


def _drop_output() -> None:
    """Let go of what could not be printed: Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
