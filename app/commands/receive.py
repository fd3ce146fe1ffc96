"""`mastery receive`: events from Canvas into the raw topic."""

import logging
import signal
import sys
from collections.abc import Callable

import click

from app.errors import MasteryError
from app.logs import RateLimit, fields, log_to_stderr
from app.settings import Settings, load_settings

__all__ = ["receive"]

log = logging.getLogger(__name__)


@click.group()
def receive() -> None:
    """Take events in from Canvas, and write them to the raw topic as they are.

    Canvas sends them by HTTPS, to an address of yours, or to an SQS queue of yours: docs/ingest.md tells how
    to set up either, and which to choose.
    """


@receive.command()
def https() -> None:
    """Take events that Canvas sends by HTTPS.

    Each is answered with 200 once the broker has it, and with 503 while Kafka is away, so that Canvas tries
    again. It speaks plain HTTP: a reverse proxy with the certificate stands before it. SIGTERM and SIGINT end
    it when all that came is answered.
    """
    from app.receive.https import receive_https

    _run(receive_https)


@receive.command()
def sqs() -> None:
    """Take events out of the SQS queue that Canvas sends them to.

    A message is deleted from the queue once the broker has its event. AWS's own variables and files give the
    login (AWS_ACCESS_KEY_ID, AWS_PROFILE, or the role of the machine). SIGTERM and SIGINT end it when all
    that was fetched is written, or given back to the queue.
    """
    from app.receive.sqs import receive_sqs

    _run(receive_sqs)


def _run(work: Callable[[Settings], None]) -> None:
    settings = load_settings()
    log_to_stderr(settings.log_level, settings.log_format)
    logging.getLogger("app.receive.refused").addFilter(RateLimit())
    # Until it listens there is nothing to finish. Then it has a handler of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        work(settings)
    except MasteryError as error:
        if settings.log_format == "text":
            raise
        # Whoever reads the lines as JSON reads the last one, too.
        log.critical("%s", error, extra=fields(hint=error.hint, exit_status=error.exit_code))
        sys.exit(error.exit_code)
