"""`mastery send`: events from a file to the raw topic, as they are."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from app.access import tasks
from app.commands.at_broker import at_broker
from app.commands.output import print_json
from app.commands.sending import progress_bar, raw_topic_sender
from app.json_stream import EventFileError, json_events
from app.raw_lines import raw_lines
from app.settings import load_settings

__all__ = ["send"]


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--lines", is_flag=True, help="Send each line of FILE as it stands there, broken or not.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@at_broker(tasks.send)
def send(file: Path, lines: bool, as_json: bool) -> None:
    """Send the events in FILE (- for standard input) to the raw topic.

    FILE holds JSON objects: one a line, in an array, or one after another, pretty-printed or not. Each is
    sent as the very bytes that stand there, without a key, like Canvas does. A file is checked whole
    before its first event is sent; standard input and pipes are sent as they come.

    With --lines every line is a record and nothing is checked: what `mastery generate --out` writes, broken
    records and all. An empty line is a record without a value (null).
    """
    settings = load_settings()
    topic = settings.raw_topic_name
    name = "standard input" if str(file) == "-" else str(file)
    records: Callable[[BinaryIO, str], Iterator[bytes | None]] = raw_lines if lines else _clean_events
    total = None
    # A pipe that has a name can be read once only, too.
    if str(file) != "-" and file.is_file():
        # Checks the whole file, too: nothing is sent of one that breaks off in the middle.
        with file.open("rb") as whole:
            total = sum(1 for _ in records(whole, name))

    def report(accepted: int) -> None:
        if as_json:
            print_json({"topic": topic, "sent": accepted})
        else:
            click.echo(f"{accepted} {'event' if accepted == 1 else 'events'} sent to {topic}")

    with (
        raw_topic_sender(settings, report) as sender,
        _open(file) as stream,
        progress_bar(total) as progress,
    ):
        task = progress.add_task(f"sending to {topic}", total=total)
        for event in records(stream, name):
            sender.send(event)
            progress.update(task, completed=sender.accepted)
        sender.finish()
        progress.update(task, completed=sender.accepted)


def _clean_events(stream: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        yield from json_events(stream, name)
    except EventFileError as error:
        hint = "`mastery send --lines` sends each line as it stands there, broken or not"
        raise EventFileError(str(error), hint=hint) from None


@contextmanager
def _open(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield click.get_binary_stream("stdin")
    else:
        with file.open("rb") as stream, closing(stream):
            yield stream
