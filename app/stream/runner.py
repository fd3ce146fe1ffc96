"""Faust's worker, as far as it runs a stream app: signals that neither tell too much nor stop the work."""

import faulthandler
import sys

import faust
from typing_extensions import override

__all__ = ["StreamWorker"]


class StreamWorker(faust.Worker):
    """What `mastery worker` and `faust -A app.main worker` run the app in."""

    @override
    def _on_sigusr1(self) -> None:
        """Print where every thread stands. mode would print all local variables: raw events, logins."""
        faulthandler.dump_traceback(sys.__stderr__ or sys.stderr)

    @override
    def _on_sigusr2(self) -> None:
        """Nothing. mode would stop the stream in a debugger."""
