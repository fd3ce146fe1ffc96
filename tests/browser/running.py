"""Workers with a web server on an embedded broker, and a school whose events they have taken in."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from app.settings import Settings, load_settings
from tests.support.brokers import embedded_broker
from tests.support.records import produce
from tests.support.waiting import wait_until
from tests.support.worker import CHECKOUT, WorkerProcess, command_environment

__all__ = ["RunningSite", "running_site"]


@dataclass
class RunningSite:
    """The workers, the first of which is asked."""

    settings: Settings
    workers: list[WorkerProcess]

    @property
    def url(self) -> str:
        """Address of the first worker's web server."""
        return self.workers[0].url

    def get(self, path: str, worker: int = 0, **parameters: Any) -> Any:
        """What the API of a worker says, from its JSON."""
        answer = httpx.get(f"{self.workers[worker].url}{path}", params=parameters or None, timeout=20.0)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    @staticmethod
    def address(page: str, ident: str, **parameters: str) -> str:
        """Address of one thing's page."""
        return f"{page}/{quote(ident, safe='')}" + (f"?{urlencode(parameters)}" if parameters else "")

    def rows(self, worker: int = 0, **parameters: Any) -> list[dict[str, Any]]:
        """All rows of a search, page after page."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            page = self.get("/api/mastery", worker, limit=500, **parameters, **more)
            found += page["rows"]
            cursor = page["next"]
            if cursor is None:
                return found

    def send(self, *events: bytes) -> None:
        """Send raw events, as Canvas would."""
        produce(self.settings.broker, self.settings.raw_topic_name, events)

    def wait_idle(self, timeout: float = 90.0) -> None:
        """Wait until all that was sent is in the rows, and the rows are in the views.

        A worker looks at the ends of its topics once a second: what it has handed on to itself since then is
        not among what it says to be behind. So it must say twice, more than a second apart, that it is idle.
        """
        since: float | None = None

        def idle() -> bool:
            nonlocal since
            if not looks_idle():
                since = None
                return False
            since = since or time.monotonic()
            return time.monotonic() > since + 2.5

        def looks_idle() -> bool:
            try:
                fresh = self.get("/api/overview")["freshness"]
            except (AssertionError, httpx.HTTPError):
                return False
            partitions = [one for worker in fresh["workers"] for one in worker["partitions"]]
            return (
                len(fresh["workers"]) == len(self.workers)
                and fresh["behind_records"] == 0
                and len(partitions) == self.settings.partitions
                and all(one["applied"] == one["end"] and not one["restoring"] for one in partitions)
            )

        wait_until(idle, timeout=timeout, what="the view to hold all", detail=self.logs)

    def logs(self) -> str:
        """The last lines that the workers printed."""
        return "\n".join(worker.log for worker in self.workers)


@contextmanager
def running_site(
    folder: Path, *, events: int, students: int, workers: int = 1, **variables: str
) -> Iterator[RunningSite]:
    """Start all of it and wait until everything is processed. `variables` come into the environment."""
    with ExitStack() as stack:
        broker = stack.enter_context(embedded_broker())
        settings = load_settings(
            broker=broker.bootstrap, session_timeout=6.0, partitions=4, state_dir=folder / "state"
        )
        _run(settings, "topics", "apply")
        _run(settings, "generate", "--events", str(events), "--students", str(students), "--send")
        running = [
            stack.enter_context(WorkerProcess(settings, folder, name=f"worker-{number}", variables=variables))
            for number in range(workers)
        ]
        for worker in running:
            worker.wait_ready()
        site = RunningSite(settings, running)
        site.wait_idle()
        yield site


def _run(settings: Settings, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env=command_environment(settings),
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
