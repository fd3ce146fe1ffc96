"""`mastery broker`: the embedded broker in the foreground."""

import signal
import threading
from types import FrameType

import click

from app.embedded.broker import DEFAULT_PORT, EmbeddedBroker, EmbeddedBrokerError

__all__ = ["broker"]


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=None,
    help="Port on 127.0.0.1; 0 takes any free one.  [default: 9092, else the next free one]",
)
def broker(port: int | None) -> None:
    """Run the embedded Kafka broker until Ctrl-C.

    It keeps everything in memory, for a first try and for tests; what it held is gone when it ends. Joining a
    group takes half the session time-out there: with MASTERY_SESSION_TIMEOUT=6 workers start in 3 s, not 8.
    """
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with EmbeddedBroker(port=port) as running:
        if port is None and not running.bootstrap.endswith(f":{DEFAULT_PORT}"):
            click.echo(
                f"port {DEFAULT_PORT} is in use, so this is another: MASTERY_BROKER={running.bootstrap}",
                err=True,
            )
        click.echo(f"bootstrap: {running.bootstrap}")
        while not stopped.wait(0.2):
            if not running.running:
                raise EmbeddedBrokerError(
                    f"the embedded broker ended by itself, exit status {running.wait()}"
                )
