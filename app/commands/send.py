"""`mastery send`: events from a file to the raw topic, as they are."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.commands.output import print_json
from app.json_stream import json_events
from app.reader import TopicMissing, topic_partitions
from app.sender import EventSender
from app.settings import load_settings

__all__ = ["send"]


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def send(file: Path, as_json: bool) -> None:
    """Send the events in FILE (- for standard input) to the raw topic.

    FILE holds JSON objects: one a line, in an array, or one after another, pretty-printed or not. Each is
    sent as the very bytes that stand there, without a key, like Canvas does. A file is checked whole
    before its first event is sent; standard input is sent as it comes.
    """
    settings = load_settings()
    topic = settings.raw_topic_name
    name = "standard input" if str(file) == "-" else str(file)
    total = None if str(file) == "-" else _count(file)
    if topic not in topic_partitions(settings):
        raise TopicMissing(
            f"the broker at {settings.broker} has no topic {topic}", hint="`mastery topics apply` makes it"
        )
    sender = EventSender(settings, topic)
    try:
        with _open(file) as stream, _progress(total) as progress:
            task = progress.add_task(f"sending to {topic}", total=total)
            for event in json_events(stream, name):
                sender.send(event)
                progress.update(task, completed=sender.accepted)
            sender.finish()
            progress.update(task, completed=sender.accepted)
    finally:
        # Said in every case: who has to try again must know what is there already.
        sender.settle()
        if as_json:
            print_json({"topic": topic, "sent": sender.accepted})
        else:
            events = "event" if sender.accepted == 1 else "events"
            click.echo(f"{sender.accepted} {events} sent to {topic}")


def _count(file: Path) -> int:
    """Check the whole file and count its events: nothing is sent of a file that breaks off in the middle."""
    with file.open("rb") as stream:
        return sum(1 for _ in json_events(stream, str(file)))


@contextmanager
def _open(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield click.get_binary_stream("stdin")
    else:
        with file.open("rb") as stream, closing(stream):
            yield stream


def _progress(total: int | None) -> Progress:
    console = Console(stderr=True)
    done = MofNCompleteColumn() if total is not None else TextColumn("{task.completed}")
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        done,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
