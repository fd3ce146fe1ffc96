"""`mastery worker`: run a stream worker until it is told to stop."""

import contextlib
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from app.logs import log_to_stderr
from app.settings import load_settings

__all__ = ["worker"]


@click.command()
def worker() -> None:
    """Run a stream worker in the foreground.

    SIGTERM and SIGINT make it finish what it has, commit and leave the group; it exits 0. It exits 1 when
    something keeps it from working: start it again (a process manager does), it goes on from the last commit.
    """
    settings = load_settings()
    log_to_stderr(settings.log_level)
    signal.signal(signal.SIGTERM, _stop_before_start)

    from app.main import create_app
    from app.stream.runner import StreamWorker
    from app.worker import Worker

    class Runner(StreamWorker):
        """Faust's worker with our logging, and without its spinner."""

        def _setup_logging(self) -> None:
            self.spinner = None

    with contextlib.closing(Worker(settings, say=lambda line: click.echo(line, err=True))) as opened:
        app = create_app(settings, opened)
        app.prepare_now()
        try:
            Runner(app, redirect_stdouts=False, quiet=True).execute_from_commandline()
        except (Exception, SystemExit):
            # Faust raises what crashed the app once more, with a traceback; a failure that is known needs one
            # line.
            if app.failure is None:
                raise
        if app.failure is not None:
            raise app.failure


def _stop_before_start(_signal: int, _frame: FrameType | None) -> NoReturn:
    """While nothing has been read yet there is nothing to drain. Faust sets its own handler later."""
    sys.exit(0)
