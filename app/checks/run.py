"""All that a worker checks at the broker before it takes work, in order."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from app.access.asking import ask
from app.access.grants import Grant, permission_missing
from app.access.tasks import is_ours, worker
from app.checks.transactions import probe_transactions
from app.checks.waiting import retry_until
from app.connection import Connection, connect
from app.settings import Settings
from app.topics import Catalogue, TopicAdmin, TopicState, plan, require_usable

__all__ = ["CheckReport", "CheckResult", "run_checks"]

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check that passed. `detail` says what could not be judged, if anything; `seconds` it took."""

    name: str
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The checks that passed: all of them, as a failed one raises."""

    results: tuple[CheckResult, ...]

    @property
    def seconds(self) -> float:
        """How long all of it took."""
        return sum(result.seconds for result in self.results)


def run_checks(
    settings: Settings,
    catalogue: Catalogue,
    *,
    transactional_id: str,
    deadline: float,
    say: Callable[[str], object] = log.warning,
) -> CheckReport:
    """Check broker, login, permissions, transactions, topics; blocking, well below a second if all is well.

    `deadline` is an instant of `time.monotonic()`: until then it waits for what may still come up, with one
    line to `say` for each try, and then raises NotInTime. What waiting does not change is raised at once:
    LoginRefused, CertificateRefused, ClientRefused, PermissionMissing, TransactionsUnusable, TopicsMissing,
    PartitionMismatch, TopicDrift. `transactional_id` must be the worker's own: see `probe_transactions`.
    """
    results = []

    def passed(name: str, check: Callable[[], T], detail: Callable[[T], str] = lambda _: "") -> T:
        began = time.monotonic()
        found = retry_until(deadline, check, say)
        results.append(CheckResult(name, detail(found), time.monotonic() - began))
        return found

    connection = passed("broker and login", lambda: connect(settings))
    # Both before the topics: a topic that may not be seen looks like one that is missing.
    passed(
        "permissions and transactions",
        lambda: _permissions(settings, catalogue, connection, transactional_id),
        lambda told: "" if told else "this broker does not tell who may do what",
    )
    passed("topics", lambda: require_usable(_ours(catalogue, settings)))
    return CheckReport(tuple(results))


def _ours(catalogue: Catalogue, settings: Settings) -> list[TopicState]:
    """Return the state of the topics that a worker uses: of others it need not even know."""
    return [state for state in plan(catalogue, TopicAdmin(settings)) if is_ours(state.spec)]


def _permissions(
    settings: Settings, catalogue: Catalogue, connection: Connection, transactional_id: str
) -> bool:
    """Raise PermissionMissing with all that lacks; return whether the broker told everything."""
    task = worker(settings, catalogue)
    own = [grant for grant in task.grants if grant.resource == "transactional-id"]
    granted = ask(connection, settings, [grant for grant in task.grants if grant not in own])
    refused: Iterable[Grant] = () if probe_transactions(settings, transactional_id) else own
    if missing := (*granted.missing, *refused):
        raise permission_missing(settings, missing, doer=task.name)
    return not granted.not_told
