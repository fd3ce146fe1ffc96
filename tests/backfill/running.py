"""Runs of a backfill without the command: events into a list."""

from app.backfill.events import Institution
from app.backfill.plan import export_files, steps
from app.backfill.run import Backfill, Watcher
from app.backfill.state import Progress
from app.backfill.tally import Problems
from tests.backfill.school import DECODER


class ListSink:
    """Keeps events."""

    size = 0

    def __init__(self):
        self.events = []
        self.safe = 0

    def take(self, raw):
        self.events.append(raw)

    def settle(self):
        self.safe = len(self.events)


def run(*paths, kind=None, strict=False, progress=None, state=None, sink=None, problems=None, **institution):
    """Backfill these files; return the events and the run, whose `problems` are those shown."""
    sink = sink or ListSink()
    problems = problems or Problems(None)
    made = Backfill(
        steps(export_files(paths, kind)),
        Institution(**institution),
        sink,
        problems,
        check=DECODER,
        most_bytes=1_000_000,
        watcher=Watcher(),
        strict=strict,
    )
    made.run(state, progress or Progress(""))
    made.problems = problems.first
    return sink.events, made
