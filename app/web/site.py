"""Everything that an answer of the web process needs, made in one place."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from app.mastery_numbers import MasteryNumbers, NumbersOfWorker
from app.roster import Roster
from app.schemas.known import SchemaCatalogue
from app.settings import Settings
from app.web.answers import Answers, Changes
from app.web.health import Looks
from app.web.names import Names
from app.web.pace import Pace
from app.web.report import Reports, WebStart, WorkerReport
from app.web.security.access import Access

__all__ = ["Site", "build_site"]

#: Queries at a time: SQLite lets go of the interpreter while it works, and there are few cores to spare.
_QUERIES: Final = 4


@dataclass
class Site:
    """What routes are made of. `report()`: the newest of the worker, None where there is no worker.

    `answers` and `changes` are None until there is something to answer from. They know of no logins: routes
    ask `guarded_answers` and `guarded_changes`, which keep to what each login may see. Synchronous queries
    run in `executor`; `followers` are told of each report; `closing` is closed at the end of the process.
    """

    settings: Settings
    progress: Looks
    report: Callable[[], WorkerReport | None] = lambda: None
    expected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: Callable[[], MasteryNumbers | None] = lambda: None
    schemas: SchemaCatalogue | None = None
    roster: Callable[[], Roster] = Roster
    answers: Answers | None = None
    changes: Changes | None = None
    pace: Pace = field(default_factory=Pace)
    executor: Executor = field(default_factory=lambda: ThreadPoolExecutor(_QUERIES, "query"))
    followers: list[Callable[[WorkerReport], None]] = field(default_factory=list)
    closing: ExitStack = field(default_factory=ExitStack)
    access: Access = field(init=False)

    def __post_init__(self) -> None:
        self.access = Access(self.settings)

    def guarded_answers(self) -> Answers | None:
        """What routes ask; None while there is nothing to answer from."""
        return None if self.answers is None else self.access.over(self.answers)

    def guarded_changes(self) -> Changes | None:
        """What routes follow; None while there is nothing to follow."""
        return None if self.changes is None else self.access.live(self.changes)

    def take(self, report: WorkerReport) -> None:
        """Follow the worker: told of each report, in a thread."""
        self.pace.take(report)
        for follow in self.followers:
            follow(report)

    def close(self) -> None:
        """Let go of everything, at the end of the process."""
        self.access.stop()
        # Last: with a broker that is away it takes seconds, and the process may be ended meanwhile.
        self.closing.close()

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker."""
        report = self.report()
        return None if report is None else report.pid


def build_site(start: WebStart, reports: Reports) -> Site:
    """Return the site of a web process."""
    settings = start.settings
    numbers = NumbersOfWorker(
        settings.rows_folder,
        settings.result_topics[0],
        reports.snapshot,
        lambda: reports.latest().definitions,
    )
    names = Names(settings.web_roster)
    names.start()
    return Site(settings, reports, reports.latest, start.expected, numbers, roster=names)
