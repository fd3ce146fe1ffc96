"""`mastery worker`: run a stream worker until it is told to stop."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from app.errors import MasteryError
from app.logs import fields, log_to_stderr
from app.settings import Settings, load_settings
from app.stream.progress import ProgressSnapshot

__all__ = ["worker"]

log = logging.getLogger(__name__)


@click.command()
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Run so many workers, each in a process with a state folder and web port of its own.",
)
def worker(processes: int) -> None:
    """Run a stream worker in the foreground.

    A worker is bound by one core: with --processes, one runs for each core that is to be used. The state of
    worker 2 is in the folder 2 below MASTERY_STATE_DIR; MASTERY_WEB_PORT, if set, is the port of the first.
    Lines of the log begin with the number of their worker. When one of them ends, all do.

    SIGTERM and SIGINT make it finish what it has, commit and leave the group; it exits 0. It exits 1 when
    something keeps it from working: start it again (a process manager does), it goes on from the last commit.
    """
    settings = load_settings()
    log_to_stderr(settings.log_level, settings.log_format)
    if processes > 1:
        sys.exit(_run_several(settings, processes))
    signal.signal(signal.SIGTERM, _stop_before_start)
    try:
        _run(settings)
    except MasteryError as error:
        if settings.log_format == "text":
            raise
        # Whoever reads the lines as JSON reads the last one, too.
        log.critical("%s", error, extra=fields(hint=error.hint, exit_status=error.exit_code))
        sys.exit(error.exit_code)
    except Exception as error:
        if settings.log_format == "text":
            raise
        log.critical("unexpected %s", type(error).__name__, exc_info=True, extra=fields(exit_status=1))
        sys.exit(1)


def _run(settings: Settings) -> None:
    from app.access import tasks
    from app.access.explaining import explained
    from app.main import create_app
    from app.stream.runner import StreamWorker
    from app.topics import load_catalogue
    from app.worker import Worker

    class Runner(StreamWorker):
        """Faust's worker with our logging, and without its spinner."""

        def _setup_logging(self) -> None:
            self.spinner = None

    say = None if settings.log_format == "json" else _say
    with contextlib.closing(Worker(settings, say=say)) as opened:
        app = create_app(settings, opened)
        app.prepare_now()
        try:
            Runner(app, redirect_stdouts=False, quiet=True).execute_from_commandline()
        except (Exception, SystemExit, asyncio.CancelledError):
            # Faust raises what crashed the app once more, with a traceback, or what an agent says that the
            # crash has cancelled; a failure that is known needs one line.
            if app.failure is None:
                raise
        finally:
            _log_totals(opened.progress.snapshot())
        if app.failure is not None:
            raise explained(settings, tasks.worker(settings, load_catalogue(settings)), app.failure)


def _run_several(settings: Settings, processes: int) -> int:
    from app.processes import WorkerGroup, environment_of

    # Found as this process found it, not in whatever folder it was started from.
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environments = [
        environment_of(settings, number) | {"PYTHONPATH": path} for number in range(1, processes + 1)
    ]
    command = [sys.executable, "-P", "-m", "app.cli", "worker"]
    return WorkerGroup(command, environments, as_json=settings.log_format == "json").run()


def _log_totals(seen: ProgressSnapshot) -> None:
    totals = {
        "checkpoints": seen.checkpoints,
        "events": sum(seen.events.values()),
        "dead_letters": sum(seen.dead_letters.values()),
        "ignored": sum(seen.ignored.values()),
    }
    log.info(
        "ended; committed since the start: %s",
        ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in totals.items()),
        extra=fields(**totals),
    )


def _say(line: str) -> None:
    click.echo(line, err=True)


def _stop_before_start(_signal: int, _frame: FrameType | None) -> NoReturn:
    """While nothing has been read yet there is nothing to drain. Faust sets its own handler later."""
    sys.exit(0)
