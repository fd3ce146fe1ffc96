"""`mastery demo`: the whole way of events on an embedded broker, to look at."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import get_terminal_size, which
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from app.commands.demo_mastery import first_pages, mastery_json, mastery_table, print_mastery
from app.commands.output import json_line, print_json, print_table

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from app.embedded.demo import Arrival, Demo

__all__ = ["demo"]

BANNER = """\
mastery-stream demo: Canvas Live Events in, typed Avro topics out.
Everything runs on this machine, in memory, and is gone when the demo ends. Nothing else is touched.
"""
# Seconds that the first events may take, on a slow machine; usually it is less than ten.
PATIENCE = 90.0
# Seconds between two events once the first are through.
PACE = 0.5
_SAMPLE_WIDTH = 110
# Seconds that a topic stands out after something arrived there.
_NEW = 1.5
# Lines of the screen that are not for changes of mastery.
_LINES = 27


@click.command()
@click.option("--exit", "exit_when_done", is_flag=True, help="End when all is processed; print a table.")
@click.option("--json", "as_json", is_flag=True, help="With --exit: print JSON lines instead of the table.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port of the broker; 0 takes any free one.  [default: 9092, else a free one]",
)
def demo(exit_when_done: bool, as_json: bool, port: int | None) -> None:
    """Show the whole way of events: embedded broker, worker, typed topics, dead letters, mastery.

    The events are the examples of Canvas's documentation and those of a small made-up school, some of them
    broken; the school goes on until Ctrl-C ends all of it. With --exit it needs no terminal and ends by
    itself: exit status 0 when every event arrived exactly once where it belongs.
    """
    if as_json and not exit_when_done:
        raise click.UsageError("--json goes with --exit")
    say = click.echo if not as_json else _say_nothing
    say(BANNER)
    sys.stdout.flush()
    # Imported after the banner, as it takes a moment.
    from app.embedded.demo import Demo, without_settings

    # Settings that are meant for another broker have no place here.
    ours = without_settings(os.environ)
    for name in set(os.environ) - set(ours):
        del os.environ[name]
    with _stop_signal() as stopped, Demo(say, port=port) as running:
        say(f"{running.send_first()} sent to {running.settings.raw_topic_name}\n")
        if exit_when_done:
            _run_to_the_end(running, stopped)
            _print_result(running, as_json=as_json)
        elif sys.stdout.isatty():
            _show_live(running, stopped)
        else:
            _print_arrivals(running, stopped)
        if stopped.is_set():
            say("\nEnding: the worker commits what it has and leaves.")
    if exit_when_done and stopped.is_set():
        sys.exit(130)
    if not exit_when_done:
        say("The demo has ended; nothing of it is left.")


def _say_nothing(_line: str) -> None:
    pass


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into an event, so that they never hit in the middle of starting or stopping."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_to_the_end(running: "Demo", stopped: threading.Event) -> None:
    deadline = time.monotonic() + PATIENCE
    while not (running.complete and running.idle()) and time.monotonic() < deadline and not stopped.is_set():
        running.arrivals(0.2)
    if not stopped.is_set():
        # What came twice would come now.
        running.arrivals(0.5)
        running.require_exactly_what_was_sent()


def _follow(running: "Demo", stopped: threading.Event, show: Callable[["Arrival"], None]) -> None:
    """Hand on what arrives until it is enough, and keep something moving once the first are through."""
    another = time.monotonic()
    while not stopped.is_set():
        for arrival in running.arrivals(0.2):
            show(arrival)
        if running.complete and time.monotonic() >= another:
            running.send_another()
            another = time.monotonic() + PACE


def _print_arrivals(running: "Demo", stopped: threading.Event) -> None:
    told = False

    def show(arrival: "Arrival") -> None:
        nonlocal told
        click.echo(f"{arrival.topic}  {arrival.key}  {_short(arrival)[:_SAMPLE_WIDTH]}")
        if running.complete and not told:
            told = True
            click.echo("\n".join(["\nIn a browser:", *first_pages(running.mastery, running.web), ""]))

    _follow(running, stopped, show)


def _show_live(running: "Demo", stopped: threading.Event) -> None:
    from rich.live import Live

    started = time.monotonic()
    with Live(get_renderable=lambda: _live_view(running, time.monotonic() - started), refresh_per_second=5):
        _follow(running, stopped, lambda _: None)


def _command() -> str:
    """How this very command is called from here: nothing is on the PATH after `make demo`."""
    if which("mastery"):
        return "mastery"
    beside = Path(sys.executable).with_name("mastery")
    return os.path.relpath(beside) if beside.exists() else f"{os.path.relpath(sys.executable)} -m app.cli"


def _live_view(running: "Demo", seconds: float) -> "Group":
    from rich.console import Group
    from rich.markup import escape
    from rich.text import Text

    command = f"MASTERY_BROKER={running.settings.broker} {_command()}"
    hints = [f"{command} tail rubric_assessed --from-beginning"]
    if row := next(iter(running.mastery.rows.values()), None):
        hints.append(f"{command} show --user {row['user_uuid']}")
    told = "\n".join(f"  [bold]{escape(hint)}[/bold]" for hint in hints)
    pages = "\n".join(f"  [bold]{escape(page)}[/bold]" for page in first_pages(running.mastery, running.web))
    return Group(
        _live_table(running, seconds),
        mastery_table(running.mastery, max(1, get_terminal_size().lines - _LINES)),
        Text.from_markup(f"\nIn a browser:\n{pages}\nIn another terminal:\n{told}\nCtrl-C ends the demo."),
    )


def _live_table(running: "Demo", seconds: float) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    waiting = (
        "" if any(view.records for view in running.views.values()) else "  (the worker is joining its group)"
    )
    table = Table(
        title=f"{seconds:.0f} s{waiting}",
        title_justify="left",
        expand=True,
        box=None,
    )
    table.add_column("TOPIC", no_wrap=True)
    table.add_column("RECORDS", justify="right", no_wrap=True)
    table.add_column("LAST KEY", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("LAST EVENT", no_wrap=True, overflow="ellipsis", ratio=3)
    for view in running.views.values():
        new = "bold " if view.changed > time.monotonic() - _NEW else ""
        color = "dim" if not view.records else "red" if view.topic.endswith("dead-letter") else "default"
        key, event = (view.last.key, _short(view.last)) if view.last else ("", "")
        table.add_row(view.topic, str(view.records), escape(key), escape(event), style=new + color)
    return table


def _print_result(running: "Demo", *, as_json: bool) -> None:
    views = list(running.views.values())
    if as_json:
        for view in views:
            sample = view.first.value if view.first else None
            print_json({"topic": view.topic, "records": view.records, "sample": sample})
        print_json(mastery_json(running.mastery))
        return
    rows = [(v.topic, v.records, _short(v.first)[:_SAMPLE_WIDTH] if v.first else None) for v in views]
    print_table(("TOPIC", "RECORDS", "FIRST RECORD, DECODED"), rows, right=("RECORDS",))
    print_mastery(running.mastery)


def _short(arrival: "Arrival") -> str:
    """What a record says, without what it leaves empty, on one line."""
    value = arrival.value.get("body", arrival.value)
    return json_line(_filled(value))


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item) for name, item in value.items() if item is not None}
    return [_filled(item) for item in value] if isinstance(value, list) else value
