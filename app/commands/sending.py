"""Sending to the raw topic, with a bar that shows how far it is, and the count at its end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.reader import topic_missing, topic_partitions
from app.sender import EventSender
from app.settings import Settings

__all__ = ["pace", "progress_bar", "raw_topic_sender"]


@contextmanager
def raw_topic_sender(settings: Settings, report: Callable[[int], None]) -> Iterator[EventSender]:
    """Lend a sender to the raw topic, and wait at the end until the broker has everything.

    `report` gets the number of accepted records in every case: who has to try again must know what is there
    already. Raises TopicMissing, and what EventSender raises.
    """
    topic = settings.raw_topic_name
    if topic not in topic_partitions(settings):
        raise topic_missing(settings, topic)
    sender = EventSender(settings, topic)
    try:
        yield sender
        sender.finish()
    finally:
        sender.settle()
        report(sender.accepted)


def progress_bar(total: int | None) -> Progress:
    """Return a bar on standard error, shown on a terminal only; without a total it just counts."""
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


def pace(rate: float) -> Callable[[], None]:
    """Return what waits, so that it does not return more than `rate` times a second."""
    began, count = time.monotonic(), 0

    def wait() -> None:
        nonlocal count
        if (early := began + count / rate - time.monotonic()) > 0:
            time.sleep(early)
        count += 1

    return wait
