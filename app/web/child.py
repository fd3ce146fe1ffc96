"""The web process: `python -m app.web.child LISTENER PIPE`, two file descriptors, as WebProcess starts it.

Signals to the whole group are blocked from its first instruction on: it follows the worker, and ends when
the pipe from it closes, at any moment. So that is watched for before anything else is loaded, which takes a
second.
"""

import os
import select
import sys
import threading

__all__ = ["end_with", "main"]


def main() -> None:
    """Serve until the worker ends."""
    listener, pipe = (int(number) for number in sys.argv[1:3])
    threading.Thread(target=end_with, args=(pipe,), name="end", daemon=True).start()
    from app.web.serving import serve  # noqa: PLC0415 - see above

    serve(listener, pipe)


def end_with(pipe: int) -> None:
    """Wait until nobody has the other end of the pipe, however much is still in it, and end the process."""
    watched = select.poll()
    # Nothing but POLLHUP and POLLERR, which are always told.
    watched.register(pipe, 0)
    watched.poll()
    # At once: the worker ended without a word, and its next run wants the port.
    os._exit(0)


if __name__ == "__main__":
    main()
